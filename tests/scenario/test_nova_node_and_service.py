"""The host's own rows in Nova's tables: its node with counters, and the service's sign of life."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_nova_tables import Rows

from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.errors import StoreFull
from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimSpec,
    ComputeNode,
    CordonKind,
    EventKind,
    Holder,
    MoveKind,
    MoveSpec,
    Request,
)
from innkeeper.store.base import Commit, Store
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

HOLDER = Holder(project="lab", user="ann")
NODE = "SELECT * FROM compute_nodes WHERE deleted = 0"
SERVICE = "SELECT * FROM services WHERE deleted = 0"
SMALL = Request(vcpus=1, memory_mib=512)


@pytest.fixture
def config() -> Config:
    return Config.model_validate({"devices": [{}], "nova": {"tables": "embedded"}})


@pytest.fixture
def rows(database: Path) -> Rows:
    return Rows(database)


async def place(tracker: Tracker, project: str = "lab") -> Claim:
    spec = ClaimSpec(instance_uuid=uuid4(), holder=Holder(project=project), request=SMALL)
    return (await tracker.place(spec)).claim


async def stats_of(rows: Rows) -> dict[str, str]:
    (node,) = await rows.of(NODE)
    stats: dict[str, str] = json.loads(node["stats"])
    return stats


class Watched:
    """A store that shows what it was given, and that can be full."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False
        self.written: list[ChangeSet] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change_set: ChangeSet) -> Commit:
        if self.is_full:
            raise StoreFull("the disk is full")
        self.written.append(change_set)
        return await self._store.apply(change_set)

    @property
    def nodes(self) -> int:
        """How often the node's row was written."""
        return sum(isinstance(one, ComputeNode) for it in self.written for one in it.records)


@pytest.fixture
def watched() -> list[Watched]:
    return []


@pytest.fixture
def watch(watched: list[Watched]) -> Callable[[Store], Store]:
    def wrap(store: Store) -> Store:
        watched.append(Watched(store))
        return watched[-1]

    return wrap


async def test_counters_follow_the_instances(make_tracker: MakeTracker, rows: Rows) -> None:
    async with make_tracker() as tracker:
        assert await stats_of(rows) == {"io_workload": "0", "num_instances": "0"}
        first = await place(tracker)
        await place(tracker, "other")
        await tracker.confirm(first.id, by=HOLDER)
        assert await stats_of(rows) == {
            "io_workload": "1",
            "num_instances": "2",
            "num_os_type_None": "2",
            "num_proj_lab": "1",
            "num_proj_other": "1",
            "num_task_None": "2",
            "num_vm_active": "1",
            "num_vm_building": "1",
        }
        (node,) = await rows.of(NODE)
        assert (node["running_vms"], node["current_workload"]) == (2, 0)
        await tracker.release(first.id, by=HOLDER)
        assert "num_proj_lab" not in await stats_of(rows)
    async with make_tracker():
        assert (await stats_of(rows))["num_instances"] == "1"


