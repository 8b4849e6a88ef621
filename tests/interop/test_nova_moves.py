"""Nova's own tracker counts, in every phase of a move, what innkeeper says that a host holds."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import anyio.to_thread
import pytest
from tests.interop.conftest import Ask

from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.errors import MoveConflict, NoFit, NotArrived
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    Departure,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Holder,
    MoveKind,
    MoveSpec,
    MoveState,
    Origin,
    Request,
)
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

EVE = Holder(project="lab", user="eve")
HOST = "cpus=16,threads=2,cells=2,memory=16GiB,pfs=1,vfs=8"
VF = {"vendor_id": "8086", "product_id": "1889"}
CONFIG = Config.model_validate(
    {
        "nova": {"tables": "embedded"},
        "devices": [VF],
        "aliases": [{"name": "nic", **VF}],
        "cpus": {"shared": "0-1,8-9", "dedicated": "2-7,10-15"},
    }
)


def request(cells: int, each: int, devices: int) -> Request:
    """Dedicated vCPUs, so many in each cell."""
    parts = tuple(
        GuestCell(dedicated=f"{number * each}-{number * each + each - 1}", memory_mib=512)
        for number in range(cells)
    )
    return Request(
        vcpus=cells * each,
        memory_mib=cells * 512,
        disk_mib=2048,
        devices=(DeviceRequest(alias="nic", count=devices),),
        topology=GuestTopology(cells=parts),
    )


SMALL, LARGE = request(1, 2, 1), request(2, 2, 2)


class Host:
    """A tracker, its database, and Nova beside it."""

    def __init__(self, tracker: Tracker, nova: Ask, database: Path) -> None:
        self.tracker = tracker
        self._nova = nova
        self._database = database

    async def count(self, *instances: UUID | None) -> dict[str, Any]:
        """What Nova counts, which is all that the host's own row says."""
        copy = self._database.with_suffix(f".{uuid4()}")
        await anyio.to_thread.run_sync(_copied, self._database, copy)
        ask = partial(
            self._nova,
            do="count",
            database=str(copy),
            host="host",
            specs=[VF],
            instances=[str(one) for one in instances],
        )
        answer = await anyio.to_thread.run_sync(ask)
        assert "error" not in answer, answer
        row, held = await anyio.to_thread.run_sync(_told, copy)
        assert answer["used"] == row
        assert answer["held"] == held
        told, made = answer["cells"]
        assert told == made
        claims = await self.tracker.list_claims()
        assert row[:2] == [
            sum(one.request.vcpus or 0 for one in claims),
            512 + sum(one.request.memory_mib or 0 for one in claims),
        ]
        assert len(held) == sum(len(one.placement.devices) for one in claims)
        return answer

    async def resident(self) -> Claim:
        spec = ClaimSpec(instance_uuid=uuid4(), request=SMALL, holder=EVE)
        placed = await self.tracker.place(spec)
        return await self.tracker.confirm(placed.claim.id, by=EVE)

    async def move(self, spec: MoveSpec, instance: UUID | None = None) -> Claim:
        """Only a resize changes the flavor."""
        request = LARGE if spec.kind is MoveKind.RESIZE else SMALL
        words = ClaimSpec(instance_uuid=instance or uuid4(), request=request, holder=EVE, move=spec)
        return (await self.tracker.place(words)).claim


