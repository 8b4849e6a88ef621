"""CPUs and hugepages that come and go under a running tracker, and words that the host cannot follow."""

from __future__ import annotations

import threading

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import HostOfSpec, until

from innkeeper.config import Config
from innkeeper.errors import BadConfig, NoFit
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    CordonKind,
    Finding,
    GuestCell,
    GuestTopology,
    Holder,
    Host,
    Request,
)
from innkeeper.tracker import Tracker

SPEC = "cpus=8,cells=2,threads=1,memory=16GiB,pages_2m=200"
EVE = Holder(user="eve")


def words(**cpus: str) -> Config:
    return Config.model_validate({"cpus": cpus})


SPLIT = words(shared="0-1,4-5", dedicated="2-3,6-7")


def pinned(vcpus: int, memory_mib: int = 20) -> Request:
    """So many dedicated vCPUs in one cell, and memory of 2 MiB pages."""
    cell = GuestCell(dedicated=f"0-{vcpus - 1}", memory_mib=memory_mib)
    topology = GuestTopology(cells=(cell,), pages=2048)
    return Request(vcpus=vcpus, memory_mib=memory_mib, topology=topology)


class SlowHost(HostOfSpec):
    """Reading it takes as long as a test says."""

    def __init__(self, spec: str) -> None:
        super().__init__(spec)
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def observe(self) -> Host:
        found = super().observe()
        self.asked.set()
        self.may_answer.wait(timeout=10)
        return found


async def hold(tracker: Tracker, request: Request) -> Claim:
    return (await tracker.place(ClaimSpec(request=request))).claim


def cpus(tracker: Tracker) -> list[tuple[str, str]]:
    return [(cell.shared, cell.dedicated) for cell in tracker.inventory.cells]


def pages(tracker: Tracker, cell: int) -> tuple[int, int, int]:
    """Reserved, used and free pages of 2 MiB."""
    usage = tracker.usage().cells[cell]
    found = next(it for it in usage.pages if it.size_kib == 2048)
    return found.reserved, found.used, found.free


async def findings(tracker: Tracker) -> dict[str, Finding]:
    return {one.kind: one for one in (await tracker.audit()).findings}


# -- CPUs ----------------------------------------------------------------------------------------


async def test_cpus_are_handed_out_as_they_are_named(make_tracker: MakeTracker) -> None:
    async with make_tracker(SPEC, config=SPLIT) as tracker:
        assert cpus(tracker) == [("0-1", "2-3"), ("4-5", "6-7")]
        assert tracker.usage().vcpus.total == 4
        claim = await hold(tracker, pinned(2))
        (placed,) = claim.placement.cells
        assert sorted(placed.pins.values()) == [2, 3]
        floating = await hold(tracker, Request(vcpus=4))
        assert floating.placement.cpus == "0-1,4-5"
        with pytest.raises(NoFit):
            await hold(tracker, Request(vcpus=1))


