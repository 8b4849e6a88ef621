"""What happens at the same time: cancelled callers, deadlines, faults between two steps."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.clock import Clock
from innkeeper.drivers import Change
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.drivers.still import no_changes
from innkeeper.errors import HostUnreadable, InnkeeperError, NoFit, StoreLocked
from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimSpec,
    ClaimState,
    EventKind,
    Holder,
    Host,
    Request,
)
from innkeeper.store.base import Commit, Store
from innkeeper.tracker import Tracker, processes
from innkeeper.tracker.alarms import Alarms

BOB = Holder(project="lab", user="bob")


class HeldStore:
    """A real store whose writes a test holds up or refuses."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gate: anyio.Event | None = None
        self.refusal: InnkeeperError | None = None
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change_set: ChangeSet) -> Commit:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        if self.gate is not None:
            await self.gate.wait()
        return await self._store.apply(change_set)


@pytest.fixture
def held() -> list[HeldStore]:
    return []


@pytest.fixture
def wrap(held: list[HeldStore]) -> Callable[[Store], Any]:
    def wrapped(store: Store) -> HeldStore:
        held.append(HeldStore(store))
        return held[-1]

    return wrapped


def wants(vcpus: int, **words: object) -> ClaimSpec:
    return ClaimSpec.model_validate({"request": Request(vcpus=vcpus), "holder": BOB, **words})


async def wait_until(holds: Callable[[], bool]) -> None:
    """The store writes in a thread of its own: there is no event to wait for."""
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.001)


async def is_in(tracker: Tracker, claim: Claim, state: ClaimState) -> bool:
    return (await tracker.find(claim.id)).state is state


async def test_a_claim_confirmed_at_its_deadline_stays(
    make_tracker: MakeTracker, clock: VirtualClock, held: list[HeldStore], wrap: Any
) -> None:
    async with make_tracker(wrap=wrap) as tracker:
        claim = (await tracker.place(wants(1))).claim
        gate = held[0].gate = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: tracker.confirm(claim.id, by=BOB))
            await clock.advance(601)
            gate.set()
        await anyio.sleep(0.05)
        await tracker.audit()
        assert await is_in(tracker, claim, ClaimState.CONFIRMED)


async def test_a_claim_confirmed_between_two_tries_to_lapse_it_stays(
    make_tracker: MakeTracker, clock: VirtualClock, held: list[HeldStore], wrap: Any
) -> None:
    async with make_tracker(wrap=wrap) as tracker:
        claim = (await tracker.place(wants(1))).claim
        held[0].refusal = StoreLocked("locked")
        await clock.advance(601)
        held[0].refusal = None
        await tracker.confirm(claim.id, by=BOB)
        await clock.advance(6)
        await anyio.sleep(0.05)
        await tracker.audit()
        assert await is_in(tracker, claim, ClaimState.CONFIRMED)


