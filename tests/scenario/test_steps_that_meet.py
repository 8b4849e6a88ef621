"""Steps of a move, and repairs, that meet something else on their way."""

from __future__ import annotations

from uuid import uuid4

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_moves import EVE, LARGE, held, move_id, resident, resize
from tests.scenario.test_races import HeldStore
from tests.scenario.test_running import (
    ORPHAN,
    SPEC,
    FakeHypervisor,
    claimed,
    findings,
    hypervisor,
)

from innkeeper.errors import BadRequest, InstanceClaimed, MoveConflict, NotRepairable, StoreFull
from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimSpec,
    ClaimState,
    Departure,
    MoveKind,
    MoveSpec,
    Request,
)
from innkeeper.store.base import Commit, Store
from innkeeper.tracker import Tracker
from innkeeper.tracker.sync import refresh

__all__ = ["hypervisor"]


@pytest.mark.parametrize("outcome", ["confirm_move", "revert_move"])
async def test_a_move_that_two_settle_at_once_is_settled_once_and_both_are_told(
    make_tracker: MakeTracker, outcome: str
) -> None:
    async with make_tracker("cpus=16,cells=2,memory=16GiB") as tracker:
        after = await resize(tracker, await resident(tracker))
        await tracker.confirm(after.id, by=EVE)
        told: list[tuple[Claim, ...]] = []

        async def settle() -> None:
            told.append(await getattr(tracker, outcome)(move_id(after), by=EVE))

        async with anyio.create_task_group() as group:
            group.start_soon(settle)
            group.start_soon(settle)
        assert {one.id for one in told[0]} == {one.id for one in told[1]}
        assert held(tracker)[1] == 1


async def test_an_id_of_a_move_is_of_one_instance(make_tracker: MakeTracker) -> None:
    async with make_tracker("cpus=16,cells=2,memory=16GiB") as tracker:
        move = MoveSpec(id=uuid4(), kind=MoveKind.MIGRATION, source="host-a")
        first = ClaimSpec(instance_uuid=uuid4(), request=LARGE, move=move)
        second = first.model_copy(update={"instance_uuid": uuid4()})
        placed = await tracker.place(first)
        with pytest.raises(MoveConflict, match="is that of instance"):
            await tracker.place(second)
        with pytest.raises(MoveConflict, match="is that of instance"):
            await tracker.place_all([second])
        twin = move.model_copy(update={"id": uuid4()})
        with pytest.raises(BadRequest, match="stands twice"):
            await tracker.place_all(
                [one.model_copy(update={"move": twin}) for one in (first, second)]
            )
        other = await resident(tracker)
        departure = Departure(id=move.id, kind=MoveKind.MIGRATION, destination="host-b")
        with pytest.raises(MoveConflict, match="is that of instance"):
            await tracker.depart(other.id, departure, by=EVE)
        assert [one.id for one in await tracker.revert_move(move.id, by=EVE)] == [placed.claim.id]


async def gone(tracker: Tracker, clock: VirtualClock) -> tuple[Claim, str]:
    claim = await claimed(tracker, ORPHAN)
    await clock.advance(200)
    await tracker.audit()
    return claim, (await findings(tracker))["claim_without_instance"].id


async def test_a_claim_that_moves_since_it_was_found_is_not_released(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim, finding = await gone(tracker, clock)
        departure = Departure(id=uuid4(), kind=MoveKind.EVACUATION, destination="host-b")
        await tracker.depart(claim.id, departure, by=EVE)
        assert (await tracker.repair(finding, by=EVE)).words is None
        assert (await tracker.find(claim.id)).state is ClaimState.CONFIRMED


async def test_a_claim_that_was_touched_since_it_was_found_is_not_released(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim, finding = await gone(tracker, clock)
        await tracker.renew(claim.id, by=EVE, lease_seconds=3600)
        assert (await tracker.repair(finding, by=EVE)).words is None
        assert (await tracker.find(claim.id)).state is ClaimState.CONFIRMED


async def test_of_a_hypervisor_that_is_not_asked_any_more_nothing_is_concluded(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim, finding = await gone(tracker, clock)
    async with make_tracker(SPEC) as tracker:
        with pytest.raises(NotRepairable, match="no hypervisor is asked"):
            await tracker.repair(finding, by=EVE)
        assert (await tracker.find(claim.id)).state is ClaimState.CONFIRMED


async def test_an_orphan_for_which_a_claim_is_being_written_is_not_adopted_and_stays_reserved(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    stores: list[HeldStore] = []

    def wrap(store: Store) -> Store:
        stores.append(HeldStore(store))
        return stores[0]

    hypervisor.run(ORPHAN)
    async with make_tracker(SPEC, hypervisor=hypervisor, wrap=wrap) as tracker:
        found = (await findings(tracker))["instance_unbooked"]
        stores[0].gate = anyio.Event()
        async with anyio.create_task_group() as group:
            words = ClaimSpec(instance_uuid=ORPHAN, request=Request(vcpus=2, memory_mib=4096))
            group.start_soon(tracker.place, words)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(_refused, tracker, found.id)
            await anyio.wait_all_tasks_blocked()
            is_reserved = ORPHAN in tracker._parts.instances.uses
            stores[0].gate.set()
        assert is_reserved
        assert tracker.usage().claims == 1


async def _refused(tracker: Tracker, finding_id: str) -> None:
    with pytest.raises(InstanceClaimed):
        await tracker.repair(finding_id, by=EVE)


class LosingStore(HeldStore):
    """Refuses a write that it held up."""

    async def apply(self, change_set: ChangeSet) -> Commit:
        if self.gate is not None:
            await self.gate.wait()
            raise StoreFull("the disk is full")
        return await super().apply(change_set)


async def test_what_an_orphan_uses_is_reserved_again_where_its_adoption_is_not_written(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    stores: list[LosingStore] = []

    def wrap(store: Store) -> Store:
        stores.append(LosingStore(store))
        return stores[0]

    hypervisor.run(ORPHAN)
    async with make_tracker(SPEC, hypervisor=hypervisor, wrap=wrap) as tracker:
        found, before = (await findings(tracker))["instance_unbooked"], tracker.usage()
        stores[0].gate = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(_full, tracker, found.id)
            await anyio.wait_all_tasks_blocked()
            refresh(tracker._parts)
            stores[0].gate.set()
        stores[0].gate = None
        usage = tracker.usage()
        assert (usage.memory_mib, usage.vcpus) == (before.memory_mib, before.vcpus)


async def _full(tracker: Tracker, finding_id: str) -> None:
    with pytest.raises(StoreFull):
        await tracker.repair(finding_id, by=EVE)
