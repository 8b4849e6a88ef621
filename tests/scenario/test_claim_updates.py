"""A claim that runs grows and shrinks in place: both forms are held until one of them is durable."""

from __future__ import annotations

from uuid import UUID, uuid4

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_outcomes import faulty, settle

from innkeeper.config import Config
from innkeeper.errors import AlreadyReleased, BadRequest, NoFit, OutcomeUnknown, StoreFull
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimUpdate,
    CordonKind,
    EventKind,
    GuestCell,
    GuestTopology,
    Holder,
    L3Policy,
    Placement,
    Request,
    ThreadPolicy,
)
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
HOST = "cpus=16,cells=2,memory=16GiB,pfs=1,vfs=4"
DEDICATED = Config.model_validate(
    {"devices": [{}], "cpus": {"shared": "0-1,8-9", "dedicated": "2-7,10-15"}}
)


async def place(tracker: Tracker, request: Request, claim_id: UUID | None = None) -> Claim:
    return (await tracker.place(ClaimSpec(claim_id=claim_id, request=request))).claim


async def update(tracker: Tracker, claim: Claim, **amounts: int) -> Claim:
    return await tracker.update(claim.id, ClaimUpdate(**amounts), by=EVE)


def pinned(*dedicated: str, memory_mib: int = 512) -> Request:
    """An instance with so many guest cells, of which every vCPU has a CPU."""
    cells = tuple(GuestCell(dedicated=one, memory_mib=memory_mib) for one in dedicated)
    vcpus = sum(len(range(*map(int, one.split("-")))) + 1 for one in dedicated)
    topology = GuestTopology(cells=cells)
    return Request(vcpus=vcpus, memory_mib=memory_mib * len(cells), topology=topology)


def shaped(dedicated: str, **policies: object) -> Request:
    request = pinned(dedicated)
    assert request.topology is not None
    topology = request.topology.model_copy(update=policies)
    return request.model_copy(update={"topology": topology})


def pins(placement: Placement) -> dict[int, int]:
    return {vcpu: cpu for cell in placement.cells for vcpu, cpu in cell.pins.items()}


def dedicated(claim: Claim) -> list[str]:
    assert claim.request.topology is not None
    return [cell.dedicated for cell in claim.request.topology.cells]


async def test_a_claim_grows_and_shrinks_and_stays_so_after_a_restart(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=2, memory_mib=1024))
        await tracker.confirm(claim.id, by=EVE)
        grown = await update(tracker, claim, vcpus=6, memory_mib=4096, disk_mib=1024)
        assert (grown.request.vcpus, grown.placement.vcpus) == (6, 6)
        assert (tracker.usage().vcpus.used, tracker.usage().memory_mib.used) == (6, 4096)
        less = await update(tracker, claim, vcpus=1)
        assert (less.placement.vcpus, less.placement.memory_mib) == (1, 4096)
        assert tracker.usage().vcpus.used == 1
    async with make_tracker(HOST) as tracker:
        assert await tracker.find(claim.id) == less
        assert tracker.usage().memory_mib.used == 4096
        assert (await tracker.audit()).findings == ()


async def test_the_history_says_what_became_of_what(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=2))
        await update(tracker, claim, vcpus=4, disk_mib=1024)
        event = (await tracker.list_events(claim_id=claim.id))[-1]
        assert (event.kind, event.by) == (EventKind.UPDATED, EVE)
        assert event.details == {
            "vcpus_before": 2,
            "vcpus": 4,
            "disk_mib_before": None,
            "disk_mib": 1024,
        }


async def test_the_same_update_again_changes_nothing(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=2))
        first = await update(tracker, claim, vcpus=4)
        edition = tracker.edition
        assert await update(tracker, claim, vcpus=4) == first
        assert tracker.edition == edition
        kinds = [event.kind for event in await tracker.list_events(claim_id=claim.id)]
        assert kinds == [EventKind.CLAIMED, EventKind.UPDATED]


async def test_the_words_that_made_a_claim_find_it_whatever_became_of_it(
    make_tracker: MakeTracker,
) -> None:
    words = ClaimSpec(claim_id=uuid4(), request=Request(vcpus=2))
    async with make_tracker(HOST) as tracker:
        claim = (await tracker.place(words)).claim
        grown = await update(tracker, claim, vcpus=4)
        again = await tracker.place(words)
        assert (again.claim, again.replayed) == (grown, True)


async def test_more_than_there_is_is_refused_and_changes_nothing(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=4))
        await place(tracker, Request(vcpus=9))
        generation = tracker.generation
        with pytest.raises(NoFit, match="asked for 8 vCPUs; 7 of 16 are free") as refusal:
            await update(tracker, claim, vcpus=8)
        assert refusal.value.details["nearest"] == Request(vcpus=7)
        assert tracker.generation == generation
        assert tracker.usage().vcpus.used == 13
        assert (await update(tracker, claim, vcpus=7)).placement.vcpus == 7


