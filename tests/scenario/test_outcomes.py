"""A write ends written, not written or unknown; the ledger follows each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.errors import OutcomeUnknown, StoreFull
from innkeeper.objects import ChangeSet, ClaimSpec, ClaimState, Holder, Request
from innkeeper.store.base import Commit, Store
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
SPEC = ClaimSpec(claim_id=UUID("11111111-1111-4111-8111-111111111111"), request=Request(vcpus=2))


class FaultyStore:
    """A real store whose next write of claims or cordons has the fault that a test armed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fault = ""
        self.known = True

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def apply(self, change_set: ChangeSet) -> Commit:
        armed = change_set.claims or change_set.cordons
        fault, self.fault = (self.fault, "") if armed else ("", self.fault)
        if fault == "full":
            raise StoreFull("the disk is full")
        if fault == "lost":
            raise OutcomeUnknown("the connection broke")
        commit = await self._store.apply(change_set)
        if fault == "landed":
            raise OutcomeUnknown("the connection broke")
        return commit

    async def was_applied(self, change_set_id: UUID) -> bool:
        if not self.known:
            raise StoreFull("still away")
        return await self._store.was_applied(change_set_id)


@asynccontextmanager
async def faulty(make_tracker: MakeTracker) -> AsyncIterator[tuple[Tracker, FaultyStore]]:
    stores: list[FaultyStore] = []

    def wrap(store: Store) -> Store:
        stores.append(FaultyStore(store))
        return stores[0]  # type: ignore[return-value]  # the rest comes by __getattr__

    async with make_tracker(wrap=wrap) as tracker:
        yield tracker, stores[0]


async def settle(tracker: Tracker, clock: VirtualClock) -> None:
    with anyio.fail_after(10):
        while tracker.statistics().in_doubt:
            await clock.advance(1)
            await anyio.sleep(0.001)


async def test_a_claim_that_could_not_be_written_holds_nothing(
    make_tracker: MakeTracker,
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        store.fault = "full"
        with pytest.raises(StoreFull):
            await tracker.place(SPEC)
        assert tracker.usage().claims == 0
        assert (await tracker.place(SPEC)).replayed is False


async def test_a_release_that_could_not_be_written_frees_nothing(
    make_tracker: MakeTracker,
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = (await tracker.place(SPEC)).claim
        store.fault = "full"
        with pytest.raises(StoreFull):
            await tracker.release(claim.id, by=EVE)
        assert tracker.usage().claims == 1
        assert (await tracker.find(claim.id)).state is ClaimState.PENDING


@pytest.mark.parametrize(("fault", "claims"), [("landed", 1), ("lost", 0)])
async def test_a_claim_in_doubt_is_held_until_the_store_can_tell(
    make_tracker: MakeTracker, clock: VirtualClock, fault: str, claims: int
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        store.fault, store.known = fault, False
        with pytest.raises(OutcomeUnknown) as unknown:
            await tracker.place(SPEC)
        assert unknown.value.details["claim_ids"] == [str(SPEC.claim_id)]
        assert tracker.usage().claims == 1
        assert await tracker.list_claims() == ()
        with pytest.raises(OutcomeUnknown):
            await tracker.place(SPEC)
        store.known = True
        await settle(tracker, clock)
        assert tracker.usage().claims == claims
        assert len(await tracker.list_claims()) == claims
        assert (await tracker.place(SPEC)).replayed is bool(claims)


@pytest.mark.parametrize(("fault", "claims"), [("landed", 0), ("lost", 1)])
async def test_a_release_in_doubt_frees_nothing_until_the_store_can_tell(
    make_tracker: MakeTracker, clock: VirtualClock, fault: str, claims: int
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = (await tracker.place(SPEC)).claim
        store.fault, store.known = fault, False
        with pytest.raises(OutcomeUnknown):
            await tracker.release(claim.id, by=EVE)
        assert tracker.usage().claims == 1
        store.known = True
        await settle(tracker, clock)
        assert tracker.usage().claims == claims