def _copied(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _told(database: Path) -> tuple[list[int], list[list[str]]]:
    with closing(sqlite3.connect(database)) as connection:
        (row,) = connection.execute(
            "SELECT vcpus_used, memory_mb_used, local_gb_used, running_vms FROM compute_nodes"
        )
        held = connection.execute(
            "SELECT address, instance_uuid FROM pci_devices WHERE deleted = 0 "
            "AND instance_uuid IS NOT NULL ORDER BY address"
        )
        return list(row), [list(one) for one in held]


OpenHost = Callable[[], AbstractAsyncContextManager[Host]]


@pytest.fixture
def open_host(nova: Ask, tmp_path: Path) -> OpenHost:
    return partial(_host, nova, tmp_path / "innkeeper.sqlite3")


@asynccontextmanager
async def _host(nova: Ask, database: Path) -> AsyncIterator[Host]:
    clock, driver = SystemClock(), SimulatedDriver(HOST)
    store = SqliteStore(database, node="host", clock=clock)
    async with Tracker(
        node="host", store=store, driver=driver, config=CONFIG, clock=clock
    ) as tracker:
        yield Host(tracker, nova, database)


def on_cells(claim: Claim) -> list[int]:
    return [cell.cell for cell in claim.placement.cells]


def addresses(claim: Claim) -> list[str]:
    return sorted(one.address for one in claim.placement.devices)


@pytest.mark.parametrize("outcome", ["confirm", "revert", "fail"])
@pytest.mark.parametrize("has_arrived", [False, True])
async def test_a_resize_within_the_host(
    open_host: OpenHost, outcome: str, *, has_arrived: bool
) -> None:
    async with open_host() as host:
        before = await host.resident()
        instance = before.instance_uuid
        after = await host.move(move := MoveSpec(id=uuid4(), kind=MoveKind.RESIZE), instance)
        answer = await host.count(instance)
        (seen,) = answer["instances"]
        assert answer["migrations"] == [["pre-migrating", True]]
        assert (seen["host"], seen["states"]) == ("host", ["active", "resize_prep"])
        assert (seen["vcpus"], seen["cells"]) == ([2, 2, 4], on_cells(before))
        assert seen["moving"]["old"][0] == on_cells(before)
        assert seen["moving"]["new"][0] == on_cells(after)
        ids = {address: row for side in seen["moving"].values() for address, row in side[1]}
        assert sorted(ids) == sorted(addresses(before) + addresses(after))
        assert None not in ids.values()
        assert [address for address, _ in seen["devices"]] == sorted(ids)
        if has_arrived:
            await host.tracker.confirm(after.id, by=EVE)
            answer = await host.count(instance)
            (seen,) = answer["instances"]
            assert answer["migrations"] == [["finished", True]]
            assert seen["states"] == ["resized", None]
            assert (seen["vcpus"], seen["cells"]) == ([4, 2, 4], on_cells(after))
        if outcome == "confirm" and not has_arrived:
            return
        await getattr(host.tracker, f"{outcome}_move")(move.id, by=EVE)
        await settled(host, after if outcome == "confirm" else before)


async def settled(host: Host, claim: Claim) -> None:
    """Nothing of a move is left but history, and the requests name what its devices are for."""
    answer = await host.count(claim.instance_uuid)
    (seen,) = answer["instances"]
    assert (seen["host"], seen["states"], seen["moving"]) == ("host", ["active", None], None)
    assert (seen["vcpus"], seen["cells"]) == ([claim.request.vcpus, None, None], on_cells(claim))
    assert [address for address, _ in seen["devices"]] == addresses(claim)
    assert [name for name, _ in seen["requests"]] == ["nic"]
    assert {asked for _, asked in seen["devices"]} == {asked for _, asked in seen["requests"]}
    specs = seen["extra_specs"]
    assert specs["hw:cpu_policy"] == "dedicated"
    assert specs["hw:numa_nodes"] == str(len(claim.placement.cells))


@pytest.mark.parametrize("kind", MoveKind)
@pytest.mark.parametrize("outcome", [MoveState.CONFIRMED, MoveState.FAILED])
async def test_a_move_hither(open_host: OpenHost, kind: MoveKind, outcome: MoveState) -> None:
    """Two guests that know each other: the source's own devices have the same addresses."""
    async with open_host() as host:
        other = await host.resident()
        origin = Origin(claim_id=uuid4(), request=SMALL, placement=other.placement)
        move = MoveSpec(id=uuid4(), kind=kind, source="away", origin=origin)
        claim = await host.move(move)
        instance = claim.instance_uuid
        answer = await host.count(instance, other.instance_uuid)
        seen, neighbour = answer["instances"]
        assert (seen["host"], neighbour["host"]) == ("away", "host")
        assert seen["moving"]["old"] == [on_cells(other), [[addresses(other)[0], None]]]
        assert [one for one, _ in seen["moving"]["new"][1]] == addresses(claim)
        assert len(answer["migrations"]) == 1
        if outcome is MoveState.FAILED:
            await host.tracker.fail_move(move.id, by=EVE)
            (seen,) = (await host.count(instance))["instances"]
            assert (seen["host"], seen["vcpus"]) == ("away", [2, None, None])
            return
        await host.tracker.confirm(claim.id, by=EVE)
        (seen,) = (await host.count(instance))["instances"]
        assert (seen["host"], seen["vcpus"][0]) == ("host", claim.request.vcpus)
        if kind.is_settled_later:
            await host.tracker.confirm_move(move.id, by=EVE)
        assert not (await host.count(instance))["migrations"]
        await settled(host, claim)


@pytest.mark.parametrize("kind", MoveKind)
@pytest.mark.parametrize("outcome", ["confirm", "revert", "fail"])
async def test_a_move_away(open_host: OpenHost, kind: MoveKind, outcome: str) -> None:
    async with open_host() as host:
        claim = await host.resident()
        departure = Departure(id=uuid4(), kind=kind, destination="away")
        await host.tracker.depart(claim.id, departure, by=EVE)
        answer = await host.count(claim.instance_uuid)
        (seen,) = answer["instances"]
        assert (seen["host"], seen["vcpus"][0]) == ("host", 2)
        assert len(answer["migrations"]) == 1
        await getattr(host.tracker, f"{outcome}_move")(departure.id, by=EVE)
        if outcome != "confirm":
            await settled(host, claim)
            return
        (seen,) = (await host.count(claim.instance_uuid))["instances"]
        assert (seen["host"], seen["states"]) == ("away", ["active", None])
        assert seen["devices"] == []


@pytest.mark.parametrize("seed", range(2))
async def test_many_moves_at_once(open_host: OpenHost, seed: int) -> None:
    """Whatever is under way, Nova counts what innkeeper says, after every step."""
    async with open_host() as host:
        random = Random(seed)
        for _ in range(20):
            await step(host, random)
            await host.count()


async def step(host: Host, random: Random) -> None:
    """Something comes, moves on, or goes."""
    tracker = host.tracker
    claims = list(await tracker.list_claims())
    moving = [one for one in tracker.moving() if one.move is not None]
    try:
        if moving and random.random() < 0.6:
            await move_on(tracker, random.choice(moving), random)
        elif not claims or random.random() < 0.4:
            await host.resident()
        elif random.random() < 0.3:
            await host.move(MoveSpec(id=uuid4(), kind=random.choice(list(MoveKind)), source="away"))
        else:
            await set_out(host, random.choice(claims), random)
    except (NoFit, MoveConflict, NotArrived):
        return


async def move_on(tracker: Tracker, claim: Claim, random: Random) -> None:
    assert claim.move is not None
    assert claim.instance_uuid is not None
    ways: list[Callable[..., Awaitable[object]]] = [
        partial(tracker.confirm, claim.id),
        partial(tracker.confirm_move, claim.move.id),
        partial(tracker.revert_move, claim.move.id),
        partial(tracker.fail_move, claim.move.id),
        partial(tracker.release, claim.instance_uuid),
    ]
    await random.choice(ways)(by=EVE)


async def set_out(host: Host, claim: Claim, random: Random) -> None:
    if random.random() < 0.3:
        await host.tracker.release(claim.id, by=EVE)
    elif random.random() < 0.5:
        await host.move(MoveSpec(id=uuid4(), kind=MoveKind.RESIZE), claim.instance_uuid)
    else:
        departure = Departure(id=uuid4(), kind=random.choice(list(MoveKind)), destination="away")
        await host.tracker.depart(claim.id, departure, by=EVE)
