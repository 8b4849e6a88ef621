"""What runs and what is booked: orphans both ways, and what they use is not handed out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.config import Audit, Config, Cpus, DeviceSpec
from innkeeper.errors import HostUnreadable, NoFit, NotRepairable
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    DeviceRequest,
    EventKind,
    Finding,
    GuestTopology,
    Holder,
    PowerState,
    Request,
    RunningInstance,
    Severity,
)
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
ORPHAN = UUID(int=0xA)
OTHER = UUID(int=0xB)
SPEC = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4"


@dataclass
class FakeHypervisor:
    """Says what a test has it say."""

    said: dict[UUID, RunningInstance] = field(default_factory=dict)
    problem: str | None = None

    def run(self, uuid: UUID, **words: Any) -> None:
        form: dict[str, Any] = {"name": f"vm-{uuid.int}", "state": PowerState.RUNNING}
        form |= {"vcpus": 2, "memory_mib": 4096}
        self.said[uuid] = RunningInstance(uuid=uuid, **{**form, **words})

    def instances(self) -> tuple[RunningInstance, ...]:
        if self.problem:
            raise HostUnreadable(self.problem)
        return tuple(self.said[uuid] for uuid in sorted(self.said))


@pytest.fixture
def hypervisor() -> FakeHypervisor:
    return FakeHypervisor()


async def findings(tracker: Tracker) -> dict[str, Finding]:
    found = (await tracker.audit()).findings
    assert len({one.kind for one in found}) == len(found)
    return {one.kind: one for one in found}


async def claimed(tracker: Tracker, uuid: UUID, *devices: DeviceRequest, **words: Any) -> Claim:
    request = Request(devices=devices, **({"vcpus": 2, "memory_mib": 4096} | words))
    placed = await tracker.place(ClaimSpec(instance_uuid=uuid, request=request))
    return await tracker.confirm(placed.claim.id, by=EVE)


def vf_of(tracker: Tracker) -> DeviceRequest:
    pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
    return DeviceRequest(vendor_id=pool.vendor_id, product_id=pool.product_id)


def vfs_of(tracker: Tracker) -> list[str]:
    return [one.address for one in tracker.host.functions if one.kind == "vf"]


async def test_what_is_booked_and_runs_is_no_finding(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim = await claimed(tracker, ORPHAN, vf_of(tracker))
        hypervisor.run(ORPHAN, devices=(claim.placement.devices[0].address,))
        await clock.advance(200)
        writes = tracker.statistics().store.change_sets
        assert await findings(tracker) == {}
        assert tracker.statistics().store.change_sets == writes
        assert tracker.usage().memory_mib.reserved == 512


async def test_memory_and_vcpus_of_an_orphan_are_not_handed_out(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    hypervisor.run(ORPHAN, vcpus=6, memory_mib=12 * 1024)
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        # From the start, before any audit.
        assert tracker.usage().memory_mib.reserved == 512 + 12 * 1024
        assert tracker.usage().vcpus.free == 2
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(memory_mib=4096)))
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(vcpus=3)))
        topology = GuestTopology.model_validate({"cells": [{"shared": "0", "memory_mib": 4096}]})
        with pytest.raises(NoFit):
            await tracker.place(
                ClaimSpec(request=Request(vcpus=1, memory_mib=4096, topology=topology))
            )
        found = (await findings(tracker))["instance_unbooked"]
        assert found.severity is Severity.WARNING
        assert found.subject == str(ORPHAN)
        for word in ("vm-10", "6 vCPUs", "12288 MiB"):
            assert word in found.message
        hypervisor.said.clear()
        assert await findings(tracker) == {}
        assert tracker.usage().memory_mib.reserved == 512
        await tracker.place(ClaimSpec(request=Request(memory_mib=12 * 1024)))


async def test_what_is_off_takes_nothing(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    hypervisor.run(ORPHAN, state=PowerState.OFF)
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        assert await findings(tracker) == {}
        assert tracker.usage().memory_mib.reserved == 512


async def test_overcommitted_amounts_are_reserved_before_the_ratio(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    words = Config.model_validate({"ratios": {"vcpus": 4.0}})
    hypervisor.run(ORPHAN, vcpus=6)
    async with make_tracker(SPEC, hypervisor=hypervisor, config=words) as tracker:
        assert (tracker.usage().vcpus.reserved, tracker.usage().vcpus.free) == (2, 24)


async def test_devices_of_an_orphan_are_withheld(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        hypervisor.run(ORPHAN, devices=tuple(vfs_of(tracker)[:3]))
        found = (await findings(tracker))["instance_unbooked"]
        assert found.severity is Severity.ERROR
        pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
        assert (pool.withheld, pool.free) == (3, 1)
        assert (await claimed(tracker, OTHER, vf_of(tracker))).placement.devices[
            0
        ].address == vfs_of(tracker)[3]
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(devices=(vf_of(tracker),))))


async def test_a_device_that_a_claim_holds_and_an_orphan_uses_is_not_handed_on(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim = await claimed(tracker, OTHER, *[vf_of(tracker)] * 4)
        address = claim.placement.devices[0].address
        hypervisor.run(OTHER, devices=tuple(one.address for one in claim.placement.devices[1:]))
        hypervisor.run(ORPHAN, devices=(address,))
        found = await findings(tracker)
        assert f"device {address} is held by claim {claim.id}" in found["instance_unbooked"].message
        with pytest.raises(NotRepairable, match="is held by claim"):
            await tracker.repair(found["instance_unbooked"].id, by=EVE)
        await tracker.release(claim.id, by=EVE)
        with pytest.raises(NoFit):
            await claimed(tracker, OTHER, *[vf_of(tracker)] * 4)
        await claimed(tracker, OTHER, *[vf_of(tracker)] * 3)


PINNED = Config(cpus=Cpus(shared="0-3", dedicated="4-7"), devices=(DeviceSpec(),))
TWO = GuestTopology.model_validate({"cells": [{"dedicated": "0-1", "memory_mib": 1024}]})


async def test_dedicated_cpus_of_an_orphan_are_kept_off(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    hypervisor.run(ORPHAN, vcpus=3, pins={0: "5", 1: "6,7"})
    async with make_tracker(SPEC, hypervisor=hypervisor, config=PINNED) as tracker:
        assert tracker.inventory.cells[0].dedicated == "4"
        assert tracker.usage().vcpus.reserved == 1
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(vcpus=2, memory_mib=1024, topology=TWO)))
        found = (await findings(tracker))["instance_unbooked"]
        assert found.severity is Severity.ERROR
        assert "dedicated CPUs 5-7" in found.message
        with pytest.raises(NotRepairable, match="claim it by hand"):
            await tracker.repair(found.id, by=EVE)


async def test_a_cpu_under_a_claim_and_an_orphan_is_not_handed_on(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor, config=PINNED) as tracker:
        claim = await claimed(tracker, OTHER, vcpus=2, memory_mib=1024, topology=TWO)
        pins = {vcpu: str(cpu) for vcpu, cpu in claim.placement.cells[0].pins.items()}
        hypervisor.run(OTHER, pins=pins)
        hypervisor.run(ORPHAN, vcpus=1, pins={0: pins[0]})
        found = await findings(tracker)
        assert list(found) == ["instance_unbooked"]
        assert f"CPUs {pins[0]} are held by claim {claim.id}" in found["instance_unbooked"].message
        await tracker.release(claim.id, by=EVE)
        assert pins[0] not in tracker.inventory.cells[0].dedicated.split(",")
        assert tracker.usage().cells[0].dedicated_cpus.total == 3


async def test_an_instance_on_other_cpus_or_with_other_devices_differs(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor, config=PINNED) as tracker:
        claim = await claimed(tracker, OTHER, vcpus=2, memory_mib=1024, topology=TWO)
        pins = dict(claim.placement.cells[0].pins)
        (free, *_) = sorted({4, 5, 6, 7} - set(pins.values()))
        stray = vfs_of(tracker)[0]
        hypervisor.run(OTHER, pins={0: str(pins[0]), 1: str(free)}, devices=(stray,))
        found = (await findings(tracker))["instance_differs"]
        assert f"vCPU 1 is on {free} instead of {pins[1]}" in found.message
        assert f"uses devices {stray} beside" in found.message
        assert found.claim_id == claim.id
        assert str(free) not in tracker.inventory.cells[0].dedicated
        pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
        assert pool.withheld == 1
        hypervisor.run(OTHER)
        assert "no CPU of its own" in (await findings(tracker))["instance_differs"].message
        hypervisor.run(OTHER, pins={vcpu: str(cpu) for vcpu, cpu in pins.items()})
        assert await findings(tracker) == {}


async def test_a_claim_without_instance_is_told_at_the_second_answer_and_released_by_order(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        claim = await claimed(tracker, ORPHAN)
        await tracker.place(ClaimSpec(instance_uuid=OTHER, request=Request(vcpus=1)))
        hypervisor.problem = "libvirt is away"
        await clock.advance(300)
        hypervisor.problem = None
        assert await findings(tracker) == {}
        found = (await findings(tracker))["claim_without_instance"]
        assert (found.claim_id, found.subject) == (claim.id, str(claim.id))
        assert tracker.usage().claims == 2
        hypervisor.run(ORPHAN, state=PowerState.OFF)
        assert await findings(tracker) == {}
        hypervisor.said.clear()
        assert await findings(tracker) == {}
        found = (await findings(tracker))["claim_without_instance"]
        writes = tracker.statistics().store.change_sets
        await tracker.repair(found.id, by=EVE)
        assert tracker.statistics().store.change_sets == writes + 1
        assert (await tracker.find(claim.id)).state is ClaimState.RELEASED
        assert tracker.usage().claims == 1
        kinds = [one.kind for one in await tracker.list_events(claim_id=claim.id)]
        assert kinds[-3:] == [EventKind.RELEASED, EventKind.REPAIRED, EventKind.CLEARED]
        assert await findings(tracker) == {}


async def test_young_claims_are_given_time(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        await claimed(tracker, ORPHAN)
        for _ in range(3):
            assert await findings(tracker) == {}
        await clock.advance(121)
        await tracker.audit()
        assert "claim_without_instance" in await findings(tracker)


async def test_the_policy_may_release_them(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    words = Config(audit=Audit.model_validate({"policy": {"claim_without_instance": "repair"}}))
    async with make_tracker(SPEC, hypervisor=hypervisor, config=words) as tracker:
        claim = await claimed(tracker, ORPHAN)
        await clock.advance(200)
        await tracker.audit()
        await tracker.audit()
        assert (await tracker.find(claim.id)).state is ClaimState.RELEASED


async def test_of_a_hypervisor_that_does_not_answer_nothing_is_concluded(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    hypervisor.run(ORPHAN)
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        await claimed(tracker, OTHER)
        await clock.advance(200)
        await tracker.audit()
        before = set(await findings(tracker))
        assert before == {"instance_unbooked", "claim_without_instance"}
        hypervisor.problem = "libvirt is away"
        found = await findings(tracker)
        assert set(found) == before | {"hypervisor_unreachable"}
        assert "libvirt is away" in found["hypervisor_unreachable"].message
        assert tracker.usage().memory_mib.reserved == 512 + 4096
        with pytest.raises(NotRepairable, match="does not answer"):
            await tracker.repair(found["claim_without_instance"].id, by=EVE)
        hypervisor.problem = None
        assert set(await findings(tracker)) == before


async def test_an_orphan_is_adopted(make_tracker: MakeTracker, hypervisor: FakeHypervisor) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        address = vfs_of(tracker)[0]
        hypervisor.run(ORPHAN, devices=(address,))
        found = (await findings(tracker))["instance_unbooked"]
        await tracker.repair(found.id, by=EVE)
        claim = await tracker.find(ORPHAN)
        assert claim.state is ClaimState.CONFIRMED
        assert claim.name == "vm-10"
        assert [one.address for one in claim.placement.devices] == [address]
        usage = tracker.usage()
        assert (usage.memory_mib.reserved, usage.memory_mib.used) == (512, 4096)
        assert (usage.vcpus.reserved, usage.vcpus.used) == (0, 2)
        assert await findings(tracker) == {}
        kinds = [one.kind for one in await tracker.list_events(claim_id=claim.id)]
        assert kinds == [EventKind.ADOPTED]
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        assert await findings(tracker) == {}
        assert tracker.usage() == usage.model_copy(
            update={"generation": tracker.usage().generation}
        )


async def test_what_the_hypervisor_needs_counts_with_an_orphan(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    words = Config.model_validate({"overhead": {"memory_mib": 100, "memory_mib_per_vcpu": 10}})
    hypervisor.run(ORPHAN)
    async with make_tracker(SPEC, hypervisor=hypervisor, config=words) as tracker:
        assert tracker.usage().memory_mib.reserved == 512 + 4096 + 120
        found = (await findings(tracker))["instance_unbooked"]
        await tracker.repair(found.id, by=EVE)
        claim = await tracker.find(ORPHAN)
        assert (claim.request.memory_mib, claim.placement.memory_mib) == (4096, 4216)
        assert tracker.usage().memory_mib.used == 4216
        assert await findings(tracker) == {}


async def test_an_orphan_for_which_there_is_no_room_is_not_adopted(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        await claimed(tracker, OTHER, memory_mib=12 * 1024)
        hypervisor.run(OTHER, memory_mib=12 * 1024)
        hypervisor.run(ORPHAN, memory_mib=8 * 1024)
        found = await findings(tracker)
        with pytest.raises(NotRepairable, match="MiB of memory more are booked than it leaves"):
            await tracker.repair(found["instance_unbooked"].id, by=EVE)
        assert tracker.usage().claims == 1


async def test_an_instance_is_known_by_the_name_of_a_claim_that_says_no_uuid(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor
) -> None:
    hypervisor.run(ORPHAN, name="web-1")
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        request = Request(vcpus=2, memory_mib=4096)
        await tracker.place(ClaimSpec(name="web-1", request=request))
        assert await findings(tracker) == {}
        assert tracker.usage().memory_mib.reserved == 512


async def test_without_a_hypervisor_nothing_is_said_of_what_runs(
    make_tracker: MakeTracker, hypervisor: FakeHypervisor, clock: VirtualClock
) -> None:
    hypervisor.run(ORPHAN)
    async with make_tracker(SPEC, hypervisor=hypervisor) as tracker:
        await findings(tracker)
    async with make_tracker(SPEC) as tracker:
        await claimed(tracker, OTHER)
        await clock.advance(300)
        assert await findings(tracker) == {}