async def test_a_caller_whose_scope_was_cancelled_holds_nothing(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        async with anyio.create_task_group() as group:
            group.start_soon(tracker.place, wants(2, claim_id=uuid4()))
            await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        await wait_until(lambda: tracker.usage().claims == 0)
        assert await tracker.list_claims() == ()
    async with make_tracker() as tracker:
        assert await tracker.list_claims() == ()


async def test_a_task_cancelled_by_asyncio_itself_oversells_nothing(
    make_tracker: MakeTracker, clock: VirtualClock, held: list[HeldStore], wrap: Any
) -> None:
    async with make_tracker(wrap=wrap) as tracker:
        task = asyncio.ensure_future(tracker.place(wants(8, claim_id=uuid4())))
        await wait_until(lambda: held[0].asked == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(NoFit):
            await tracker.place(wants(1))
        for _ in range(4):
            await clock.advance(5)
            await anyio.sleep(0.05)
        await wait_until(lambda: tracker.usage().claims == 0)
        stored = await held[0].list_claims(states=frozenset({ClaimState.PENDING}))
        assert stored == ()


async def test_what_can_never_fit_does_not_hold_up_the_line(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        large = (await tracker.place(wants(8))).claim
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: tracker.place(wants(1), wait_seconds=100))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(NoFit):
                await tracker.place(wants(64), wait_seconds=3000)
            await tracker.release(large.id, by=BOB)
        assert tracker.usage().vcpus.used == 1


class ChangingHost:
    def __init__(self) -> None:
        self.vfs, self.cpus, self.broken = 4, 8, False

    def observe(self) -> Host:
        if self.broken:
            raise HostUnreadable("/sys is gone")
        spec = f"cpus={self.cpus},cells=1,memory=16GiB,pfs=1,vfs={self.vfs}"
        return SimulatedDriver(spec).observe()

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        return no_changes()


async def test_who_waits_for_what_a_shrunken_host_never_has_is_sent_away(
    make_tracker: MakeTracker,
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        await tracker.place(wants(2))
        refused = anyio.Event()

        async def wait() -> None:
            with pytest.raises(NoFit):
                await tracker.place(wants(8), wait_seconds=3000)
            refused.set()

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            driver.cpus = 4
            await tracker.audit()
            with anyio.fail_after(5):
                await refused.wait()


async def test_alarms_outlive_a_cancel_that_empties_them(clock: VirtualClock) -> None:
    alarms = Alarms(clock)
    head = alarms.after(10, lambda: None)
    for alarm in [alarms.after(1000 + i, lambda: None) for i in range(64)]:
        alarms.cancel(alarm)
    rung = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(alarms.run)
        await anyio.lowlevel.checkpoint()
        alarms.cancel(head)
        alarms.after(5, rung.set)
        await clock.advance(6)
        with anyio.fail_after(5):
            await rung.wait()
        group.cancel_scope.cancel()


async def test_a_process_that_cannot_be_looked_at_is_not_taken_for_gone(
    make_tracker: MakeTracker, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with make_tracker() as tracker:
        claim = (await tracker.place(wants(1), pid=os.getpid())).claim

    def refuse(_: int) -> int:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pidfd_open", refuse)
        with pytest.raises(HostUnreadable):
            await anyio.to_thread.run_sync(processes.tie, os.getpid())
        async with make_tracker() as tracker:
            await clock.advance(11)
            await anyio.sleep(0.05)
            await tracker.audit()
            assert await is_in(tracker, claim, ClaimState.CONFIRMED)


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_step_that_cannot_even_be_made_holds_nothing(
    make_tracker: MakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptor left, or a row that cannot be made: the room is free again."""
    async with make_tracker() as tracker:
        rows = tracker._parts.writer.rows
        with monkeypatch.context() as patched:
            patched.setattr(rows, "of_claims", lambda _: 1 / 0, raising=False)
            with pytest.raises(ZeroDivisionError):
                await tracker.place(wants(8, instance_uuid=uuid4()), pid=os.getpid())
        assert tracker.usage().claims == 0
        before = open_descriptors()
        with pytest.raises(NoFit):
            await tracker.place(wants(9), pid=os.getpid())
        assert open_descriptors() == before
        await tracker.place(wants(8), pid=os.getpid())


async def test_a_device_table_that_could_not_be_written_is_written_later(
    make_tracker: MakeTracker, held: list[HeldStore], wrap: Any
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver, wrap=wrap) as tracker:
        driver.vfs = 2
        held[0].refusal = StoreLocked("locked")
        with pytest.raises(StoreLocked):
            await tracker.audit()
        held[0].refusal = None
        before = held[0].asked
        await tracker.audit()
        assert held[0].asked == before + 1
        await tracker.audit()
        assert held[0].asked == before + 1


async def test_a_finding_says_when_it_was_last_seen(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        driver.broken = True
        first = (await tracker.audit()).findings[0]
        await clock.advance(30)
        await tracker.audit()
        seen = (await tracker.list_findings())[0]
        assert seen.first_seen == first.first_seen
        assert (seen.last_seen - first.last_seen).total_seconds() == 30


async def test_a_database_that_was_set_aside_is_a_finding_until_somebody_moved_it(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker() as tracker:
        await tracker.place(wants(1))
    await anyio.to_thread.run_sync(database.write_text, "no database")
    async with make_tracker() as tracker:
        findings = (await tracker.audit()).findings
        assert [finding.kind for finding in findings] == ["database_set_aside"]
        kinds = [event.kind for event in await tracker.list_events()]
        assert EventKind.SET_ASIDE in kinds
        await anyio.Path(findings[0].subject).unlink()
        assert (await tracker.audit()).findings == ()