async def test_less_is_granted_whatever_was_cordoned(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=12, memory_mib=1024))
        await tracker.cordon(CordonKind.CELL, "1", reason="fan", by=EVE)
        await tracker.cordon(CordonKind.HOST, "test", reason="fire", by=EVE)
        assert (await update(tracker, claim, vcpus=10)).placement.vcpus == 10
        with pytest.raises(NoFit, match=r"takes no new claims: .*fire"):
            await update(tracker, claim, memory_mib=2048)


async def test_a_guest_cell_shrinks_on_a_cordoned_cell_and_does_not_grow(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, pinned("0-3", memory_mib=1024))
        cell = str(claim.placement.cells[0].cell)
        await tracker.cordon(CordonKind.CELL, cell, reason="fan", by=EVE)
        less = await update(tracker, claim, vcpus=2, memory_mib=512)
        assert pins(less.placement) == {vcpu: pins(claim.placement)[vcpu] for vcpu in (0, 1)}
        assert tracker.usage().memory_mib.used == 512
        with pytest.raises(NoFit):
            await update(tracker, claim, vcpus=3)


async def test_devices_stay_when_amounts_change(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
        words = {"vendor_id": pool.vendor_id, "product_id": pool.product_id}
        claim = await place(tracker, Request.model_validate({"vcpus": 1, "devices": [words]}))
        grown = await update(tracker, claim, vcpus=2)
        assert grown.placement.devices == claim.placement.devices
        assert tracker.usage().devices.used == 1
        with pytest.raises(NoFit):
            await update(tracker, claim, vcpus=17)


async def test_the_first_vcpu_of_a_claim_has_cpus_to_float_over(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(memory_mib=512))
        assert claim.placement.cpus == ""
        assert (await update(tracker, claim, vcpus=1)).placement.cpus == "0-15"


async def test_vcpus_that_stay_keep_their_cpus(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, pinned("0-1", "2-3"))
        before = pins(claim.placement)
        grown = await update(tracker, claim, vcpus=8)
        assert dedicated(grown) == ["0-1,4-5", "2-3,6-7"]
        assert pins(grown.placement).items() > before.items()
        assert [cell.cell for cell in grown.placement.cells] == [0, 1]
        less = await update(tracker, claim, vcpus=2)
        assert dedicated(less) == ["0", "2"]
        assert pins(less.placement) == {vcpu: before[vcpu] for vcpu in (0, 2)}
        assert sum(cell.dedicated_cpus.used for cell in tracker.usage().cells) == 2
        again = await update(tracker, claim, vcpus=4)
        assert dedicated(again) == ["0-1", "2-3"]
        assert (await tracker.audit()).findings == ()


async def test_what_cannot_be_spread_over_guest_cells_is_refused(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, pinned("0-1", "2-3"))
        with pytest.raises(BadRequest, match=r"5 vCPUs cannot be spread .* cells; 4 or 6 would do"):
            await update(tracker, claim, vcpus=5)
        with pytest.raises(BadRequest, match=r"^1 vCPU cannot be spread .* cells; 2 would do"):
            await update(tracker, claim, vcpus=1)
        with pytest.raises(BadRequest, match="1025 MiB cannot be spread evenly over 2"):
            await update(tracker, claim, memory_mib=1025)
        with pytest.raises(BadRequest, match="nothing is to change"):
            await update(tracker, claim)
        with pytest.raises(NoFit, match="guest cell 0") as refusal:
            await update(tracker, claim, vcpus=14)
        assert "nearest" not in refusal.value.details
        assert await tracker.find(claim.id) == claim


async def test_memory_of_guest_cells_follows(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, pinned("0-1", "2-3"))
        grown = await update(tracker, claim, memory_mib=4096)
        assert [cell.memory_mib for cell in grown.placement.cells] == [2048, 2048]
        assert pins(grown.placement) == pins(claim.placement)
        assert tracker.usage().memory_mib.used == 4096


async def test_floating_vcpus_of_a_mixed_guest_come_and_go(make_tracker: MakeTracker) -> None:
    cell = GuestCell(shared="2-3", dedicated="0-1", memory_mib=512)
    request = Request(vcpus=4, memory_mib=512, topology=GuestTopology(cells=(cell,)))
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, request)
        less = await update(tracker, claim, vcpus=3)
        assert (less.placement.vcpus, less.placement.cells[0].shared) == (1, "2")
        with pytest.raises(BadRequest, match="has 2 dedicated vCPUs, which stay"):
            await update(tracker, claim, vcpus=1)


