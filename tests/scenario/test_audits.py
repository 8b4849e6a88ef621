"""Audits: what differs becomes a finding, nothing waits, nothing is released."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.clock import Clock
from innkeeper.config import Config
from innkeeper.drivers import Change
from innkeeper.drivers.simulated import simulated
from innkeeper.drivers.still import no_changes
from innkeeper.errors import HostUnreadable
from innkeeper.objects import (
    ChangeSet,
    ClaimSpec,
    ClaimUpdate,
    DeviceRequest,
    EventKind,
    Holder,
    Host,
    Request,
)
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.store.base import ClaimDigest, Commit, Store
from innkeeper.tracker import Tracker


class ChangingHost:
    """A driver over a simulated host that a test changes, breaks or holds up."""

    def __init__(self, spec: str = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4") -> None:
        self.host = simulated(spec)
        self.broken = False
        self.go_on = threading.Event()
        self.go_on.set()

    def observe(self) -> Host:
        self.go_on.wait(timeout=10)
        if self.broken:
            raise HostUnreadable("/sys is gone")
        return self.host

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        return no_changes()


async def claim_vf(tracker: Tracker) -> str:
    pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
    wanted = DeviceRequest(vendor_id=pool.vendor_id, product_id=pool.product_id)
    placed = await tracker.place(ClaimSpec(request=Request(vcpus=6, devices=(wanted,))))
    return placed.claim.placement.devices[0].address


async def test_a_clean_host_has_no_findings_and_writes_nothing(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        await claim_vf(tracker)
        writes = tracker.statistics().store.change_sets
        assert (await tracker.audit()).findings == ()
        assert tracker.statistics().store.change_sets == writes


async def test_every_kind_that_is_looked_for_is_a_known_one_of_one_source(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        kinds = [kind for source in tracker._audits.sources for kind in source.kinds]
    assert sorted(set(kinds)) == sorted(kinds)
    assert set(kinds) <= set(FINDING_KINDS)


async def test_a_held_device_that_vanished_is_a_finding_until_it_is_back(
    make_tracker: MakeTracker,
) -> None:
    driver = ChangingHost()
    whole = driver.host
    async with make_tracker(driver=driver) as tracker:
        address = await claim_vf(tracker)
        left = tuple(one for one in whole.functions if one.address != address)
        driver.host = whole.model_copy(update={"functions": left})
        report = await tracker.audit()
        assert [finding.kind for finding in report.findings] == ["device_missing"]
        assert address in report.findings[0].message
        assert tracker.usage().claims == 1
        again = await tracker.audit()
        assert again.findings[0].id == report.findings[0].id
        assert again.findings[0].first_seen == report.findings[0].first_seen
        driver.host = whole
        assert (await tracker.audit()).findings == ()
        kinds = [event.kind for event in await tracker.list_events()]
        assert [kind for kind in kinds if kind in (EventKind.FOUND, EventKind.CLEARED)] == [
            EventKind.FOUND,
            EventKind.CLEARED,
        ]


async def test_a_device_that_its_guest_opened_is_no_finding(make_tracker: MakeTracker) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        address = await claim_vf(tracker)
        opened = tuple(
            one.model_copy(update={"used_by_host": "opened by a program through vfio-pci"})
            if one.address == address
            else one
            for one in driver.host.functions
        )
        driver.host = driver.host.model_copy(update={"functions": opened})
        assert (await tracker.audit()).findings == ()
    async with make_tracker(driver=driver) as tracker:
        assert (await tracker.audit()).findings == ()
        assert tracker.usage().devices.used == 1


async def test_a_host_that_shrank_below_what_is_booked_is_a_finding(
    make_tracker: MakeTracker,
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        await claim_vf(tracker)
        offline = [
            cpu.model_copy(update={"online": cpu.id < 4, "siblings": ()})
            for cpu in driver.host.cpus
        ]
        driver.host = driver.host.model_copy(update={"cpus": tuple(offline)})
        report = await tracker.audit()
        assert [finding.kind for finding in report.findings] == ["oversubscribed"]
        assert tracker.usage().vcpus.used == 6
        assert tracker.usage().vcpus.free == 0


async def test_findings_survive_a_restart(make_tracker: MakeTracker) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        address = await claim_vf(tracker)
    left = tuple(one for one in driver.host.functions if one.address != address)
    driver.host = driver.host.model_copy(update={"functions": left})
    async with make_tracker(driver=driver) as tracker:
        first = (await tracker.audit()).findings
    async with make_tracker(driver=driver) as tracker:
        assert await tracker.list_findings() == first
        assert (await tracker.audit()).findings[0].first_seen == first[0].first_seen


async def test_a_claim_does_not_wait_for_an_audit(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        driver.go_on.clear()
        await clock.advance(61)
        placed = await tracker.place(ClaimSpec(request=Request(vcpus=1)))
        assert not driver.go_on.is_set()
        driver.go_on.set()
        assert (await tracker.audit()).findings == ()
        assert tracker.usage().claims == 1
        assert placed.claim.placement.vcpus == 1


class SlowStore:
    """A real store that reads a page, and then waits until a write of a claim is under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_slow = False
        self.read, self.writing, self.go_on = anyio.Event(), anyio.Event(), anyio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def list_claim_digests(self, **which: Any) -> Sequence[ClaimDigest]:
        page = await self._store.list_claim_digests(**which)
        if self.is_slow:
            self.read.set()
            await self.writing.wait()
        return page

    async def apply(self, change_set: ChangeSet) -> Commit:
        if self.is_slow and change_set.claims:
            self.writing.set()
            await self.go_on.wait()
        return await self._store.apply(change_set)


