"""A host that changes while it runs: what nobody holds follows it, what is held stays and is told of."""

from __future__ import annotations

import logging

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import SPEC, HostOfSpec, until

from innkeeper.config import Config
from innkeeper.errors import NoFit
from innkeeper.objects import Claim, ClaimSpec, DeviceRequest, Holder, PciKind, Request
from innkeeper.objects.host import Withheld
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
VF = DeviceRequest(vendor_id="8086", product_id="1889")
PF = DeviceRequest(vendor_id="8086", product_id="1592")
GPU = DeviceRequest(vendor_id="10de", product_id="24b0")
MOVED = f"{SPEC},gpu0.address=0000:f1:00.0"


async def hold(tracker: Tracker, wanted: DeviceRequest = VF) -> tuple[Claim, str]:
    claim = (await tracker.place(ClaimSpec(request=Request(devices=(wanted,))))).claim
    return claim, claim.placement.devices[0].address


def offered(tracker: Tracker) -> dict[str, Withheld | None]:
    return {one.address: one.withheld for one in tracker.inventory.devices}


async def found(tracker: Tracker) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in (await tracker.audit()).findings]


async def test_an_unchanged_observation_writes_nothing_and_builds_nothing(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        await hold(tracker)
        await tracker.audit()
        before, edition = tracker.inventory, tracker.edition
        writes = tracker.statistics().store.change_sets
        driver.become(SPEC)
        await tracker.audit()
        assert tracker.inventory is before
        assert tracker.edition == edition
        assert tracker.statistics().store.change_sets == writes


async def test_only_what_changed_is_built_anew(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        before = {one.address: one for one in tracker.inventory.devices}
        pf, other = (one.address for one in before.values() if one.kind is PciKind.PF)
        gone = next(one.address for one in before.values() if one.parent == other)
        driver.become(SPEC)
        driver.edit(pf, netdevs=("ens9",))
        driver.unplug(gone)
        await tracker.audit()
        after = {one.address: one for one in tracker.inventory.devices}
        # VFs go by the name of their PF.
        vfs = {address for address, one in after.items() if one.parent == pf}
        assert {after[vf].parent_netdev for vf in vfs} == {"ens9"}
        assert {a for a, one in after.items() if before.get(a) is not one} == {pf, *vfs}
        assert before.keys() - after.keys() == {gone}


async def test_the_kernel_says_so_and_the_ledger_knows(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        driver.become(f"{SPEC},pf1.vfs=5")
        driver.tell()
        await until(lambda: len(tracker.inventory.devices) == 2 + 2 + 5 + 2)
        assert clock.monotonic() == 0


async def test_a_held_device_that_vanishes_is_told_of_at_once_and_follows_after(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        claim, address = await hold(tracker)
        driver.unplug(address)
        driver.tell()
        await kinds_are(tracker, {"device_missing"})
        assert tracker.usage().devices.used == 1
        await tracker.release(claim.id, by=EVE)
        await clock.advance(0.2)
        await kinds_are(tracker, set())
        assert address not in offered(tracker)


async def kinds_are(tracker: Tracker, kinds: set[str]) -> None:
    """Findings come by themselves, without an audit that anybody asked for."""
    with anyio.fail_after(20):
        while {one.kind for one in await tracker.list_findings()} != kinds:
            await anyio.sleep(0.002)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"product_id": "1111"}, "8086:1111 instead of 8086:1889"),
        ({"cell": 1}, "cell 1 instead of 0"),
        ({"cell": None}, "cell none instead of 0"),
        ({"kind": PciKind.VDPA}, "kind vdpa instead of vf"),
    ],
)
async def test_a_held_device_that_changes_is_kept_until_its_holder_is_gone(
    make_tracker: MakeTracker, clock: VirtualClock, changes: dict[str, object], words: str
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        # The first of the two cells: VFs are given out from the highest address down.
        two = VF.model_copy(update={"count": 4})
        request = Request(devices=(two,))
        claim = (await tracker.place(ClaimSpec(request=request))).claim
        address = min(one.address for one in claim.placement.devices)
        booked = next(one for one in tracker.inventory.devices if one.address == address)
        driver.edit(address, **changes)
        (finding,) = (await tracker.audit()).findings
        assert (finding.kind, finding.subject, finding.claim_id) == (
            "device_changed",
            address,
            claim.id,
        )
        assert words in finding.message
        kept = next(one for one in tracker.inventory.devices if one.address == address)
        assert kept == booked.model_copy(update={"withheld": Withheld.RETIRED})
        await tracker.release(claim.id, by=EVE)
        assert offered(tracker)[address] is Withheld.RETIRED
        await clock.advance(0.2)
        await kinds_are(tracker, set())
        now = next(one for one in tracker.inventory.devices if one.address == address)
        assert {name: getattr(now, name) for name in changes} == changes
        assert now.withheld is None


async def test_what_a_restart_finds_changed_is_kept_as_the_claim_knows_it(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        _, address = await hold(tracker)
    driver.edit(address, product_id="1111", kind=PciKind.PCI, parent=None)
    async with make_tracker(driver=driver) as tracker:
        assert await found(tracker) == [("device_changed", address)]
        kept = next(one for one in tracker.inventory.devices if one.address == address)
        assert (kept.product_id, kept.kind, kept.withheld) == ("1889", "vf", Withheld.RETIRED)


async def test_what_the_operator_no_longer_admits_is_named_and_never_lost(
    make_tracker: MakeTracker, clock: VirtualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    gpus = Config.model_validate({"devices": [{"vendor_id": "10de"}]})
    async with make_tracker(SPEC) as tracker:
        claim, address = await hold(tracker)
        await tracker.reconfigure(gpus)
        assert offered(tracker)[address] is Withheld.RETIRED
        said = capsys.readouterr()
        assert address in said.out + said.err
        assert await found(tracker) == [("device_retired", address)]
        assert tracker.usage().devices.used == 1
        await tracker.release(claim.id, by=EVE)
        with pytest.raises(NoFit):
            await hold(tracker)
        await clock.advance(0.2)
        await kinds_are(tracker, set())
        assert address not in offered(tracker)


async def test_what_new_words_retire_is_a_finding_before_the_next_audit(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC) as tracker:
        await hold(tracker)
        await tracker.reconfigure(Config())
        await clock.advance(0.2)
        await kinds_are(tracker, {"device_retired"})


async def test_what_is_admitted_again_while_it_is_held_stays(
    make_tracker: MakeTracker, config: Config
) -> None:
    async with make_tracker(SPEC) as tracker:
        claim, address = await hold(tracker)
        await tracker.reconfigure(Config())
        await tracker.reconfigure(config)
        assert offered(tracker)[address] is None
        await tracker.release(claim.id, by=EVE)
        await tracker.audit()
        assert address in offered(tracker)
        await hold(tracker, VF.model_copy(update={"count": 4}))


async def test_what_a_guest_has_open_is_not_handed_out_before_it_is_closed(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        claim, address = await hold(tracker)
        driver.edit(address, used_by_host="opened by a program through vfio-pci")
        assert await found(tracker) == []
        assert offered(tracker)[address] is Withheld.IN_USE
        await tracker.release(claim.id, by=EVE)
        with pytest.raises(NoFit):
            await hold(tracker, VF.model_copy(update={"count": 4}))
        driver.edit(address, used_by_host=None)
        await clock.advance(0.2)
        await until(lambda: offered(tracker).get(address, Withheld.IN_USE) is None)
        await hold(tracker, VF.model_copy(update={"count": 4}))


async def test_a_held_card_in_another_slot_is_recognised(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        claim, address = await hold(tracker, GPU)
        assert claim.placement.devices[0].identity
        driver.become(MOVED)
        assert set(await found(tracker)) == {("device_moved", address), ("device_missing", address)}
        moved = next(one for one in await tracker.list_findings() if one.kind == "device_moved")
        assert "0000:f1:00.0" in moved.message
        assert moved.claim_id == claim.id
        assert offered(tracker)["0000:f1:00.0"] is Withheld.MOVED
        with pytest.raises(NoFit):
            await hold(tracker, GPU)
        await tracker.release(claim.id, by=EVE)
        await clock.advance(0.2)
        await kinds_are(tracker, set())
        assert (await hold(tracker, GPU))[1] == "0000:f1:00.0"


async def test_a_pf_that_becomes_a_plain_function_is_asked_for_as_one(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        pf = next(one.address for one in tracker.inventory.devices if one.kind is PciKind.PF)
        left = [one for one in driver.host.functions if one.parent != pf]
        driver.host = driver.host.model_copy(update={"functions": tuple(left)})
        driver.edit(pf, kind=PciKind.PCI, total_vfs=0, num_vfs=0)
        await tracker.audit()
        assert {pool.kind for pool in tracker.pools() if pool.product_id == "1592"} == {"pci", "pf"}


async def test_one_bad_device_never_stops_the_rest(
    make_tracker: MakeTracker, caplog: pytest.LogCaptureFixture
) -> None:
    driver = HostOfSpec()
    vf, other, *_ = (one.address for one in driver.host.functions if one.kind is PciKind.VF)
    driver.edit(other, parent=vf)
    driver.host = driver.host.model_copy(
        update={"functions": (*driver.host.functions, driver.host.functions[-1])}
    )
    with caplog.at_level(logging.ERROR):
        async with make_tracker(driver=driver) as tracker:
            assert other not in offered(tracker)
            assert vf in offered(tracker)
            await hold(tracker, VF.model_copy(update={"count": 3}))
            assert await found(tracker) == []


async def test_a_kept_vf_whose_pf_became_a_vf_does_not_stop_the_rest(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        claim, address = await hold(tracker)
        pf = claim.placement.devices[0].parent
        assert pf is not None
        other = next(
            one.address
            for one in driver.host.functions
            if one.kind is PciKind.PF and one.address != pf
        )
        driver.edit(pf, kind=PciKind.VF, parent=other)
        assert ("device_changed", address) in await found(tracker)
        assert tracker.usage().devices.used == 1
    async with make_tracker(driver=driver) as tracker:
        assert tracker.usage().devices.used == 1