async def test_lost_cpus_are_done_without_until_they_are_back(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        held = await hold(tracker, pinned(2))
        driver.become(f"{SPEC},offline=1,3,6-7")
        driver.tell()
        await until(lambda: cpus(tracker) == [("0", "2"), ("4-5", "")])
        assert tracker.usage().vcpus.total == 3
        with pytest.raises(NoFit):
            await hold(tracker, pinned(1))
        found = await findings(tracker)
        lost = found["cpus_lost"]
        assert lost.message.startswith("`cpus.")
        assert "offline; online are CPUs 0,2,4-5" in lost.message
        assert found["cpu_missing"].claim_id == held.id
        driver.become(SPEC)
        driver.tell()
        await until(lambda: cpus(tracker) == [("0-1", "2-3"), ("4-5", "6-7")])
        assert await findings(tracker) == {}
        assert clock.monotonic() == 0


async def test_each_key_that_lost_cpus_is_a_finding(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        driver.become(SPEC.replace("cpus=8", "cpus=6"))
        report = await tracker.audit()
        lost = {one.subject: one.message for one in report.findings if one.kind == "cpus_lost"}
        assert lost == {
            "cpus.dedicated": "`cpus.dedicated` = '2-3,6-7': CPUs 6-7 are not on this host, which "
            "has CPUs 0-5; the others are handed out"
        }


async def test_words_that_the_host_cannot_follow_are_refused(make_tracker: MakeTracker) -> None:
    with pytest.raises(BadConfig) as refused:
        async with make_tracker(SPEC, config=words(shared="0-8")):
            pass
    assert "`cpus.shared` = '0-8': CPU 8 is not on this host, which has CPUs 0-7" in str(
        refused.value
    )
    async with make_tracker(SPEC, config=SPLIT) as tracker:
        with pytest.raises(BadConfig):
            await tracker.reconfigure(words(dedicated="9"))
        assert cpus(tracker) == [("0-1", "2-3"), ("4-5", "6-7")]
        await tracker.reconfigure(words(dedicated="7"))
        assert cpus(tracker) == [("", ""), ("", "7")]


async def test_a_host_that_lost_a_cpu_starts_with_its_claims(make_tracker: MakeTracker) -> None:
    async with make_tracker(SPEC, config=SPLIT) as tracker:
        held = await hold(tracker, pinned(2))
    async with make_tracker(f"{SPEC},offline=3", config=SPLIT) as tracker:
        assert cpus(tracker) == [("0-1", "2"), ("4-5", "6-7")]
        found = await findings(tracker)
        assert found["cpu_missing"].claim_id == held.id
        assert "offline" in found["cpus_lost"].message
        await tracker.release(held.id, by=EVE)


async def test_words_in_force_stay_though_the_host_lost_cpus(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        driver.become(f"{SPEC},offline=7")
        await tracker.audit()
        more = SPLIT.model_copy(
            update={"ratios": Config.model_validate({"ratios": {"vcpus": 2.0}}).ratios}
        )
        await tracker.reconfigure(more)
        assert tracker.usage().vcpus.capacity == 8


# -- hugepages -----------------------------------------------------------------------------------


async def test_pages_that_others_use_are_kept_and_told(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec(f"{SPEC},cell0.used_2m=60")
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        assert pages(tracker, 0) == (60, 0, 40)
        found = (await findings(tracker))["pages_in_use"]
        assert found.subject == "cell 0 pages of 2048 KiB"
        assert "60 pages of 2048 KiB of cell 0 are in use and no claim holds them" in found.message
        driver.become(SPEC)
        assert await findings(tracker) == {}
        assert pages(tracker, 0) == (0, 0, 100)


async def test_pages_that_an_instance_uses_are_its_claims(make_tracker: MakeTracker) -> None:
    """Before it runs, while it runs, when its claim is gone and when it is gone itself."""
    driver = HostOfSpec(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        claim = await hold(tracker, pinned(1, memory_mib=100))
        assert claim.placement.cells[0].cell == 0
        for used in (0, 50):
            driver.become(f"{SPEC},cell0.used_2m={used}")
            assert await findings(tracker) == {}
            assert pages(tracker, 0) == (0, 50, 50)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        assert pages(tracker, 0) == (0, 50, 50)
        await tracker.release(claim.id, by=EVE)
        assert set(await findings(tracker)) == {"pages_in_use"}
        assert pages(tracker, 0) == (50, 0, 50)
        driver.become(SPEC)
        assert await findings(tracker) == {}
        assert pages(tracker, 0) == (0, 0, 100)


async def test_pages_of_a_claim_that_ends_while_the_host_is_read_are_nobody_elses(
    make_tracker: MakeTracker,
) -> None:
    driver = SlowHost(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        claim = await hold(tracker, pinned(1, memory_mib=100))
        driver.become(f"{SPEC},cell0.used_2m=50")
        driver.asked.clear()
        driver.may_answer.clear()
        async with anyio.create_task_group() as group:
            group.start_soon(tracker.audit)
            await until(driver.asked.is_set)
            await tracker.release(claim.id, by=EVE)
            driver.may_answer.set()
        assert pages(tracker, 0) == (0, 0, 100)


async def test_new_words_are_no_new_look_at_the_pages(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec(SPEC)
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        claim = await hold(tracker, pinned(1, memory_mib=100))
        driver.become(f"{SPEC},cell0.used_2m=50")
        await tracker.audit()
        await tracker.release(claim.id, by=EVE)
        await tracker.reconfigure(words(dedicated="2-3"))
        assert pages(tracker, 0) == (0, 0, 100)


async def test_a_claim_that_waits_for_its_instance_hides_no_use_of_others(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec(f"{SPEC},cell0.used_2m=40,cell1.used_2m=40")
    async with make_tracker(driver=driver, config=SPLIT) as tracker:
        claim = await hold(tracker, pinned(1, memory_mib=100))
        number = claim.placement.cells[0].cell
        await tracker.audit()
        assert pages(tracker, number) == (40, 50, 10)
        with pytest.raises(NoFit):
            await hold(tracker, pinned(1, memory_mib=122))


# -- cordons -------------------------------------------------------------------------------------


async def test_a_cordoned_cpu_is_given_to_nobody_new(make_tracker: MakeTracker) -> None:
    async with make_tracker(SPEC, config=SPLIT) as tracker:
        await tracker.cordon(CordonKind.CPU, "2", by=EVE, reason="errors")
        assert cpus(tracker)[0] == ("0-1", "3")
        claim = await hold(tracker, pinned(2))
        assert sorted(claim.placement.cells[0].pins.values()) == [6, 7]
        with pytest.raises(NoFit):
            await hold(tracker, pinned(2))


async def test_what_is_held_on_a_cordoned_cell_takes_nothing_from_the_others(
    make_tracker: MakeTracker,
) -> None:
    cell = GuestCell(shared="0-3", memory_mib=7000)
    half = Request(vcpus=4, memory_mib=7000, topology=GuestTopology(cells=(cell,)))
    async with make_tracker("cpus=8,cells=2,threads=1,memory=16GiB") as tracker:
        one, other = await hold(tracker, half), await hold(tracker, half)
        await tracker.cordon(CordonKind.CELL, "1", by=EVE, reason="fan")
        assert (await tracker.audit()).findings == ()
        assert tracker.usage().vcpus.used == 8
        assert tracker.usage().vcpus.free == 0
        await tracker.release(one.id, by=EVE)
        assert tracker.usage().vcpus.free == 4
        assert tracker.usage().memory_mib.used == 7000
        again = await hold(tracker, half)
        assert again.placement.cells[0].cell == one.placement.cells[0].cell == 0
        with pytest.raises(NoFit):
            await hold(tracker, Request(memory_mib=1000))
        await tracker.uncordon(CordonKind.CELL, "1", by=EVE)
        assert (await tracker.audit()).findings == ()
        assert other.placement.cells[0].cell == 1