async def test_what_is_being_written_since_the_audit_began_is_no_finding(
    make_tracker: MakeTracker,
) -> None:
    stores: list[SlowStore] = []

    def wrap(store: Store) -> Store:
        stores.append(SlowStore(store))
        return stores[0]  # type: ignore[return-value]  # the rest comes by __getattr__

    async with make_tracker(wrap=wrap) as tracker:
        held = await tracker.place(ClaimSpec(request=Request(vcpus=1)))
        store = stores[0]
        store.is_slow = True
        async with anyio.create_task_group() as group:
            group.start_soon(write_behind, tracker, store, held.claim.id)
            findings = (await tracker.audit()).findings
            store.go_on.set()
        assert findings == ()


async def write_behind(tracker: Tracker, store: SlowStore, claim_id: UUID) -> None:
    await store.read.wait()
    await tracker.update(claim_id, ClaimUpdate(vcpus=2), by=Holder())


async def test_an_unreadable_host_is_a_finding_and_the_old_picture_stays(
    make_tracker: MakeTracker,
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        driver.broken = True
        report = await tracker.audit()
        assert [finding.kind for finding in report.findings] == ["host_unreadable"]
        assert tracker.usage().vcpus.total == 8


async def test_new_words_of_the_operator_take_effect_at_once(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        assert tracker.usage().devices.total == 5
        await tracker.reconfigure(Config.model_validate({"ratios": {"vcpus": 2.0}}))
        assert tracker.usage().vcpus.capacity == 16
        assert tracker.usage().devices.total == 0


@pytest.mark.parametrize("rounds", [3])
async def test_audits_go_on_by_themselves(
    make_tracker: MakeTracker, clock: VirtualClock, rounds: int
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        driver.broken = True
        for _ in range(rounds):
            await clock.advance(61)
        import anyio

        with anyio.fail_after(10):
            while not await tracker.list_findings():
                await anyio.sleep(0.001)


async def test_a_stored_claim_that_cannot_be_read_is_a_finding(
    make_tracker: MakeTracker, tmp_path: Path
) -> None:
    async with make_tracker() as tracker:
        lost = (await tracker.place(ClaimSpec(request=Request(vcpus=1)))).claim
        kept = (await tracker.place(ClaimSpec(request=Request(vcpus=2)))).claim
    await anyio.to_thread.run_sync(damage_claim, tmp_path / "innkeeper.sqlite3", lost.id)
    async with make_tracker() as tracker:
        report = await tracker.audit()
        assert [finding.kind for finding in report.findings] == ["claim_unreadable"]
        assert str(lost.id) in report.findings[0].message
        assert tracker.usage().vcpus.used == kept.placement.vcpus


def damage_claim(path: Path, claim_id: UUID) -> None:
    with closing(sqlite3.connect(path)) as connection:
        row = (str(claim_id),)
        connection.execute("UPDATE innkeeper_claims SET body = '{' WHERE id = ?", row)
        connection.commit()
