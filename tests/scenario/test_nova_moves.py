"""What a move means in Nova's tables: instance, devices, totals and migration in one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.nova_reader import Reader, Seen
from tests.scenario.test_outcomes import faulty

from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.errors import StoreFull
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimUpdate,
    Departure,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Holder,
    MoveKind,
    MoveSpec,
    Origin,
    PlacedDevice,
    Placement,
    Request,
)
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker
from innkeeper.tracker.nova.device_rows import request_id

EVE = Holder(project="lab", user="eve")
HOST = "cpus=16,cells=2,memory=16GiB,pfs=1,vfs=4"
NIC = DeviceRequest(alias="nic")
SMALL = Request(vcpus=2, memory_mib=1024, disk_mib=1024, devices=(NIC,))
LARGE = Request(
    vcpus=6,
    memory_mib=4096,
    disk_mib=2048,
    devices=(NIC, DeviceRequest(alias="nic", count=2)),
    topology=GuestTopology(
        cells=(
            GuestCell(shared="0-2", memory_mib=2048),
            GuestCell(shared="3-5", memory_mib=2048),
        )
    ),
)
PAIRS = 'SELECT "key", value FROM instance_system_metadata WHERE deleted = 0 AND "key" LIKE ?'
RESIZING = (2, 2, 6)
MOVE = UUID(int=77)
LIVE, COLD = MoveKind.LIVE_MIGRATION, MoveKind.MIGRATION
RESIZE, EVACUATION = MoveKind.RESIZE, MoveKind.EVACUATION


@pytest.fixture
def config() -> Config:
    alias = {"name": "nic", "vendor_id": "8086", "product_id": "1889"}
    return Config.model_validate(
        {"devices": [{}], "aliases": [alias], "nova": {"tables": "embedded"}}
    )


@pytest.fixture
def reader(database: Path) -> Reader:
    return Reader(database)


async def resident(tracker: Tracker, request: Request = SMALL) -> Claim:
    placed = await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=request, holder=EVE))
    return await tracker.confirm(placed.claim.id, by=EVE)


async def move_hither(
    tracker: Tracker,
    kind: MoveKind,
    instance: UUID | None = None,
    source: str | None = "away",
    origin: Origin | None = None,
    request: Request = LARGE,
) -> Claim:
    move = MoveSpec(id=MOVE, kind=kind, source=source, origin=origin)
    spec = ClaimSpec(instance_uuid=instance or uuid4(), request=request, holder=EVE, move=move)
    return (await tracker.place(spec)).claim


async def depart(tracker: Tracker, claim: Claim, kind: MoveKind) -> None:
    departure = Departure(id=MOVE, kind=kind, destination="away")
    await tracker.depart(claim.id, departure, by=EVE)


def cells_of(claim: Claim) -> list[int]:
    return [cell.cell for cell in claim.placement.cells]


def request_ids(claim: Claim) -> list[str]:
    return [request_id(claim.id, number) for number in range(len(claim.request.devices))]


def on_source(task: str, flavors: tuple[int, int | None, int | None], status: str) -> Seen:
    return Seen("away", "active", task, flavors[0], flavors, (status,), (1, 2))


# -- within a host ---------------------------------------------------------------------------


async def test_a_resize_has_both_sides_until_it_is_confirmed(
    make_tracker: MakeTracker, reader: Reader
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        instance = before.instance_uuid
        assert await reader.seen(instance) == Seen("test", "active", None, 2, (2, None, None), ())
        free = await reader.free_in_pools()
        after = await move_hither(tracker, RESIZE, instance, source=None)
        both, held = (8, 5120, 3, 1), {("allocated", str(instance)): 4, ("unavailable", None): 1}
        assert await reader.seen(instance) == Seen(
            "test", "active", "resize_prep", 2, RESIZING, ("pre-migrating",), (1, 2)
        )
        assert (await reader.totals(), await reader.devices()) == (both, held)
        assert await reader.free_in_pools() == free - 3
        assert await reader.host_cells(instance) is None
        assert await reader.requests(instance) == [(request_ids(before)[0], "nic", 1)]
        await tracker.confirm(after.id, by=EVE)
        assert await reader.seen(instance) == Seen(
            "test", "resized", None, 6, (6, 2, 6), ("finished",), (1, 2)
        )
        assert (await reader.totals(), await reader.devices()) == (both, held)
        assert await reader.host_cells(instance) == cells_of(after)
        own, two = request_ids(after)
        assert await reader.requests(instance) == [(own, "nic", 1), (two, "nic", 2)]
        await tracker.confirm_move(MOVE, by=EVE)
        assert await reader.seen(instance) == Seen(
            "test", "active", None, 6, (6, None, None), ("confirmed",)
        )
        assert await reader.totals() == (6, 4096, 2, 1)
        assert await reader.devices() == {
            ("allocated", str(instance)): 3,
            ("unavailable", None): 1,
        }


@pytest.mark.parametrize("has_arrived", [False, True])
@pytest.mark.parametrize("word", ["reverted", "error", "released"])
async def test_a_resize_that_came_to_nothing_leaves_the_rows_of_before(
    make_tracker: MakeTracker, reader: Reader, word: str, *, has_arrived: bool
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        instance = before.instance_uuid
        as_it_was = (await reader.totals(), await reader.devices(), await reader.free_in_pools())
        after = await move_hither(tracker, RESIZE, instance, source=None)
        if has_arrived:
            await tracker.confirm(after.id, by=EVE)
        if word == "reverted":
            await tracker.revert_move(MOVE, by=EVE)
        elif word == "error":
            await tracker.fail_move(MOVE, by=EVE)
        else:
            await tracker.release(after.id, by=EVE)
        status = "reverted" if word == "reverted" else "error"
        assert await reader.seen(instance) == Seen(
            "test", "active", None, 2, (2, None, None), (status,)
        )
        assert as_it_was == (
            await reader.totals(),
            await reader.devices(),
            await reader.free_in_pools(),
        )
        assert await reader.host_cells(instance) is None


@pytest.mark.parametrize("has_arrived", [False, True])
async def test_an_instance_that_goes_while_it_is_resized_leaves_nothing(
    make_tracker: MakeTracker, reader: Reader, *, has_arrived: bool
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        assert before.instance_uuid is not None
        after = await move_hither(tracker, RESIZE, before.instance_uuid, source=None)
        if has_arrived:
            await tracker.confirm(after.id, by=EVE)
        await tracker.release(before.instance_uuid, by=EVE)
        assert await reader.seen(before.instance_uuid) is None
        assert await reader.totals() == (0, 0, 0, 0)
        assert await reader.devices() == {}
        (move,) = await reader.of("SELECT status FROM migrations")
        assert move == {"status": "error"}


async def test_an_instance_is_resized_twice(make_tracker: MakeTracker, reader: Reader) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await move_hither(tracker, RESIZE, before.instance_uuid, source=None)
        await tracker.revert_move(MOVE, by=EVE)
        move = MoveSpec(id=uuid4(), kind=RESIZE)
        again = ClaimSpec(instance_uuid=before.instance_uuid, request=LARGE, move=move)
        after = (await tracker.place(again)).claim
        seen = await reader.seen(before.instance_uuid)
        assert seen is not None
        assert (seen.statuses, seen.of_context) == (("reverted", "pre-migrating"), (1, 2))
        await tracker.confirm(after.id, by=EVE)
        await tracker.confirm_move(move.id, by=EVE)
        await tracker.update(after.id, ClaimUpdate(memory_mib=2048), by=EVE)
        seen = await reader.seen(before.instance_uuid)
        assert seen is not None
        assert (seen.statuses, seen.of_context) == (("reverted", "confirmed"), None)


# -- hither from another host ----------------------------------------------------------------

CLAIMED = {
    RESIZE: on_source("resize_prep", RESIZING, "pre-migrating"),
    COLD: on_source("resize_prep", (2, 2, 6), "pre-migrating"),
    LIVE: on_source("migrating", (2, None, None), "preparing"),
    EVACUATION: on_source("rebuilding", (2, None, None), "pre-migrating"),
}
ARRIVED = {
    RESIZE: Seen("test", "resized", None, 6, (6, 2, 6), ("finished",), (1, 2)),
    COLD: Seen("test", "resized", None, 6, (6, 2, 6), ("finished",), (1, 2)),
    LIVE: Seen("test", "active", None, 6, (6, None, None), ("completed",)),
    EVACUATION: Seen("test", "active", None, 6, (6, None, None), ("done",)),
}
REVERTED = {RESIZE: "reverted", COLD: "reverted", LIVE: "cancelled", EVACUATION: "failed"}
FAILED = {RESIZE: "error", COLD: "error", LIVE: "failed", EVACUATION: "failed"}


@pytest.fixture
def origin() -> Origin:
    return Origin(
        claim_id=UUID(int=9),
        request=SMALL,
        placement=Placement(
            vcpus=2,
            memory_mib=1024,
            disk_mib=1024,
            devices=(
                PlacedDevice(
                    address="0000:af:02.0", vendor_id="8086", product_id="1889", request=0
                ),
            ),
        ),
    )


@pytest.mark.parametrize("kind", MoveKind)
async def test_what_comes_is_on_its_source_until_it_arrived(
    make_tracker: MakeTracker, reader: Reader, origin: Origin, kind: MoveKind
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await move_hither(tracker, kind, origin=origin)
        instance = claim.instance_uuid
        assert await reader.seen(instance) == CLAIMED[kind]
        assert await reader.totals() == (6, 4096, 2, 0)
        assert await reader.devices() == {
            ("allocated", str(instance)): 3,
            ("unavailable", None): 1,
        }
        context = await reader.context(instance)
        assert context.old_pci_devices is not None
        assert context.new_pci_devices is not None
        assert [one.address for one in context.old_pci_devices.objects] == ["0000:af:02.0"]
        rows = await reader.of(
            "SELECT id, address FROM pci_devices WHERE instance_uuid IS NOT NULL"
        )
        ids = {row["address"]: row["id"] for row in rows}
        assert {one.address: one.id for one in context.new_pci_devices.objects} == ids
        await tracker.confirm(claim.id, by=EVE)
        assert await reader.seen(instance) == ARRIVED[kind]
        assert await reader.totals() == (6, 4096, 2, 1)
        await tracker.renew(claim.id, by=EVE, lease_seconds=600)
        assert await reader.seen(instance) == ARRIVED[kind]
        if kind.is_settled_later:
            await tracker.confirm_move(MOVE, by=EVE)
        assert await reader.seen(instance) == Seen(
            "test",
            "active",
            None,
            6,
            (6, None, None),
            ("confirmed",) if kind.is_settled_later else ARRIVED[kind].statuses,
        )


@pytest.mark.parametrize("kind", MoveKind)
@pytest.mark.parametrize("word", ["revert", "fail", "abort", "lapse"])
async def test_what_did_not_come_lives_on_its_source(
    make_tracker: MakeTracker,
    reader: Reader,
    clock: VirtualClock,
    origin: Origin,
    kind: MoveKind,
    word: str,
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await move_hither(tracker, kind, origin=origin)
        if word == "revert":
            await tracker.revert_move(MOVE, by=EVE)
        elif word == "fail":
            await tracker.fail_move(MOVE, by=EVE)
        elif word == "abort":
            await tracker.abort(claim.id, by=EVE)
        else:
            await clock.advance(3600)
            await ended(tracker)
        status = (REVERTED if word == "revert" else FAILED)[kind]
        assert await reader.seen(claim.instance_uuid) == Seen(
            "away", "active", None, 2, (2, None, None), (status,)
        )
        assert await reader.totals() == (0, 0, 0, 0)
        assert await reader.devices() == {}


async def ended(tracker: Tracker) -> None:
    while tracker.usage().claims:
        await anyio.sleep(0.01)


@pytest.mark.parametrize("kind", MoveKind)
async def test_what_is_not_known_of_a_source_is_not_made_up(
    make_tracker: MakeTracker, reader: Reader, kind: MoveKind
) -> None:
    """As after a crash of the source."""
    async with make_tracker(HOST) as tracker:
        claim = await move_hither(tracker, kind)
        (move,) = await reader.of(
            "SELECT old_instance_type_id AS old, new_instance_type_id AS new FROM migrations"
        )
        seen = await reader.seen(claim.instance_uuid)
        assert seen is not None
        assert (seen.host, seen.of_context) == ("away", (0, 2))
        assert (move["old"] == 0) == (kind is RESIZE)
        assert (move["old"] == move["new"]) == (kind is not RESIZE)
        await tracker.fail_move(MOVE, by=EVE)
        seen = await reader.seen(claim.instance_uuid)
        assert seen is not None
        assert (seen.host, seen.task_state, seen.of_context) == ("away", None, None)


# -- away to another host --------------------------------------------------------------------

LEAVING = {
    RESIZE: Seen("test", "active", "resize_migrating", 2, (2, 2, None), ("migrating",)),
    COLD: Seen("test", "active", "resize_migrating", 2, (2, 2, 2), ("migrating",)),
    LIVE: Seen("test", "active", "migrating", 2, (2, None, None), ("running",)),
    EVACUATION: Seen("test", "active", "rebuilding", 2, (2, None, None), ("pre-migrating",)),
}
GONE = {RESIZE: "confirmed", COLD: "confirmed", LIVE: "completed", EVACUATION: "completed"}


@pytest.mark.parametrize("kind", MoveKind)
async def test_what_left_lives_on_its_destination(
    make_tracker: MakeTracker, reader: Reader, kind: MoveKind
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await resident(tracker)
        held = (await reader.totals(), await reader.devices())
        await depart(tracker, claim, kind)
        assert await reader.seen(claim.instance_uuid) == LEAVING[kind]
        assert (await reader.totals(), await reader.devices()) == held
        await tracker.confirm_move(MOVE, by=EVE)
        assert await reader.seen(claim.instance_uuid) == Seen(
            "away", "active", None, 2, (2, None, None), (GONE[kind],)
        )
        assert await reader.totals() == (0, 0, 0, 0)
        assert await reader.devices() == {}
        back = ClaimSpec(instance_uuid=claim.instance_uuid, request=SMALL, holder=EVE)
        await tracker.place(back)
        seen = await reader.seen(claim.instance_uuid)
        assert seen is not None
        assert (seen.host, seen.vm_state) == ("test", "building")


@pytest.mark.parametrize("kind", MoveKind)
@pytest.mark.parametrize("word", ["revert", "fail"])
async def test_what_stayed_is_as_it_was(
    make_tracker: MakeTracker, reader: Reader, kind: MoveKind, word: str
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await resident(tracker)
        held = (await reader.totals(), await reader.devices())
        await depart(tracker, claim, kind)
        end = tracker.revert_move if word == "revert" else tracker.fail_move
        await end(MOVE, by=EVE)
        status = (REVERTED if word == "revert" else FAILED)[kind]
        assert await reader.seen(claim.instance_uuid) == Seen(
            "test", "active", None, 2, (2, None, None), (status,)
        )
        assert (await reader.totals(), await reader.devices()) == held
        await tracker.release(claim.id, by=EVE)
        assert await reader.seen(claim.instance_uuid) is None


# -- older releases, restarts, and what is lost --------------------------------------------------------------


@pytest.mark.parametrize("release", ["juno", "kilo", "liberty"])
async def test_older_releases_read_what_they_know(
    reader: Reader, database: Path, clock: VirtualClock, config: Config, release: str
) -> None:
    nova = config.nova.model_copy(update={"release": release})
    words = config.model_copy(update={"nova": nova})
    store = SqliteStore(database, node="test", clock=clock, release=release)
    async with Tracker(
        node="test", store=store, driver=SimulatedDriver(HOST), config=words, clock=clock
    ) as tracker:
        before = await resident(tracker)
        after = await move_hither(tracker, RESIZE, before.instance_uuid, source=None)
        (extra,) = await reader.of("SELECT * FROM instance_extra")
        assert (extra["migration_context"] is None) == (release in ("juno", "kilo"))
        pairs = await reader.of(PAIRS, "%instance_type_vcpus")
        kept = {one["key"]: one["value"] for one in pairs}
        amounts = {"instance_type_vcpus": "2", "old_instance_type_vcpus": "2"}
        amounts["new_instance_type_vcpus"] = "6"
        assert kept == (amounts if release == "juno" else {})
        await tracker.confirm(after.id, by=EVE)
        await tracker.confirm_move(MOVE, by=EVE)
        seen = await reader.seen(before.instance_uuid)
        assert seen == Seen("test", "active", None, 6, (6, None, None), ("confirmed",))
        pairs = await reader.of(PAIRS, "%instance_type_vcpus")
        assert [one["value"] for one in pairs] == (["6"] if release == "juno" else [])


async def test_a_start_writes_the_rows_of_every_instance_and_open_move(
    make_tracker: MakeTracker, reader: Reader, database: Path
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        await move_hither(tracker, RESIZE, before.instance_uuid, source=None)
        seen = await reader.seen(before.instance_uuid)
        held = (await reader.totals(), await reader.devices())
    await anyio.to_thread.run_sync(forget_rows, database)
    async with make_tracker(HOST):
        assert await reader.seen(before.instance_uuid) == seen
        assert (await reader.totals(), await reader.devices()) == held


def forget_rows(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in ("instances", "instance_extra", "migrations"):
            connection.execute(f"DELETE FROM {table}")


@pytest.mark.parametrize("lost", ["claim", "arrival", "end"])
async def test_a_step_that_was_not_written_leaves_the_rows_of_before(
    make_tracker: MakeTracker, reader: Reader, lost: str
) -> None:
    """All of it or nothing: the rows are one transaction, and the next step writes what it would have."""
    async with faulty(make_tracker) as (tracker, store):
        before = await resident(tracker)
        after = before
        if lost != "claim":
            after = await resize(tracker, before)
        if lost == "end":
            await tracker.confirm(after.id, by=EVE)
        rows = await all_of(reader, before)
        store.fault = "full"
        with pytest.raises(StoreFull):
            await step(tracker, lost, before, after)
        assert await all_of(reader, before) == rows
        await tracker.renew(before.id, by=EVE, lease_seconds=600)
        assert await all_of(reader, before) == rows
        await step(tracker, lost, before, after)
        assert await all_of(reader, before) != rows


async def all_of(reader: Reader, claim: Claim) -> tuple[object, ...]:
    seen = await reader.seen(claim.instance_uuid)
    return seen, await reader.totals(), await reader.devices(), await reader.free_in_pools()


async def step(tracker: Tracker, name: str, before: Claim, after: Claim) -> None:
    if name == "claim":
        await resize(tracker, before)
    elif name == "arrival":
        await tracker.confirm(after.id, by=EVE)
    else:
        await tracker.confirm_move(MOVE, by=EVE)


async def resize(tracker: Tracker, claim: Claim) -> Claim:
    larger = LARGE.model_copy(update={"topology": None})
    return await move_hither(tracker, RESIZE, claim.instance_uuid, None, request=larger)