async def test_who_waits_gets_what_a_claim_gave_back(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=16))
        async with anyio.create_task_group() as group:
            spec = ClaimSpec(request=Request(vcpus=4))
            group.start_soon(lambda: tracker.place(spec, wait_seconds=100))
            await anyio.wait_all_tasks_blocked()
            assert tracker.statistics().waiting == 1
            await update(tracker, claim, vcpus=12)
        assert tracker.usage().vcpus.used == 16


@pytest.mark.parametrize("vcpus", [1, 6])
async def test_an_update_that_could_not_be_written_changes_nothing(
    make_tracker: MakeTracker, vcpus: int
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await place(tracker, Request(vcpus=4))
        store.fault = "full"
        with pytest.raises(StoreFull):
            await update(tracker, claim, vcpus=vcpus)
        assert tracker.usage().vcpus.used == 4
        assert await tracker.find(claim.id) == claim
        assert (await update(tracker, claim, vcpus=vcpus)).placement.vcpus == vcpus


@pytest.mark.parametrize("vcpus", [1, 6])
@pytest.mark.parametrize("fault", ["landed", "lost"])
async def test_an_update_in_doubt_holds_the_most_of_both(
    make_tracker: MakeTracker, clock: VirtualClock, fault: str, vcpus: int
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await place(tracker, Request(vcpus=4))
        store.fault, store.known = fault, False
        with pytest.raises(OutcomeUnknown):
            await update(tracker, claim, vcpus=vcpus)
        assert tracker.usage().vcpus.used == max(4, vcpus)
        with pytest.raises(OutcomeUnknown):
            await update(tracker, claim, vcpus=vcpus)
        store.known = True
        await settle(tracker, clock)
        expected = vcpus if fault == "landed" else 4
        assert tracker.usage().vcpus.used == expected
        assert (await tracker.find(claim.id)).placement.vcpus == expected
        assert (await tracker.audit()).findings == ()


async def test_updates_at_the_same_time_take_turns(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=2))
        answers: list[Claim] = []

        async def ask(vcpus: int) -> None:
            answers.append(await update(tracker, claim, vcpus=vcpus))

        async with anyio.create_task_group() as group:
            for vcpus in (8, 3, 12):
                group.start_soon(ask, vcpus)
        assert [one.placement.vcpus for one in answers] == [8, 3, 12]
        assert tracker.usage().vcpus.used == 12
        assert (await tracker.find(claim.id)) == answers[-1]


async def test_an_update_behind_a_release_finds_nothing_to_change(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, Request(vcpus=2))
        refused: list[AlreadyReleased] = []

        async def ask() -> None:
            try:
                await update(tracker, claim, vcpus=8)
            except AlreadyReleased as refusal:
                refused.append(refusal)

        async with anyio.create_task_group() as group:
            group.start_soon(lambda: tracker.release(claim.id, by=EVE))
            group.start_soon(ask)
        assert len(refused) == 1
        assert (tracker.usage().claims, tracker.usage().vcpus.used) == (0, 0)


async def test_a_release_behind_an_update_gives_back_all(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST, config=DEDICATED) as tracker:
        claim = await place(tracker, pinned("0-1", "2-3"))
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: update(tracker, claim, vcpus=8))
            group.start_soon(lambda: tracker.release(claim.id, by=EVE))
        assert (tracker.usage().claims, tracker.usage().memory_mib.used) == (0, 0)
        assert [cell.charged for cell in tracker.usage().cells] == ["", ""]


async def test_policies_hold_for_what_comes_and_for_what_is_left(
    make_tracker: MakeTracker,
) -> None:
    words = Config.model_validate({"cpus": {"dedicated": "0-15"}})
    spec = "cpus=16,threads=2,cells=1,memory=16GiB,l3=4"
    async with make_tracker(spec, config=words) as tracker:
        whole = await place(tracker, shaped("0-3", threads=ThreadPolicy.FULL_CORES))
        with pytest.raises(NoFit, match=r"3 vCPUs on cores .*; 2 would do"):
            await update(tracker, whole, vcpus=3)
        less = await update(tracker, whole, vcpus=2)
        assert less.placement.cells[0].charged == "0,8"
        near = await place(tracker, shaped("0-3", l3=L3Policy.REQUIRE))
        grown = await update(tracker, near, vcpus=6)
        assert pins(near.placement).items() < pins(grown.placement).items()
        groups = [parse_cpu_spec(one) for one in tracker.inventory.cells[0].l3_groups]
        assert any(set(pins(grown.placement).values()) <= group for group in groups)
        with pytest.raises(NoFit):
            await update(tracker, near, vcpus=10)
        assert tracker.usage().cells[0].dedicated_cpus.free == 8
