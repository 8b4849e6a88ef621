"""The operator's hand: what is cordoned takes nothing new, and says who, when and why."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import SPEC, HostOfSpec
from tests.scenario.test_outcomes import faulty, settle
from tests.unit.store.conftest import run_sql

from innkeeper.errors import NoFit, OutcomeUnknown, StoreFull, UnknownSubject
from innkeeper.objects import (
    ClaimSpec,
    Cordon,
    CordonKind,
    DeviceRequest,
    EventKind,
    Holder,
    Request,
)
from innkeeper.objects.host import Withheld
from innkeeper.tracker import Placed, Tracker

EVE, OPS = Holder(user="eve"), Holder(user="ops", project="hosts")
VF = DeviceRequest(vendor_id="8086", product_id="1889")
PF = DeviceRequest(vendor_id="8086", product_id="1592")
ALL_VFS = Request(devices=(VF.model_copy(update={"count": 4}),))
VCPU = Request(vcpus=1)


def marks(tracker: Tracker) -> dict[str, Withheld]:
    return {one.address: one.withheld for one in tracker.inventory.devices if one.withheld}


async def cordon(tracker: Tracker, kind: str, subject: str, reason: str = "broken") -> Cordon:
    return await tracker.cordon(CordonKind(kind), subject, reason=reason, by=OPS)


async def test_a_cordoned_host_takes_nothing_new_and_keeps_who_is_there(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        held = (await tracker.place(ClaimSpec(request=VCPU))).claim
        await cordon(tracker, "host", "test", "fan is dying")
        with pytest.raises(NoFit) as refused:
            await tracker.place(ClaimSpec(request=VCPU))
        (reason,) = refused.value.details["reasons"]
        assert reason.code == "host_cordoned"
        assert "cordoned by ops at 2026-01-01 00:00:00 UTC: fan is dying" in reason.message
        assert tracker.usage().claims == 1
        assert (await tracker.confirm(held.id, by=EVE)).state == "confirmed"
        await tracker.uncordon(CordonKind.HOST, "test", by=OPS)
        assert (await tracker.place(ClaimSpec(request=VCPU))).claim.placement.vcpus == 1


async def test_who_waits_is_served_when_the_cordon_is_lifted(
    make_tracker: MakeTracker,
) -> None:
    answers: list[Placed] = []

    async def wait(tracker: Tracker) -> None:
        answers.append(await tracker.place(ClaimSpec(request=ALL_VFS), wait_seconds=60))

    driver = HostOfSpec()
    address = next(one.address for one in driver.host.functions if one.parent)
    async with make_tracker(driver=driver) as tracker:
        await cordon(tracker, "device", address)
        async with anyio.create_task_group() as group:
            group.start_soon(wait, tracker)
            await anyio.wait_all_tasks_blocked()
            assert tracker.statistics().waiting == 1
            await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert len(answers[0].claim.placement.devices) == 4


async def test_the_same_words_again_change_nothing_and_other_ones_replace_them(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        first = await cordon(tracker, "cpu", "3")
        writes = tracker.statistics().store.change_sets
        await clock.advance(5)
        assert await cordon(tracker, "cpu", "3") == first
        assert await cordon(tracker, "cpu", "03") == first
        assert tracker.statistics().store.change_sets == writes
        second = await cordon(tracker, "cpu", "3", "hot")
        assert tracker.cordons() == (second,)
        lifted = await tracker.uncordon(CordonKind.CPU, "3", by=EVE)
        assert lifted is not None
        assert (lifted.reason, lifted.lifted_at) == ("hot", clock.now())
        writes = tracker.statistics().store.change_sets
        assert await tracker.uncordon(CordonKind.CPU, "3", by=EVE) is None
        assert tracker.statistics().store.change_sets == writes


async def test_history_says_who_cordoned_what_and_why(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        await cordon(tracker, "cell", "0")
        await tracker.uncordon(CordonKind.CELL, "0", by=EVE, reason="repaired")
        placed, lifted = (await tracker.list_events())[-2:]
    about = {"kind": "cell", "subject": "0", "cause": "operator"}
    assert (placed.kind, placed.by) == (EventKind.CORDONED, OPS)
    assert placed.details == {**about, "reason": "broken"}
    assert (lifted.kind, lifted.by) == (EventKind.UNCORDONED, EVE)
    assert lifted.details == {**about, "reason": "repaired"}


async def test_cordons_outlive_the_daemon(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        placed = [await cordon(tracker, "host", "test"), await cordon(tracker, "cpu", "1")]
    async with make_tracker() as tracker:
        assert sorted(tracker.cordons(), key=lambda one: one.kind, reverse=True) == placed
        assert tracker.usage().vcpus.total == 7
        await tracker.uncordon(CordonKind.HOST, "test", by=OPS)
    async with make_tracker() as tracker:
        assert tracker.cordons() == (placed[1],)
        assert tracker.inventory.cordoned is None


async def test_cordoned_cpus_leave_the_shared_ones(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        await cordon(tracker, "cpu", "2")
        assert tracker.inventory.shared_cpus == "0-1,3-7"
        assert tracker.usage().vcpus.total == 7
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(vcpus=8)))
        placed = await tracker.place(ClaimSpec(request=VCPU))
        assert placed.claim.placement.cpus == "0-1,3-7"


async def test_a_cordoned_cell_keeps_its_cpus_and_devices(make_tracker: MakeTracker) -> None:
    async with make_tracker(SPEC) as tracker:
        cell_0 = {one.id for one in tracker.host.cpus if one.cell == 0}
        await cordon(tracker, "cell", "0")
        assert tracker.usage().vcpus.total == 8 - len(cell_0)
        withheld = {one.address for one in tracker.inventory.devices if one.cell == 0}
        assert withheld
        assert marks(tracker) == dict.fromkeys(withheld, Withheld.CORDONED)
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=ALL_VFS))
        two = Request(devices=(VF.model_copy(update={"count": 2}),))
        placed = (await tracker.place(ClaimSpec(request=two))).claim.placement
        assert {device.cell for device in placed.devices} == {1}


async def test_a_cordoned_device_is_told_and_bars_its_relatives(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        pf = next(one.address for one in tracker.inventory.devices if one.kind == "pf")
        await cordon(tracker, "device", pf.removeprefix("0000:").upper())
        assert marks(tracker) == {pf: Withheld.CORDONED}
        with pytest.raises(NoFit) as refused:
            await tracker.place(ClaimSpec(request=Request(devices=(PF,))))
        filters = [
            one.filter for pool in refused.value.details["reasons"][0].pools for one in pool.filters
        ]
        assert "cordoned" in filters
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=Request(devices=(VF,))))


async def test_a_cordoned_cell_keeps_its_memory_and_the_refusal_names_the_cordon(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(f"{SPEC},pages_2m=1024") as tracker:
        cell_1 = next(one for one in tracker.host.cells if one.id == 1)
        ordinary = (cell_1.memory_kib - sum(p.size_kib * p.total for p in cell_1.pages)) // 1024
        whole = tracker.usage().memory_mib.capacity
        await cordon(tracker, "cell", "1", "memory is replaced")
        await cordon(tracker, "cpu", "0", "errors")
        left = tracker.usage().memory_mib.capacity
        assert 0 < ordinary == whole - left
        with pytest.raises(NoFit) as refused:
            await tracker.place(ClaimSpec(request=Request(vcpus=8, memory_mib=whole)))
        vcpus, memory = refused.value.details["reasons"]
        assert (vcpus.free, memory.free) == (3, left)
        by_ops = "by ops at 2026-01-01 00:00:00 UTC"
        cell = f"cell 1 cordoned {by_ops}: memory is replaced"
        assert (
            f"; 5 vCPUs more take no new claims: CPU 0 cordoned {by_ops}: errors" in vcpus.message
        )
        assert cell in vcpus.message
        assert memory.message.endswith(f"{ordinary} MiB of memory more take no new claims: {cell}")
        for reason, removed in ((vcpus, 5), (memory, ordinary)):
            assert [(one.filter, one.removed) for one in reason.filters] == [("cordoned", removed)]
        await tracker.uncordon(CordonKind.CELL, "1", by=OPS)
        assert tracker.usage().memory_mib.capacity == whole


async def test_who_waits_for_what_a_cordoned_cell_has_is_served_when_it_is_lifted(
    make_tracker: MakeTracker,
) -> None:
    placed: list[Placed] = []

    async def wait(tracker: Tracker, mib: int) -> None:
        asked = ClaimSpec(request=Request(memory_mib=mib))
        placed.append(await tracker.place(asked, wait_seconds=600))

    async with make_tracker(SPEC) as tracker:
        whole = tracker.usage().memory_mib.capacity
        await cordon(tracker, "cell", "1")
        async with anyio.create_task_group() as group:
            group.start_soon(wait, tracker, whole)
            await anyio.wait_all_tasks_blocked()
            assert not placed
            await tracker.uncordon(CordonKind.CELL, "1", by=OPS)
        assert placed[0].claim.placement.memory_mib == whole


@pytest.mark.parametrize(
    ("kind", "subject", "words"),
    [
        ("host", "other", "this host is test"),
        ("cell", "7", "there is 0-1"),
        ("cell", "one", "there is 0-1"),
        ("cpu", "8", "there is 0-7"),
        ("cpu", "-1", "there is 0-7"),
        ("device", "0000:ff:00.0", "`innkeeper devices` lists"),
        ("device", "ens1f0", "`innkeeper devices` lists"),
    ],
)
async def test_what_the_host_does_not_have_is_refused_with_what_it_has(
    make_tracker: MakeTracker, kind: str, subject: str, words: str
) -> None:
    async with make_tracker(SPEC) as tracker:
        with pytest.raises(UnknownSubject, match=words):
            await cordon(tracker, kind, subject)
        with pytest.raises(UnknownSubject, match=words):
            await tracker.uncordon(CordonKind(kind), subject, by=OPS)
        assert tracker.cordons() == ()


MOVED = f"{SPEC},gpu0.address=0000:f1:00.0"


async def test_a_cordon_follows_the_card_to_another_slot(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        (old,) = gpus(tracker)
        await cordon(tracker, "device", old)
        driver.become(MOVED)
        await tracker.audit()
        (new,) = gpus(tracker)
        assert new != old
        assert marks(tracker) == {new: Withheld.CORDONED}
        assert [one.subject for one in tracker.cordons()] == [new]
    async with make_tracker(driver=driver) as tracker:
        assert marks(tracker) == {new: Withheld.CORDONED}
        await tracker.uncordon(CordonKind.DEVICE, new, by=OPS)
        assert marks(tracker) == {}


async def test_a_cordon_spares_the_card_that_took_the_place_of_another(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    async with make_tracker(driver=driver) as tracker:
        (address,) = gpus(tracker)
        await cordon(tracker, "device", address)
        driver.edit(address, serial="another-card")
        await tracker.audit()
        assert marks(tracker) == {}
        # Its own is not on the host: the cordon waits for it under its old name.
        assert [one.subject for one in tracker.cordons()] == [address]
        driver.edit(address, serial=None)
        await tracker.audit()
        assert marks(tracker) == {address: Withheld.CORDONED}


async def test_two_cordoned_cards_change_places(make_tracker: MakeTracker) -> None:
    driver = HostOfSpec(SPEC.replace("gpus=1", "gpus=2"))
    async with make_tracker(driver=driver) as tracker:
        one, other = gpus(tracker)
        serials = {f.address: f.serial for f in driver.host.functions}
        await cordon(tracker, "device", one, "first")
        await cordon(tracker, "device", other, "second")
        driver.edit(one, serial=serials[other])
        driver.edit(other, serial=serials[one])
        await tracker.audit()
        assert {c.subject: c.reason for c in tracker.cordons()} == {one: "second", other: "first"}
    async with make_tracker(driver=driver) as tracker:
        assert {c.subject: c.reason for c in tracker.cordons()} == {one: "second", other: "first"}


def gpus(tracker: Tracker) -> list[str]:
    return [one.address for one in tracker.inventory.devices if one.product_id == "24b0"]


async def test_a_cordon_that_could_not_be_written_is_none(make_tracker: MakeTracker) -> None:
    async with faulty(make_tracker) as (tracker, store):
        store.fault = "full"
        with pytest.raises(StoreFull):
            await cordon(tracker, "host", "test")
        assert tracker.cordons() == ()
        await tracker.place(ClaimSpec(request=VCPU))
        await cordon(tracker, "host", "test")
        store.fault = "full"
        with pytest.raises(StoreFull):
            await tracker.uncordon(CordonKind.HOST, "test", by=OPS)
        assert tracker.inventory.cordoned


@pytest.mark.parametrize("fault", ["lost", "landed"])
async def test_a_cordon_in_doubt_holds_once_it_is_known(
    make_tracker: MakeTracker, clock: VirtualClock, fault: str
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        store.fault, store.known = fault, False
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await cordon(tracker, "host", "test")
        assert tracker.cordons() == ()
        store.known = True
        await settle(tracker, clock)
        assert len(tracker.cordons()) == (fault == "landed")
        await cordon(tracker, "host", "test")
        assert tracker.inventory.cordoned


async def test_a_cordon_whose_record_is_damaged_stays_and_is_a_finding_until_it_is_lifted(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker() as tracker:
        await cordon(tracker, "host", "test")
    damage = "UPDATE innkeeper_cordons SET body = '{}'"
    await anyio.to_thread.run_sync(run_sql, database, damage)
    async with make_tracker() as tracker:
        with pytest.raises(NoFit):
            await tracker.place(ClaimSpec(request=VCPU))
        (finding,) = (await tracker.audit()).findings
        assert (finding.kind, finding.subject) == ("cordon_unreadable", "host test (operator)")
        await tracker.uncordon(CordonKind.HOST, "test", by=OPS)
        assert (await tracker.audit()).findings == ()
        await tracker.place(ClaimSpec(request=VCPU))
