"""The life of a claim through a tracker with a real core and a real store."""

from __future__ import annotations

from uuid import UUID, uuid4

import anyio
import pytest
from tests.scenario.conftest import MakeTracker

from innkeeper.errors import (
    AlreadyReleased,
    BadRequest,
    ClaimConflict,
    Draining,
    InstanceClaimed,
    NoFit,
    NoLease,
    NotPending,
    UnknownClaim,
)
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    DeviceRequest,
    EventKind,
    Holder,
    Request,
)
from innkeeper.tracker import Placed, Tracker

ALICE = Holder(project="lab", user="alice")
SMALL = Request(vcpus=2, memory_mib=1024)


async def place(tracker: Tracker, request: Request = SMALL, **words: object) -> Claim:
    spec = ClaimSpec.model_validate({"request": request, "holder": ALICE, **words})
    return (await tracker.place(spec)).claim


async def kinds(tracker: Tracker, claim: Claim) -> list[EventKind]:
    return [event.kind for event in await tracker.list_events(claim_id=claim.id)]


async def test_a_claim_holds_what_it_asks_for_and_survives_a_restart(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        claim = await place(tracker)
        assert claim.state is ClaimState.PENDING
        assert tracker.usage().vcpus.used == 2
    async with make_tracker() as tracker:
        assert await tracker.find(claim.id) == claim
        assert tracker.usage().vcpus.used == 2
        assert tracker.usage().memory_mib.used == 1024


async def test_a_released_claim_frees_everything_and_its_id_is_spent(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        before = tracker.usage().model_dump(exclude={"generation"})
        claim = await place(tracker, claim_id=uuid4())
        await tracker.confirm(claim.id, by=ALICE)
        released = await tracker.release(claim.id, by=ALICE)
        assert released.state is ClaimState.RELEASED
        assert tracker.usage().model_dump(exclude={"generation"}) == before
        assert await tracker.list_claims() == ()
        assert (await tracker.find(claim.id)).state is ClaimState.RELEASED
        with pytest.raises(AlreadyReleased):
            await tracker.release(claim.id, by=ALICE)
        with pytest.raises(AlreadyReleased):
            await place(tracker, claim_id=claim.id)
        assert await kinds(tracker, claim) == [
            EventKind.CLAIMED,
            EventKind.CONFIRMED,
            EventKind.RELEASED,
        ]


async def test_the_same_id_with_the_same_words_gets_the_same_claim(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        spec = ClaimSpec(claim_id=uuid4(), request=SMALL, holder=ALICE)
        answers: list[Placed] = []

        async def ask() -> None:
            answers.append(await tracker.place(spec))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask)
        assert {answer.claim.id for answer in answers} == {spec.claim_id}
        assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True]
        assert tracker.usage().vcpus.used == 2


async def test_the_same_id_with_other_words_is_a_conflict(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        claim = await place(tracker, claim_id=uuid4())
        with pytest.raises(ClaimConflict) as refusal:
            await place(tracker, Request(vcpus=3), claim_id=claim.id)
        assert refusal.value.details["claim_id"] == str(claim.id)
        assert tracker.usage().vcpus.used == 2


async def test_an_instance_holds_one_claim_at_a_time(make_tracker: MakeTracker) -> None:
    instance = uuid4()
    async with make_tracker() as tracker:
        claim = await place(tracker, instance_uuid=instance)
        with pytest.raises(InstanceClaimed):
            await place(tracker, instance_uuid=instance)
        assert tracker.usage().vcpus.used == 2
        assert await tracker.find(instance) == claim
        await tracker.release(instance, by=ALICE)
        await place(tracker, instance_uuid=instance)


async def test_a_refusal_names_every_reason_and_what_would_fit(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        await place(tracker, Request(vcpus=6))
        before = tracker.usage()
        with pytest.raises(NoFit) as refusal:
            await place(tracker, Request(vcpus=4, memory_mib=2**30), instance_uuid=uuid4())
        assert tracker.usage() == before
        reasons = {reason.resource: reason for reason in refusal.value.details["reasons"]}
        assert set(reasons) == {"vcpus", "memory_mib"}
        assert (reasons["vcpus"].asked, reasons["vcpus"].free) == (4, 2)
        await place(tracker, refusal.value.details["nearest"])


async def test_confirm_twice_is_confirm_once_and_a_confirmed_claim_is_not_aborted(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        claim = await place(tracker)
        confirmed = await tracker.confirm(claim.id, by=ALICE)
        assert await tracker.confirm(claim.id, by=ALICE) == confirmed
        with pytest.raises(NotPending):
            await tracker.abort(claim.id, by=ALICE)
        with pytest.raises(NoLease):
            await tracker.renew(claim.id, by=ALICE)


async def test_an_unknown_claim_is_said_to_be_unknown(make_tracker: MakeTracker) -> None:
    nobody = UUID("00000000-0000-4000-8000-000000000000")
    async with make_tracker() as tracker:
        for act in (tracker.confirm, tracker.release, tracker.abort, tracker.renew):
            with pytest.raises(UnknownClaim, match=str(nobody)):
                await act(nobody, by=ALICE)


async def test_leaving_the_context_confirms_and_an_exception_aborts(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        async with tracker.claim(uuid4(), SMALL, holder=ALICE) as kept:
            assert kept.state is ClaimState.PENDING
        with pytest.raises(RuntimeError, match="build failed"):
            async with tracker.claim(uuid4(), SMALL, holder=ALICE) as lost:
                raise RuntimeError("build failed")
        assert (await tracker.find(kept.id)).state is ClaimState.CONFIRMED
        assert (await tracker.find(lost.id)).state is ClaimState.ABORTED
        assert tracker.usage().claims == 1


async def test_many_claims_in_one_call_are_all_or_nothing(make_tracker: MakeTracker) -> None:
    specs = [ClaimSpec(request=Request(vcpus=3), holder=ALICE) for _ in range(3)]
    async with make_tracker() as tracker:
        with pytest.raises(NoFit) as refusal:
            await tracker.place_all(specs)
        assert refusal.value.details["index"] == 2
        assert tracker.usage().claims == 0
        writes = tracker.statistics().store.change_sets
        placed = await tracker.place_all(specs[:2])
        assert [one.replayed for one in placed] == [False, False]
        assert tracker.statistics().store.change_sets == writes + 1
        assert tracker.usage().vcpus.used == 6


async def test_many_claims_in_one_call_may_stand_each_by_itself(make_tracker: MakeTracker) -> None:
    specs = [ClaimSpec(request=Request(vcpus=3), holder=ALICE) for _ in range(3)]
    async with make_tracker() as tracker:
        answers = await tracker.place_each(specs)
        assert [isinstance(answer, Placed) for answer in answers] == [True, True, False]
        assert isinstance(answers[2], NoFit)


async def test_the_same_id_twice_in_one_call_is_refused(make_tracker: MakeTracker) -> None:
    spec = ClaimSpec(claim_id=uuid4(), request=SMALL)
    async with make_tracker() as tracker:
        with pytest.raises(BadRequest, match="twice"):
            await tracker.place_all([spec, spec])


async def test_devices_go_to_one_claim_at_a_time(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
        wanted = DeviceRequest(vendor_id=pool.vendor_id, product_id=pool.product_id, count=3)
        claim = await place(tracker, Request(devices=(wanted,)))
        assert set(tracker.device_holders().values()) == {claim.id}
        with pytest.raises(NoFit) as refusal:
            await place(tracker, Request(devices=(wanted,)))
        assert refusal.value.details["reasons"][0].free == 1


async def test_a_draining_tracker_takes_no_claims(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        claim = await place(tracker)
        await tracker.drain()
        with pytest.raises(Draining):
            await place(tracker)
        await tracker.release(claim.id, by=ALICE)