async def test_a_claim_without_an_instance_uses_the_host_and_is_no_instance(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    async with make_tracker() as tracker:
        await tracker.place(ClaimSpec(request=SMALL))
        (node,) = await rows.of(NODE)
        assert (node["vcpus_used"], node["running_vms"]) == (1, 0)


async def test_a_node_that_is_as_it_was_is_not_written_again(
    make_tracker: MakeTracker, watch: Callable[[Store], Store], watched: list[Watched]
) -> None:
    async with make_tracker(wrap=watch) as tracker:
        assert watched[0].nodes == 1
        claim = await place(tracker)
        assert watched[0].nodes == 2
        await tracker.renew(claim.id, by=HOLDER, lease_seconds=60)
        await tracker.renew(claim.id, by=HOLDER, lease_seconds=90)
        assert watched[0].nodes == 2
        await tracker.release(claim.id, by=HOLDER)
        assert watched[0].nodes == 3


async def test_what_could_not_be_written_is_written_with_the_next_sign_of_life(
    make_tracker: MakeTracker,
    watch: Callable[[Store], Store],
    watched: list[Watched],
    rows: Rows,
    clock: VirtualClock,
) -> None:
    async with make_tracker(wrap=watch) as tracker:
        claim = await place(tracker)
        watched[0].is_full = True
        with pytest.raises(StoreFull):
            await tracker.release(claim.id, by=HOLDER)
        await clock.advance(5)
        watched[0].is_full = False
        assert (await rows.of(SERVICE))[0]["report_count"] == 0
        await clock.advance(10)
        await reports(rows, 2)
        assert (await stats_of(rows))["num_instances"] == "1"


async def reports(rows: Rows, count: int) -> dict[str, Any]:
    """The service, once it has reported so often."""
    with anyio.fail_after(20):
        while True:
            (service,) = await rows.of(SERVICE)
            if service["report_count"] == count:
                return service
            await anyio.sleep(0.01)


async def test_the_service_reports_and_goes_on_counting_after_a_restart(
    make_tracker: MakeTracker, rows: Rows, clock: VirtualClock
) -> None:
    async with make_tracker():
        (service,) = await rows.of(SERVICE)
        assert (service["report_count"], service["last_seen_up"]) == (0, None)
        await clock.advance(5)
        assert (await reports(rows, 1))["last_seen_up"].startswith("2026-01-01 00:00:05")
        await clock.advance(10)
        assert (await reports(rows, 2))["last_seen_up"].startswith("2026-01-01 00:00:15")
    async with make_tracker():
        await clock.advance(5)
        await reports(rows, 3)


async def test_nothing_reports_where_nova_s_tables_are_not_kept(
    make_tracker: MakeTracker,
    watch: Callable[[Store], Store],
    watched: list[Watched],
    clock: VirtualClock,
) -> None:
    async with make_tracker(wrap=watch, config=Config()):
        before = len(watched[0].written)
        for _ in range(10):
            await clock.advance(10)
        assert len(watched[0].written) == before


async def test_the_host_s_cordon_disables_the_service_in_its_own_step(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    async with make_tracker() as tracker:
        await tracker.cordon(CordonKind.CPU, "1", reason="hot", by=HOLDER)
        assert (await rows.of(SERVICE))[0]["disabled"] == 0
        await tracker.cordon(CordonKind.HOST, "test", reason="new firmware", by=HOLDER)
        (service,) = await rows.of(SERVICE)
        assert (service["disabled"], service["disabled_reason"]) == (1, "new firmware")
    async with make_tracker() as tracker:
        assert (await rows.of(SERVICE))[0]["disabled"] == 1
        await tracker.uncordon(CordonKind.HOST, "test", by=HOLDER)
        (service,) = await rows.of(SERVICE)
        assert (service["disabled"], service["disabled_reason"]) == (0, None)


async def test_what_others_said_of_the_service_stays(
    make_tracker: MakeTracker, rows: Rows, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker():
        pass
    words = "disabled = 1, disabled_reason = 'by hand', forced_down = 1"
    await anyio.to_thread.run_sync(change, database, f"UPDATE services SET {words}")
    async with make_tracker():
        await clock.advance(5)
        service = await reports(rows, 1)
        assert (service["disabled"], service["disabled_reason"]) == (1, "by hand")
        assert service["forced_down"] == 1


def change(database: Path, statement: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(statement)
    connection.close()


async def test_a_service_that_was_deleted_is_there_again_with_its_next_report(
    make_tracker: MakeTracker, rows: Rows, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker():
        gone = "UPDATE services SET deleted = id, deleted_at = '2026-01-01 00:00:00'"
        await anyio.to_thread.run_sync(change, database, gone)
        assert await rows.of(SERVICE) == []
        await clock.advance(5)
        with anyio.fail_after(20):
            while not await rows.of(SERVICE):
                await anyio.sleep(0.01)
        assert len(await rows.of("SELECT * FROM services")) == 1


async def test_three_nodes_of_one_service_know_nothing_of_each_other(
    tmp_path: Path, clock: VirtualClock
) -> None:
    config = Config.model_validate(
        {"devices": [{}], "nova": {"tables": "embedded"}, "service": {"host": "rack"}}
    )
    names = ("node-a", "node-b", "node-c")
    files = {name: tmp_path / name / "innkeeper.sqlite3" for name in names}
    trackers, stores = {}, {}
    async with AsyncExitStack() as stack:
        for cpus, name in enumerate(names, 4):
            files[name].parent.mkdir()
            stores[name] = SqliteStore(files[name], node=name, clock=clock)
            tracker = Tracker(
                node=name,
                store=stores[name],
                driver=SimulatedDriver(f"cpus={cpus},memory=8GiB,pfs=1,vfs={cpus}"),
                config=config,
                clock=clock,
            )
            trackers[name] = await stack.enter_async_context(tracker)
        for _ in range(2):
            await place(trackers["node-b"])
        found = {name: await everything(Rows(files[name])) for name in names}
        asked = {name: await stores[name].list_instances("rack", name) for name in names}
    services = {one["service"] for one in found.values()}
    assert len(services) == 1, "the same service wherever its row is"
    assert {name: one["node"] for name, one in found.items()} == {
        "node-a": ("rack", "node-a", 4, 0),
        "node-b": ("rack", "node-b", 5, 2),
        "node-c": ("rack", "node-c", 6, 0),
    }
    assert {name: one["devices"] for name, one in found.items()} == {
        "node-a": 5,
        "node-b": 6,
        "node-c": 7,
    }
    assert [one["instances"] for one in found.values()] == [0, 2, 0]
    assert {name: len(page.objects) for name, page in asked.items()} == {
        "node-a": 0,
        "node-b": 2,
        "node-c": 0,
    }


async def test_a_node_of_several_finds_its_moves_by_service_and_node(
    tmp_path: Path, clock: VirtualClock
) -> None:
    config = Config.model_validate({"nova": {"tables": "embedded"}, "service": {"host": "rack"}})
    store = SqliteStore(tmp_path / "innkeeper.sqlite3", node="node-b", clock=clock)
    driver = SimulatedDriver("cpus=8,memory=8GiB")
    instance, move = uuid4(), uuid4()
    async with Tracker(
        node="node-b", store=store, driver=driver, config=config, clock=clock
    ) as tracker:
        words = MoveSpec(id=move, kind=MoveKind.LIVE_MIGRATION, source="node-a")
        spec = ClaimSpec(instance_uuid=instance, holder=HOLDER, request=SMALL, move=words)
        await tracker.place(spec)
        (row,) = (await store.list_migrations("rack", "node-b")).objects
        assert (row.source_compute, row.source_node) == ("node-a", "node-a")
        assert (row.dest_compute, row.dest_node) == ("rack", "node-b")
        await tracker.confirm((await tracker.list_claims())[0].id, by=HOLDER)
        (there,) = (await store.list_instances("rack", "node-b")).objects
        assert (there.uuid, there.host, there.node) == (str(instance), "rack", "node-b")
        assert (await tracker.audit()).findings == ()


@pytest.mark.parametrize(
    "gone",
    [
        "DELETE FROM services",
        "UPDATE services SET deleted = id, deleted_at = '2026-01-01 00:00:00'",
    ],
)
async def test_a_service_comes_back_as_the_host_s_cordon_has_it_and_says_so_once(
    make_tracker: MakeTracker, rows: Rows, database: Path, clock: VirtualClock, gone: str
) -> None:
    async with make_tracker() as tracker:
        await tracker.cordon(CordonKind.HOST, "test", reason="disks", by=HOLDER)
        await clock.advance(5)
        await reports(rows, 1)
        await anyio.to_thread.run_sync(change, database, gone)
        with capture_logs() as told:
            await clock.advance(10)
            with anyio.fail_after(20):
                while not await rows.of(SERVICE):
                    await anyio.sleep(0.01)
            service = await reports(rows, 2)
            await clock.advance(10)
            await reports(rows, 3)
        assert (service["disabled"], service["disabled_reason"]) == (1, "disks")
        assert service["last_seen_up"].startswith("2026-01-01 00:00:15")
        (back,) = [one for one in told if "is back" in one["event"]]
        assert (back["log_level"], back["host"]) == ("warning", "test")
        events = await tracker.list_events()
        assert [one.kind for one in events].count(EventKind.SERVICE_RETURNED) == 1


async def everything(rows: Rows) -> dict[str, Any]:
    (node,), (service,) = await rows.of(NODE), await rows.of(SERVICE)
    devices = await rows.of("SELECT * FROM pci_devices WHERE deleted = 0")
    instances = await rows.of("SELECT * FROM instances WHERE deleted = 0")
    return {
        "service": (service["host"], service["binary"], service["uuid"]),
        "node": (node["host"], node["hypervisor_hostname"], node["vcpus"], node["running_vms"]),
        "devices": len(devices),
        "instances": len(instances),
    }
