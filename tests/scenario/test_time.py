"""Claims and time: pending claims lapse, leases end, those who wait are served in order."""

from __future__ import annotations

import sys
from uuid import uuid4

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.errors import BadRequest, Draining, NoFit
from innkeeper.objects import Claim, ClaimSpec, ClaimState, EventKind, Holder, Request
from innkeeper.tracker import Tracker

BOB = Holder(project="lab", user="bob")


def wants(vcpus: int, **words: object) -> ClaimSpec:
    return ClaimSpec.model_validate({"request": Request(vcpus=vcpus), "holder": BOB, **words})


async def state_of(tracker: Tracker, claim: Claim) -> ClaimState:
    return (await tracker.find(claim.id)).state


async def wait_state(tracker: Tracker, claim: Claim, state: ClaimState) -> None:
    """The store writes in a thread of its own, so virtual time alone does not tell when."""
    with anyio.fail_after(10):
        while await state_of(tracker, claim) is not state:
            await anyio.sleep(0.001)


async def test_a_pending_claim_lapses_and_a_confirmed_one_never(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        pending = (await tracker.place(wants(1))).claim
        kept = (await tracker.place(wants(1))).claim
        await tracker.confirm(kept.id, by=BOB)
        await clock.advance(599)
        assert await state_of(tracker, pending) is ClaimState.PENDING
        await clock.advance(2)
        await wait_state(tracker, pending, ClaimState.ABORTED)
        events = await tracker.list_events(claim_id=pending.id)
        assert [event.kind for event in events] == [EventKind.CLAIMED, EventKind.LAPSED]
        await clock.advance(10_000_000)
        assert await state_of(tracker, kept) is ClaimState.CONFIRMED
        assert events[-1].by is None


async def test_a_lease_lapses_unless_it_is_renewed(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        claim = (await tracker.place(wants(1, lease_seconds=60))).claim
        await tracker.confirm(claim.id, by=BOB)
        for _ in range(3):
            await clock.advance(50)
            await tracker.renew(claim.id, by=BOB)
        await clock.advance(50)
        assert await state_of(tracker, claim) is ClaimState.CONFIRMED
        await clock.advance(11)
        await wait_state(tracker, claim, ClaimState.RELEASED)
        assert tracker.usage().claims == 0


async def test_a_lease_that_ended_while_no_daemon_ran_lapses_at_the_next_start(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        claim = (await tracker.place(wants(1, lease_seconds=60))).claim
    await clock.advance(61)
    async with make_tracker() as tracker:
        await wait_state(tracker, claim, ClaimState.ABORTED)


async def test_who_waits_is_served_first_come_first_served(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    served: list[str] = []
    async with make_tracker() as tracker:
        holding = (await tracker.place(wants(8))).claim

        async def wait_for(name: str, vcpus: int) -> None:
            await tracker.place(wants(vcpus), wait_seconds=100)
            served.append(name)

        async with anyio.create_task_group() as group:
            for name, vcpus in (("large", 6), ("small", 1), ("last", 2)):
                group.start_soon(wait_for, name, vcpus)
                await anyio.wait_all_tasks_blocked()
            assert tracker.statistics().waiting == 3
            await tracker.release(holding.id, by=BOB)
            with anyio.fail_after(10):
                while len(served) < 2:
                    await anyio.sleep(0.001)
            assert sorted(served) == ["large", "small"]
            assert tracker.statistics().waiting == 1
            large = next(c for c in await tracker.list_claims() if c.placement.vcpus == 6)
            await tracker.release(large.id, by=BOB)
        assert served[2:] == ["last"]


async def test_a_small_request_behind_a_large_one_does_not_overtake_it(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        await tracker.place(wants(6))
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: tracker.place(wants(8), wait_seconds=100))
            await anyio.wait_all_tasks_blocked()
            group.start_soon(lambda: tracker.place(wants(1), wait_seconds=100))
            await anyio.wait_all_tasks_blocked()
            assert tracker.statistics().waiting == 2
            group.cancel_scope.cancel()
        assert tracker.statistics().waiting == 0
        assert tracker.usage().claims == 1


async def test_waiting_ends_at_the_deadline_with_the_reasons(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        await tracker.confirm((await tracker.place(wants(8))).claim.id, by=BOB)
        refusals: list[NoFit] = []

        async def wait() -> None:
            try:
                await tracker.place(wants(1), wait_seconds=30)
            except NoFit as refusal:
                refusals.append(refusal)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await clock.advance(29)
            assert refusals == []
            await clock.advance(2)
        assert refusals[0].details["reasons"][0].free == 0
        assert tracker.statistics().waiting == 0


async def test_what_could_never_fit_does_not_wait(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        with pytest.raises(NoFit):
            await tracker.place(wants(9), wait_seconds=1000)
        with pytest.raises(BadRequest, match="max_wait"):
            await tracker.place(wants(1), wait_seconds=1e9)


async def test_those_who_wait_are_sent_away_when_the_daemon_stops(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        await tracker.place(wants(8))
        refused = anyio.Event()

        async def wait() -> None:
            with pytest.raises(Draining):
                await tracker.place(wants(1), wait_seconds=100)
            refused.set()

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await tracker.drain()
            await refused.wait()


async def test_a_claim_tied_to_a_process_ends_with_it(make_tracker: MakeTracker) -> None:
    sleeper = [sys.executable, "-c", "input()"]
    async with make_tracker() as tracker:
        async with await anyio.open_process(sleeper) as process:
            claim = (await tracker.place(wants(2), pid=process.pid)).claim
            assert claim.state is ClaimState.CONFIRMED
            assert claim.process is not None
            assert claim.expires_at is None
            process.kill()
        await wait_state(tracker, claim, ClaimState.RELEASED)
        events = await tracker.list_events(claim_id=claim.id)
        assert events[-1].kind is EventKind.PROCESS_ENDED


async def test_a_process_is_still_known_after_a_restart(make_tracker: MakeTracker) -> None:
    sleeper = [sys.executable, "-c", "input()"]
    async with await anyio.open_process(sleeper) as process:
        async with make_tracker() as tracker:
            claim = (await tracker.place(wants(2), pid=process.pid)).claim
        async with make_tracker() as tracker:
            assert await state_of(tracker, claim) is ClaimState.CONFIRMED
            process.kill()
            await wait_state(tracker, claim, ClaimState.RELEASED)
            other = (await tracker.place(wants(2), pid=await _own_pid())).claim
    async with make_tracker() as tracker:
        assert await state_of(tracker, other) is ClaimState.CONFIRMED


async def _own_pid() -> int:
    import os

    return os.getpid()


async def test_a_process_that_ended_while_no_daemon_ran_is_noticed_at_the_start(
    make_tracker: MakeTracker,
) -> None:
    sleeper = [sys.executable, "-c", "input()"]
    async with await anyio.open_process(sleeper) as process:
        async with make_tracker() as tracker:
            claim = (await tracker.place(wants(2), pid=process.pid)).claim
        process.kill()
    async with make_tracker() as tracker:
        await wait_state(tracker, claim, ClaimState.RELEASED)


async def test_no_claim_for_a_process_that_does_not_exist(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        with pytest.raises(BadRequest, match="no process"):
            await tracker.place(wants(1, instance_uuid=uuid4()), pid=2**22 + 1)
        assert tracker.usage().claims == 0
