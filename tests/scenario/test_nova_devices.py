"""What a program that knows only Nova's tables sees of devices while claims, cordons and hosts change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker
from tests.scenario.hosts import SPEC, HostOfSpec
from tests.scenario.test_nova_tables import HOLDER, Rows
from tests.scenario.test_outcomes import FaultyStore
from tests.unit.store.conftest import run_sql

from innkeeper.config import Config
from innkeeper.errors import StoreFull
from innkeeper.objects import ClaimSpec, DeviceRequest, Request
from innkeeper.objects.cordon import CordonKind
from innkeeper.objects.pci_pool import PciDevicePool
from innkeeper.objects.stored_host import read_pools
from innkeeper.store.base import Store
from innkeeper.tracker import Tracker
from innkeeper.tracker.nova.device_rows import request_id

PF, OTHER_PF, GPU = "0000:03:00.0", "0000:05:00.0", "0000:07:00.0"
VFS = ("0000:03:01.0", "0000:03:01.1")
VF = {"product_id": "1889", "address": PF}
MOVED = f"{SPEC},gpu0.address=0000:f1:00.0"


@pytest.fixture
def config() -> Config:
    return Config.model_validate(
        {
            "devices": [
                {"product_id": "1592", "physical_network": "a"},
                {"product_id": "1889"},
                {"vendor_id": "10de"},
            ],
            "nova": {"tables": "embedded"},
        }
    )


@pytest.fixture
def host() -> HostOfSpec:
    return HostOfSpec()


@pytest.fixture
def rows(database: Path) -> Rows:
    return Rows(database)


async def hold(tracker: Tracker, **kind: str) -> tuple[UUID, UUID]:
    """The claim and its instance."""
    instance = uuid4()
    request = Request(devices=(DeviceRequest(alternatives=(kind,)),))
    spec = ClaimSpec(instance_uuid=instance, request=request, holder=HOLDER)
    return (await tracker.place(spec)).claim.id, instance


async def live(rows: Rows) -> dict[str, dict[str, Any]]:
    found = await rows.of("SELECT * FROM pci_devices WHERE deleted = 0")
    return {row["address"]: row for row in found}


async def statuses(rows: Rows) -> dict[str, str]:
    """Of those that are not plainly available."""
    pairs = ((address, row["status"]) for address, row in (await live(rows)).items())
    return {address: status for address, status in pairs if status != "available"}


async def pools(rows: Rows) -> tuple[PciDevicePool, ...]:
    (node,) = await rows.of("SELECT pci_stats FROM compute_nodes WHERE deleted = 0")
    return read_pools(node["pci_stats"]).objects


async def counts(rows: Rows) -> list[tuple[str | None, str | None, int]]:
    found = (
        (pool.tags["dev_type"], pool.tags["address"], pool.count) for pool in await pools(rows)
    )
    return list(found)


FULL = [
    ("type-PCI", GPU, 1),
    ("type-PCI", "0000:07:00.1", 1),
    ("type-PF", PF, 1),
    ("type-VF", PF, 2),
    ("type-PF", OTHER_PF, 1),
    ("type-VF", OTHER_PF, 2),
]
"""A PF's tag and a VF's network device are a property each, so that PFs and VFs are equals."""


async def test_what_the_host_says_is_in_the_rows(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    functions = {one.address: one for one in host.host.functions}
    async with make_tracker(driver=host):
        found = await live(rows)
        assert len(found) == 8
        pf, vf = json.loads(found[PF]["extra_info"]), json.loads(found[VFS[1]]["extra_info"])
        assert pf["mac_address"] == functions[PF].mac
        assert vf["parent_ifname"] == "enp3s0f0"
        assert json.loads(vf["capabilities"]) == {
            "vpd": {"card_serial_number": functions[PF].serial},
            "sriov": {"pf_mac_address": functions[PF].mac, "vf_num": 1},
        }
        assert (found[VFS[1]]["dev_type"], found[VFS[1]]["parent_addr"]) == ("type-VF", PF)
        assert found[GPU]["label"] == "label_10de_24b0"


async def test_pools_are_those_that_nova_makes_and_in_its_order(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        assert await counts(rows) == FULL
        made = {(pool.tags["dev_type"], pool.tags["address"]): pool for pool in await pools(rows)}
        assert made["type-PCI", GPU].tags == {"dev_type": "type-PCI", "address": GPU}
        assert made["type-PF", PF].tags == {
            "dev_type": "type-PF",
            "physical_network": "a",
            "address": PF,
            "remote_managed": "false",
        }
        assert made["type-VF", PF].tags == {
            "dev_type": "type-VF",
            "address": PF,
            "parent_ifname": "enp3s0f0",
            "remote_managed": "false",
        }
        claim_id, _ = await hold(tracker, **VF)
        expected = [one for one in FULL if one[:2] != ("type-PF", PF)]
        expected[expected.index(("type-VF", PF, 2))] = ("type-VF", PF, 1)
        assert await counts(rows) == expected
        second, _ = await hold(tracker, **VF)
        assert ("type-VF", PF) not in [one[:2] for one in await counts(rows)]  # Q19
        for one in (claim_id, second):
            await tracker.release(one, by=HOLDER)
        assert await counts(rows) == FULL


async def test_relatives_follow_what_is_held(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        claim_id, instance = await hold(tracker, dev_type="type-PF")
        below = dict.fromkeys(VFS, "unclaimable")
        assert await statuses(rows) == {PF: "claimed", **below}
        row = (await live(rows))[PF]
        assert (row["instance_uuid"], row["request_id"]) == (
            str(instance),
            request_id(claim_id, 0),
        )
        await tracker.confirm(claim_id, by=HOLDER)
        assert await statuses(rows) == {PF: "allocated", **dict.fromkeys(VFS, "unavailable")}
        await tracker.release(claim_id, by=HOLDER)
        assert await statuses(rows) == {}
        assert (await live(rows))[PF]["request_id"] is None


async def test_what_is_cordoned_is_not_for_nova_either(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        await tracker.cordon(CordonKind.DEVICE, VFS[0], reason="smells", by=HOLDER)
        await tracker.audit()
        assert await statuses(rows) == {VFS[0]: "unavailable", PF: "unavailable"}
        assert ("type-VF", PF, 1) in await counts(rows)
        await tracker.uncordon(CordonKind.DEVICE, VFS[0], by=HOLDER)
        await tracker.audit()
        assert await statuses(rows) == {}
        assert await counts(rows) == FULL


async def test_q2_a_restart_writes_no_row_of_a_device(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec, database: Path
) -> None:
    async with make_tracker(driver=host) as tracker:
        await hold(tracker, **VF)
    forget = "UPDATE pci_devices SET updated_at = NULL"
    await anyio.to_thread.run_sync(run_sql, database, forget)
    before = await live(rows)
    async with make_tracker(driver=host) as tracker:
        assert await live(rows) == before
        await tracker.audit()
        assert await live(rows) == before
        await hold(tracker, **VF)
        after = await live(rows)
    changed = {address for address in before if before[address] != after[address]}
    assert changed == {VFS[0]}


async def test_q1_what_the_host_ceases_to_say_leaves_the_row(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        host.edit(PF, mac=None, netdevs=(), serial=None)
        await tracker.audit()
        found = await live(rows)
        assert json.loads(found[PF]["extra_info"]) == {}
        assert json.loads(found[VFS[0]]["extra_info"]) == {}
        assert "parent_ifname" not in next(
            pool.tags for pool in await pools(rows) if pool.tags["address"] == PF
        )


async def test_a_held_card_that_was_renumbered_keeps_its_row(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        claim_id, instance = await hold(tracker, product_id="24b0")
        before = (await live(rows))[GPU]
        host.become(MOVED)
        await tracker.audit()
        found = await live(rows)
        assert GPU not in found
        after = found["0000:f1:00.0"]
        assert (after["id"], after["uuid"]) == (before["id"], before["uuid"])
        assert (after["status"], after["instance_uuid"]) == ("claimed", str(instance))
        await tracker.release(claim_id, by=HOLDER)
        await tracker.audit()
        assert (await live(rows))["0000:f1:00.0"]["id"] == before["id"]
        assert await statuses(rows) == {}


async def test_a_held_device_that_left_keeps_its_row_until_it_is_given_back(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host) as tracker:
        claim_id, _ = await hold(tracker, product_id="24b0")
        before = (await live(rows))[GPU]
        host.unplug(GPU)
        await tracker.audit()
        assert (await live(rows))[GPU] == before
    async with make_tracker(driver=host) as tracker:
        after = (await live(rows))[GPU]
        assert (after["status"], after["extra_info"]) == ("claimed", before["extra_info"])
        await tracker.release(claim_id, by=HOLDER)
        assert GPU not in await live(rows)


async def test_what_left_while_nobody_looked_has_no_row_after_the_start(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    async with make_tracker(driver=host):
        pass
    host.unplug(PF)
    async with make_tracker(driver=host):
        assert (await live(rows)).keys() & {PF, *VFS} == set()
    host.unplug(OTHER_PF)
    host.unplug(GPU)
    host.unplug("0000:07:00.1")
    async with make_tracker(driver=host):
        assert await live(rows) == {}
        assert await pools(rows) == ()


async def test_a_write_that_is_lost_leaves_relatives_as_they_are(
    make_tracker: MakeTracker, rows: Rows, host: HostOfSpec
) -> None:
    stores: list[FaultyStore] = []

    def wrap(store: Store) -> Store:
        stores.append(FaultyStore(store))
        return stores[0]  # type: ignore[return-value]  # the rest is passed on

    async with make_tracker(driver=host, wrap=wrap) as tracker:
        stores[0].fault = "full"
        with pytest.raises(StoreFull):
            await hold(tracker, **VF)
        assert await statuses(rows) == {}
        gpu, _ = await hold(tracker, product_id="24b0")
        assert await statuses(rows) == {GPU: "claimed"}
        claim_id, _ = await hold(tracker, **VF)
        stores[0].fault = "full"
        with pytest.raises(StoreFull):
            await tracker.release(claim_id, by=HOLDER)
        await tracker.release(gpu, by=HOLDER)
        assert await statuses(rows) == {VFS[1]: "claimed", PF: "unclaimable"}
        assert ("type-VF", PF, 1) in await counts(rows)
