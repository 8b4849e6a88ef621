"""Instances move: within a host and between two, and nothing is held twice or lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import until
from tests.scenario.test_outcomes import faulty

from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.errors import (
    AlreadyReleased,
    BadRequest,
    InstanceClaimed,
    MoveConflict,
    NoFit,
    NotArrived,
    StoreFull,
    UnknownClaim,
    UnknownMove,
)
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    Departure,
    EventKind,
    Holder,
    MoveKind,
    MoveSpec,
    MoveState,
    Origin,
    Request,
    Side,
)
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
HOST = "cpus=16,cells=2,memory=16GiB,pfs=1,vfs=4"
SMALL = Request(vcpus=2, memory_mib=1024)
LARGE = Request(vcpus=6, memory_mib=4096)
SETTLED_BY_ARRIVAL = [MoveKind.LIVE_MIGRATION, MoveKind.EVACUATION]
SETTLED_LATER = [MoveKind.RESIZE, MoveKind.MIGRATION]


async def resident(tracker: Tracker, request: Request = SMALL) -> Claim:
    placed = await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=request))
    return await tracker.confirm(placed.claim.id, by=EVE)


async def resize(tracker: Tracker, claim: Claim, request: Request = LARGE) -> Claim:
    move = MoveSpec(id=uuid4(), kind=MoveKind.RESIZE)
    spec = ClaimSpec(instance_uuid=claim.instance_uuid, request=request, move=move)
    return (await tracker.place(spec)).claim


async def arrive(
    tracker: Tracker, kind: MoveKind, source: str = "host-a", origin: Origin | None = None
) -> Claim:
    move = MoveSpec(id=uuid4(), kind=kind, source=source, origin=origin)
    spec = ClaimSpec(instance_uuid=uuid4(), request=LARGE, move=move)
    return (await tracker.place(spec)).claim


def move_id(claim: Claim) -> UUID:
    assert claim.move is not None
    return claim.move.id


def held(tracker: Tracker) -> tuple[int, int]:
    usage = tracker.usage()
    return usage.vcpus.used, usage.claims


def states(*claims: Claim) -> list[tuple[ClaimState, MoveState | None]]:
    return [(claim.state, claim.move.state if claim.move else None) for claim in claims]


async def kinds_of(tracker: Tracker, claim: Claim) -> list[EventKind]:
    return [event.kind for event in await tracker.list_events(claim_id=claim.id)]


# -- within a host ---------------------------------------------------------------------------


async def test_both_ends_of_a_resize_are_held_until_it_is_confirmed(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
        assert held(tracker) == (8, 2)
        [source, destination] = await tracker.find_move(move_id(after))
        assert states(source, destination) == [
            (ClaimState.CONFIRMED, MoveState.CLAIMED),
            (ClaimState.PENDING, MoveState.CLAIMED),
        ]
        assert destination.move is not None
        assert destination.move.origin == Origin(
            claim_id=before.id, request=before.request, placement=before.placement
        )
        await tracker.confirm(after.id, by=EVE)
        [source, destination] = await tracker.find_move(move_id(after))
        assert states(source, destination) == [
            (ClaimState.CONFIRMED, MoveState.ARRIVED),
            (ClaimState.CONFIRMED, MoveState.ARRIVED),
        ]
        assert held(tracker) == (8, 2)
        [source, destination] = await tracker.confirm_move(move_id(after), by=EVE)
        assert states(source, destination) == [
            (ClaimState.RELEASED, MoveState.CONFIRMED),
            (ClaimState.CONFIRMED, MoveState.CONFIRMED),
        ]
        assert held(tracker) == (6, 1)
        assert before.instance_uuid is not None
        assert (await tracker.find(before.instance_uuid)).id == after.id
        assert not (await tracker.audit()).findings
    async with make_tracker(HOST) as tracker:
        assert held(tracker) == (6, 1)
        assert not tracker.moving()


@pytest.mark.parametrize("has_arrived", [False, True])
async def test_a_resize_that_is_reverted_leaves_what_was(
    make_tracker: MakeTracker, *, has_arrived: bool
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
        if has_arrived:
            await tracker.confirm(after.id, by=EVE)
        [source, destination] = await tracker.revert_move(move_id(after), by=EVE)
        ended = ClaimState.RELEASED if has_arrived else ClaimState.ABORTED
        assert states(source, destination) == [
            (ClaimState.CONFIRMED, MoveState.REVERTED),
            (ended, MoveState.REVERTED),
        ]
        assert held(tracker) == (2, 1)
        assert EventKind.MOVE_REVERTED in await kinds_of(tracker, source)
        again = await tracker.revert_move(move_id(after), by=EVE)
        assert [claim.id for claim in again] == [source.id, destination.id]
        with pytest.raises(MoveConflict, match="was reverted and cannot be confirmed"):
            await tracker.confirm_move(move_id(after), by=EVE)


async def test_a_resize_survives_a_restart_at_every_step(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
    async with make_tracker(HOST) as tracker:
        assert held(tracker) == (8, 2)
        assert {claim.id for claim in tracker.moving()} == {before.id, after.id}
        with pytest.raises(NotArrived, match="has not arrived"):
            await tracker.confirm_move(move_id(after), by=EVE)
        await tracker.confirm(after.id, by=EVE)
    async with make_tracker(HOST) as tracker:
        await tracker.confirm_move(move_id(after), by=EVE)
    async with make_tracker(HOST) as tracker:
        assert held(tracker) == (6, 1)
        again = await tracker.confirm_move(move_id(after), by=EVE)
        assert {claim.id for claim in again} == {before.id, after.id}


async def test_a_resize_that_does_not_fit_beside_what_is_held_changes_nothing(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker, Request(vcpus=12))
        with pytest.raises(NoFit):
            await resize(tracker, before, Request(vcpus=14))
        assert held(tracker) == (12, 1)
        assert not tracker.moving()
        assert (await resize(tracker, before, Request(vcpus=4))).is_arriving


async def test_a_resize_that_nobody_finishes_lapses_and_leaves_what_was(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
        await clock.advance(601)
        await until(lambda: not tracker.moving())
        [source, destination] = await tracker.find_move(move_id(after))
        assert states(source, destination) == [
            (ClaimState.CONFIRMED, MoveState.FAILED),
            (ClaimState.ABORTED, MoveState.FAILED),
        ]
        assert held(tracker) == (2, 1)


async def test_releasing_one_end_or_the_instance(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
        with pytest.raises(MoveConflict, match="still on claim"):
            await tracker.release(before.id, by=EVE)
        await tracker.release(after.id, by=EVE)
        assert states(await tracker.find(before.id)) == [(ClaimState.CONFIRMED, MoveState.FAILED)]

        after = await resize(tracker, before)
        await tracker.confirm(after.id, by=EVE)
        await tracker.release(before.id, by=EVE)
        assert states(await tracker.find(after.id)) == [(ClaimState.CONFIRMED, MoveState.CONFIRMED)]

        again = await resize(tracker, await tracker.find(after.id), SMALL)
        assert before.instance_uuid is not None
        await tracker.release(before.instance_uuid, by=EVE)
        assert held(tracker) == (0, 0)
        assert states(*await tracker.find_move(move_id(again))) == [
            (ClaimState.RELEASED, MoveState.FAILED),
            (ClaimState.ABORTED, MoveState.FAILED),
        ]


async def test_an_instance_is_in_one_move_at_a_time(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        after = await resize(tracker, before)
        with pytest.raises(MoveConflict, match="confirm or revert that one first"):
            await resize(tracker, before)
        with pytest.raises(MoveConflict, match="confirm or revert that one first"):
            await tracker.update(before.id, ClaimUpdate(vcpus=3), by=EVE)
        with pytest.raises(InstanceClaimed):
            await tracker.place(ClaimSpec(instance_uuid=before.instance_uuid, request=SMALL))
        departure = Departure(id=uuid4(), kind=MoveKind.MIGRATION, destination="host-b")
        with pytest.raises(MoveConflict):
            await tracker.depart(before.id, departure, by=EVE)
        assert held(tracker) == (8, 2)
        assert await tracker.revert_move(move_id(after), by=EVE)
        assert (await tracker.depart(before.id, departure, by=EVE)).move is not None


async def test_the_same_words_find_the_same_move_claim(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        spec = ClaimSpec(
            claim_id=uuid4(),
            instance_uuid=before.instance_uuid,
            request=LARGE,
            move=MoveSpec(id=uuid4(), kind=MoveKind.RESIZE),
        )
        first, second = await tracker.place(spec), await tracker.place(spec)
        assert second.replayed
        assert first.claim.id == second.claim.id
        assert held(tracker) == (8, 2)


async def test_what_is_not_written_never_was(make_tracker: MakeTracker) -> None:
    async with faulty(make_tracker) as (tracker, store):
        before = await resident(tracker, Request(vcpus=2))
        store.fault = "full"
        with pytest.raises(StoreFull):
            await resize(tracker, before)
        assert held(tracker) == (2, 1)
        after = await resize(tracker, before)
        await tracker.confirm(after.id, by=EVE)
        store.fault = "full"
        with pytest.raises(StoreFull):
            await tracker.confirm_move(move_id(after), by=EVE)
        assert held(tracker) == (8, 2)
        await tracker.confirm_move(move_id(after), by=EVE)
        assert held(tracker) == (6, 1)


async def test_words_that_make_no_sense_are_refused(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        before = await resident(tracker)
        move = MoveSpec(id=uuid4(), kind=MoveKind.RESIZE)
        with pytest.raises(BadRequest, match="instance_uuid"):
            await tracker.place(ClaimSpec(request=SMALL, move=move))
        with pytest.raises(UnknownClaim, match="holds no claim on"):
            await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=SMALL, move=move))
        resizing = ClaimSpec(instance_uuid=before.instance_uuid, request=SMALL, move=move)
        with pytest.raises(BadRequest, match="wait_seconds"):
            await tracker.place(resizing, wait_seconds=5)
        for kind in (*SETTLED_BY_ARRIVAL, MoveKind.MIGRATION):
            here = MoveSpec(id=uuid4(), kind=kind)
            spec = ClaimSpec(instance_uuid=before.instance_uuid, request=SMALL, move=here)
            with pytest.raises(BadRequest, match="goes to another host"):
                await tracker.place(spec)
        elsewhere = MoveSpec(id=uuid4(), kind=MoveKind.RESIZE, source="host-a")
        spec = ClaimSpec(instance_uuid=before.instance_uuid, request=SMALL, move=elsewhere)
        with pytest.raises(InstanceClaimed, match="on this one"):
            await tracker.place(spec)
        with pytest.raises(UnknownMove):
            await tracker.confirm_move(uuid4(), by=EVE)
        with pytest.raises(UnknownMove):
            await tracker.find_move(uuid4())
        assert held(tracker) == (2, 1)


# -- between hosts ---------------------------------------------------------------------------


@asynccontextmanager
async def host(folder: Path, node: str) -> AsyncIterator[Tracker]:
    clock = SystemClock()
    store = SqliteStore(folder / "innkeeper.sqlite3", node=node, clock=clock)
    config = Config.model_validate({"devices": [{}]})
    driver = SimulatedDriver(HOST)
    async with Tracker(node=node, store=store, driver=driver, config=config) as tracker:
        yield tracker


@pytest.mark.parametrize("kind", list(MoveKind))
async def test_an_instance_moves_between_hosts(tmp_path: Path, kind: MoveKind) -> None:
    async with host(tmp_path / "a", "host-a") as a, host(tmp_path / "b", "host-b") as b:
        there = await resident(a)
        origin = Origin(claim_id=there.id, request=there.request, placement=there.placement)
        move = MoveSpec(id=uuid4(), kind=kind, source="host-a", origin=origin)
        spec = ClaimSpec(instance_uuid=there.instance_uuid, request=LARGE, move=move)
        here = (await b.place(spec)).claim
        departure = Departure(id=move.id, kind=kind, destination="host-b")
        leaving = await a.depart(there.id, departure, by=EVE)
        assert leaving == await a.depart(there.id, departure, by=EVE)
        assert (held(a), held(b)) == ((2, 1), (6, 1))
        await b.confirm(here.id, by=EVE)
        if kind.is_settled_later:
            await b.confirm_move(move.id, by=EVE)
        await a.confirm_move(move.id, by=EVE)
        assert (held(a), held(b)) == ((0, 0), (6, 1))
        [arrived] = await b.find_move(move.id)
        assert arrived.move is not None
        assert (arrived.move.side, arrived.move.state) == (Side.DESTINATION, MoveState.CONFIRMED)
        [left] = await a.find_move(move.id)
        assert states(left) == [(ClaimState.RELEASED, MoveState.CONFIRMED)]
        assert not (await a.audit()).findings
        assert not (await b.audit()).findings


@pytest.mark.parametrize("kind", SETTLED_LATER)
async def test_an_instance_comes_back(tmp_path: Path, kind: MoveKind) -> None:
    async with host(tmp_path / "a", "host-a") as a, host(tmp_path / "b", "host-b") as b:
        there = await resident(a)
        move = MoveSpec(id=uuid4(), kind=kind, source="host-a")
        spec = ClaimSpec(instance_uuid=there.instance_uuid, request=LARGE, move=move)
        here = (await b.place(spec)).claim
        await a.depart(there.id, Departure(id=move.id, kind=kind, destination="host-b"), by=EVE)
        await b.confirm(here.id, by=EVE)
        await b.revert_move(move.id, by=EVE)
        [back] = await a.revert_move(move.id, by=EVE)
        assert (held(a), held(b)) == ((2, 1), (0, 0))
        assert states(back) == [(ClaimState.CONFIRMED, MoveState.REVERTED)]
        assert (await a.update(there.id, ClaimUpdate(vcpus=3), by=EVE)).placement.vcpus == 3


@pytest.mark.parametrize("kind", SETTLED_BY_ARRIVAL)
async def test_what_arrived_for_good_is_an_ordinary_claim(
    make_tracker: MakeTracker, kind: MoveKind
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await arrive(tracker, kind)
        arrived = await tracker.confirm(claim.id, by=EVE)
        assert arrived == await tracker.confirm(claim.id, by=EVE)
        with pytest.raises(MoveConflict, match="was confirmed"):
            await tracker.revert_move(move_id(claim), by=EVE)
        await tracker.update(claim.id, ClaimUpdate(vcpus=3), by=EVE)
        await resize(tracker, await tracker.find(claim.id), SMALL)
        assert await kinds_of(tracker, claim) == [
            EventKind.CLAIMED,
            EventKind.ARRIVED,
            EventKind.UPDATED,
            EventKind.DEPARTING,
        ]


async def test_a_build_that_fails_on_the_destination_ends_its_claim(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        move = MoveSpec(id=uuid4(), kind=MoveKind.EVACUATION, source="host-a")
        with pytest.raises(ZeroDivisionError):
            async with tracker.claim(uuid4(), SMALL, move=move):
                raise ZeroDivisionError
        assert held(tracker) == (0, 0)
        [claim] = await tracker.find_move(move.id)
        assert states(claim) == [(ClaimState.ABORTED, MoveState.FAILED)]
        with pytest.raises(AlreadyReleased):
            await tracker.confirm(claim.id, by=EVE)


async def test_a_departure_needs_an_instance_that_is_there(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        departure = Departure(id=uuid4(), kind=MoveKind.MIGRATION, destination="host-b")
        pending = (await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=SMALL))).claim
        with pytest.raises(MoveConflict, match="pending"):
            await tracker.depart(pending.id, departure, by=EVE)
        with pytest.raises(UnknownClaim):
            await tracker.depart(uuid4(), departure, by=EVE)
        here = departure.model_copy(update={"destination": "test"})
        await tracker.confirm(pending.id, by=EVE)
        with pytest.raises(BadRequest, match="this node"):
            await tracker.depart(pending.id, here, by=EVE)
