"""What the hypervisor needs itself counts with every guest, and is in nobody's words."""

from __future__ import annotations

from uuid import uuid4

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.config import Config
from innkeeper.errors import NoFit
from innkeeper.objects import ClaimSpec, ClaimUpdate, Holder, Request

HOST = "cpus=8,memory=8GiB"
HOLDER = Holder(user="ann")


@pytest.fixture
def config() -> Config:
    overhead = {"memory_mib": 100, "memory_mib_per_vcpu": 10, "disk_mib": 5}
    return Config.model_validate({"overhead": overhead})


async def test_fit_claim_and_update_count_it_and_the_claim_keeps_its_words(
    make_tracker: MakeTracker,
) -> None:
    asked = Request(vcpus=2, memory_mib=1000)
    async with make_tracker(HOST) as tracker:
        assert tracker.fit(asked).memory_mib == 1120
        claim = (await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=asked))).claim
        assert claim.request == asked
        assert (claim.placement.memory_mib, claim.placement.disk_mib) == (1120, 5)
        more = await tracker.update(claim.id, ClaimUpdate(vcpus=4), by=HOLDER)
        assert more.request == Request(vcpus=4, memory_mib=1000)
        assert more.placement.memory_mib == tracker.usage().memory_mib.used == 1140
    async with make_tracker(HOST) as tracker:
        assert tracker.usage().memory_mib.used == 1140
        await tracker.release(claim.id, by=HOLDER)
        assert tracker.usage().memory_mib.used == 0


async def test_what_would_fit_leaves_room_for_it(make_tracker: MakeTracker) -> None:
    async with make_tracker(HOST) as tracker:
        free = tracker.usage().memory_mib.free
        with pytest.raises(NoFit) as refusal:
            tracker.fit(Request(vcpus=2, memory_mib=free))
        nearest = refusal.value.details["nearest"]
        assert nearest.memory_mib == free - 120
        assert tracker.fit(nearest).memory_mib == free


async def test_who_waits_still_has_it_after_a_reload(
    make_tracker: MakeTracker, config: Config, clock: VirtualClock
) -> None:
    async with make_tracker(HOST) as tracker:
        free = tracker.usage().memory_mib.free
        all_of_it = Request(vcpus=1, memory_mib=free - 110)
        first = (await tracker.place(ClaimSpec(request=all_of_it))).claim
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                spec = ClaimSpec(request=all_of_it)
                placed = await tracker.place(spec, wait_seconds=60)
                assert placed.claim.placement.memory_mib == free

            group.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            await tracker.reconfigure(config)
            await tracker.release(first.id, by=HOLDER)
