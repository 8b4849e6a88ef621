"""The life of an audit: observe and read without holding anything, compare, report.

A claim never waits for an audit: the host is read in a thread, and each source compares what it reads
with a snapshot. Whatever changed meanwhile is left to the next audit. What the policy says is
repaired right after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import uuid4

import anyio
import anyio.to_thread
import structlog

from innkeeper.drivers.base import Driver
from innkeeper.errors import HostUnreadable
from innkeeper.objects import AuditReport, ChangeSet, Device, Event, EventKind
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison, Source
from innkeeper.tracker.audit.device_differences import device_differences
from innkeeper.tracker.audit.host_source import HostSource
from innkeeper.tracker.audit.repairs import Repairs
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.statistics import AuditCounts
from innkeeper.tracker.sync import observe_instances, pages_in_ledger, refresh, take_in
from innkeeper.tracker.writing import Step

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 1.0
"""From the start to the first audit: what is wrong is told soon, and the start does not wait for it."""


class Sight:
    """Whether the host could be seen when it was looked at last."""

    kinds = frozenset({"host_unreadable"})

    def __init__(self) -> None:
        self.remark: Remark | None = None

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102
        return Comparison(() if self.remark is None else (self.remark,))


class Audits:
    """Compares what is booked with what is stored and what the host has."""

    def __init__(
        self,
        parts: Parts,
        driver: Driver,
        cordons: Cordons,
        repairs: Repairs,
        host_source: HostSource,
        others: Sequence[Source] = (),
    ) -> None:
        self._parts = parts
        self._driver = driver
        self._cordons = cordons
        self._findings = repairs.findings
        self._repairs = repairs
        self._sight = Sight()
        self._host_source = host_source
        self.sources: tuple[Source, ...] = (self._sight, host_source, *others)
        self.counts = AuditCounts()
        self._turn = anyio.Lock()
        self._reported: tuple[object, ...] = ()
        self._full_due = 0.0
        """Monotonic: the first one looks at everything."""
        self._on_disk = parts.inventory
        """As the start wrote its devices, and what Nova's tables say of the rest."""

    async def run(self) -> None:
        """Audit soon and then at every interval until cancelled; one that fails is logged, not fatal."""
        audit = self._parts.config.audit
        await self._parts.clock.sleep(min(FIRST_SECONDS, audit.interval))
        while True:
            try:
                await self.audit(full=self._parts.clock.monotonic() >= self._full_due)
            except Exception:
                log.exception("audit failed")
            await self._parts.clock.sleep(self._parts.config.audit.interval)

    async def audit(self, *, full: bool = True) -> AuditReport:
        """One whole audit, of everything or of what changed; a second one waits for its turn.

        Raises:
            StoreError: what is stored cannot be read, or new findings cannot be kept.
        """
        async with self._turn:
            with self._counting_failures():
                await self._observe()
                return await self._audit(full=full)

    async def look(self) -> None:
        """Observe the host; audit when there is something new to report of it or its devices.

        Raises:
            StoreError: new findings, or the new device table, cannot be kept.
        """
        async with self._turn:
            with self._counting_failures():
                await self._look()

    async def _look(self) -> None:
        was_unread = self._sight.remark is not None
        await self._observe()
        unread = self._sight.remark is not None
        if unread or was_unread or self._host_source.said() != self._reported:
            await self._audit(full=False)

    @contextmanager
    def _counting_failures(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.counts.failed += 1
            raise

    async def _audit(self, *, full: bool) -> AuditReport:
        clock = self._parts.clock
        started, said = clock.monotonic(), self._host_source.said()
        self._findings.begin_audit()
        found = [(source, await source.compare(full=full)) for source in self.sources]
        await self._findings.follow(found)
        await self._repairs.by_policy()
        self._reported = said
        if full:
            self._full_due = started + self._parts.config.audit.full_interval
        report = AuditReport(
            generation=self._parts.writer.generation,
            findings=self._findings.every(),
            seconds=clock.monotonic() - started,
            full=full,
            examined=sum(comparison.examined for _, comparison in found),
        )
        self.counts.add(report.seconds, full=full)
        return report

    async def _observe(self) -> None:
        """Take over what the host has and runs now; bookings stay whatever it says."""
        await observe_instances(self._parts)
        held = pages_in_ledger(self._parts)
        try:
            host = await anyio.to_thread.run_sync(self._driver.observe)
        except HostUnreadable as error:
            self._sight.remark = Remark("host_unreadable", self._parts.node, error.message)
            return
        self._sight.remark = None
        take_in(self._parts, host, held)
        await self.adopt()

    async def adopt(self) -> None:
        """Make host and words of this moment the ledger's; the device table follows when it changed."""
        if refresh(self._parts):
            self._parts.line.serve()
        await self._cordons.follow_hardware()
        await self._keep_inventory()

    async def _keep_inventory(self) -> None:
        inventory = self._parts.inventory
        if inventory == self._on_disk:
            return
        devices = inventory.devices if inventory.devices != self._on_disk.devices else None
        records = self._parts.writer.rows.of_host()
        if devices is not None or records:
            change_set = ChangeSet(
                id=uuid4(),
                node=self._parts.node,
                devices=devices,
                records=records,
                events=self._device_events(devices),
            )
            await self._parts.writer.write_step(Step(change_set))
        self._on_disk = inventory

    def _device_events(self, devices: Sequence[Device] | None) -> tuple[Event, ...]:
        if devices is None:
            return ()
        details = device_differences(self._on_disk.devices, devices)
        now = self._parts.clock.now()
        return (Event(at=now, kind=EventKind.DEVICES_CHANGED, details=details),)
