"""The life of an audit: observe and read without holding anything, compare, report.

A claim never waits for an audit: the host is read in a thread, stored claims in pages, and the
comparison runs on a snapshot of the ledger. Whatever changed meanwhile is left to the next audit.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import structlog

from innkeeper import _core
from innkeeper.drivers.base import Driver
from innkeeper.errors import HostUnreadable
from innkeeper.objects import (
    AuditReport,
    ChangeSet,
    Claim,
    ClaimState,
    Event,
    EventKind,
    Finding,
    Severity,
)
from innkeeper.requests.remarks import Remark
from innkeeper.store.rows import is_damaged
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import host_remarks, pages_in_ledger, refresh, take_in
from innkeeper.tracker.writing import Step

log = structlog.get_logger(__name__)

LIVE = frozenset({ClaimState.PENDING, ClaimState.CONFIRMED})
PAGE = 1000

SEVERITY = {
    "booked_not_stored": Severity.ERROR,
    "stored_not_booked": Severity.ERROR,
    "placement_differs": Severity.ERROR,
    "oversubscribed": Severity.ERROR,
    "device_missing": Severity.ERROR,
    "cpu_missing": Severity.ERROR,
    "cell_missing": Severity.ERROR,
    "device_changed": Severity.ERROR,
    "device_moved": Severity.ERROR,
    "claim_unreadable": Severity.ERROR,
    "cordon_unreadable": Severity.ERROR,
    "counter_missing": Severity.WARNING,
    "host_unreadable": Severity.ERROR,
    "database_set_aside": Severity.ERROR,
}
"""How bad each kind of difference is; a kind that is not here is a warning."""

SUGGESTED = {
    "booked_not_stored": "restart the daemon: it rebuilds the ledger from the store",
    "stored_not_booked": "restart the daemon: it rebuilds the ledger from the store",
    "placement_differs": "restart the daemon: it rebuilds the ledger from the store",
    "oversubscribed": "release claims, or lower what is reserved",
    "device_missing": "release the claim when its instance is gone, or bring the device back",
    "cpu_missing": "bring the CPU online again or back into `cpus.dedicated`, or move the instance",
    "cell_missing": "release the claim when its instance is gone, or bring the cell back",
    "device_changed": "release the claim: its instance has lost the device, or uses another one",
    "device_moved": "release the claim: its instance was given an address that is not its device's",
    "device_retired": "put the [[devices]] entry back, or let the claim end",
    "clean_failed": "see why the command fails; `innkeeper devices uncordon` gives the device out "
    "as it is",
    "clean_missing": "put the `clean` command back, or clean the device and say so: "
    "`innkeeper devices uncordon --dirty`",
    "cordon_unreadable": "look at what it is around, then lift it or put it up again",
    "claim_unreadable": "find its instance; claim again under another id, or stop it",
    "database_set_aside": "compare what runs with `innkeeper claims`, claim what is missing, then "
    "move that file away",
    "cpus_lost": "bring the CPUs back, or take them out of [cpus]; a start refuses what is not there",
    "pages_in_use": "stop what uses them, claim them, or reserve them: [[reserved.pages]]",
    "counter_missing": "add the counter to the configuration, or release the claim",
}


class Audits:
    """Compares what is booked with what is stored and what the host has."""

    def __init__(
        self,
        parts: Parts,
        driver: Driver,
        cordons: Cordons,
        remarks: Callable[[], Sequence[Remark]],
    ) -> None:
        self._parts = parts
        self._driver = driver
        self._cordons = cordons
        self._remarks = remarks
        """What others have to say of devices."""
        self._turn = anyio.Lock()
        self._open: dict[str, Finding] = {}
        self._reported: tuple[object, ...] = ()
        self._on_disk = parts.inventory
        """As the start wrote its devices, and what Nova's tables say of the rest."""

    async def load(self) -> None:
        """Take up the findings that an earlier process left open."""
        marker = None
        while page := await self._parts.store.list_findings(limit=PAGE, marker=marker):
            self._open.update((finding.id, finding) for finding in page)
            marker = page[-1].id

    def list_open(self, *, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """What is open as the last audit saw it, by id, after `marker`."""
        after = [key for key in sorted(self._open) if marker is None or key > marker]
        return tuple(self._open[key] for key in after[:limit])

    async def run(self) -> None:
        """Audit at every interval until cancelled; an audit that fails is logged, not fatal."""
        while True:
            await self._parts.clock.sleep(self._parts.config.audit.interval)
            try:
                await self.audit()
            except Exception:
                log.exception("audit failed")

    async def audit(self) -> AuditReport:
        """One whole audit; a second one waits for its turn.

        Raises:
            StoreError: stored claims cannot be read, or new findings cannot be kept.
        """
        async with self._turn:
            return await self._audit(await self._observe())

    async def look(self) -> None:
        """Observe the host; audit when there is something new to report of it or its devices.

        Raises:
            StoreError: new findings, or the new device table, cannot be kept.
        """
        async with self._turn:
            unread = await self._observe()
            was_unread = any(one.kind == "host_unreadable" for one in self._open.values())
            if unread or was_unread or self._said() != self._reported:
                await self._audit(unread)

    async def _audit(self, found: list[Finding]) -> AuditReport:
        started = self._parts.clock.monotonic()
        said = self._said()
        found += [
            *await self._compare(),
            *self._of_remarks(),
            *self._unreadable(),
            *await self._set_aside(),
        ]
        await self._publish(found)
        self._reported = said
        return AuditReport(
            generation=self._parts.writer.generation,
            findings=tuple(self._open[key] for key in sorted(self._open)),
            seconds=self._parts.clock.monotonic() - started,
        )

    def _said(self) -> tuple[object, ...]:
        return self._parts.offer.missing, self._all_remarks()

    def _all_remarks(self) -> tuple[Remark, ...]:
        """Of devices that are not what they were or do not get clean, of lost CPUs, of pages in use."""
        parts = self._parts
        return (*parts.offer.remarks, *self._remarks(), *host_remarks(parts))

    def _of_remarks(self) -> list[Finding]:
        holders = self._parts.register.device_holders()
        return [
            self._finding(remark.kind, remark.subject, remark.message).model_copy(
                update={
                    "booked": remark.booked,
                    "observed": remark.observed,
                    "claim_id": remark.claim_id or holders.get(remark.subject),
                }
            )
            for remark in self._all_remarks()
        ]

    async def _observe(self) -> list[Finding]:
        """Take over what the host has now; bookings stay whatever it says."""
        held = pages_in_ledger(self._parts)
        try:
            host = await anyio.to_thread.run_sync(self._driver.observe)
        except HostUnreadable as error:
            return [self._finding("host_unreadable", self._parts.node, error.message)]
        take_in(self._parts, host, held)
        await self.adopt()
        return []

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
                id=uuid4(), node=self._parts.node, devices=devices, records=records
            )
            await self._parts.writer.write_step(Step(change_set))
        self._on_disk = inventory

    async def _compare(self) -> list[Finding]:
        with self._parts.register.watch() as changing:
            stored = [(claim.id, claim) async for claim in self._stored_claims()]
            snapshot = self._parts.ledger.snapshot()
        bookings = [(str(claim_id), claim.placement) for claim_id, claim in stored]
        differences = await anyio.to_thread.run_sync(snapshot.audit, bookings)
        return [
            self._finding_of(difference)
            for difference in differences
            if difference.claim_id is None or UUID(difference.claim_id) not in changing
        ]

    async def _set_aside(self) -> list[Finding]:
        """Claims may be missing as long as nobody has looked at what was damaged."""
        return [
            self._finding(
                "database_set_aside",
                path,
                f"the database was damaged and set aside as {path}: claims and cordons that could not be "
                "rebuilt are gone, and what they held or kept out is handed out again",
            )
            for path in await self._parts.store.list_set_aside()
        ]

    async def _stored_claims(self) -> AsyncIterator[Claim]:
        marker = None
        while page := await self._parts.store.list_claims(states=LIVE, limit=PAGE, marker=marker):
            for claim in page:
                yield claim
            marker = page[-1].id

    def _unreadable(self) -> Iterator[Finding]:
        """Claims that no ledger could be rebuilt from; cordons that are lost, or in force by name alone."""
        counts = self._parts.store.statistics()
        for claim_id in counts.unreadable_claims:
            message = f"the record of claim {claim_id} is damaged; what it holds is not known and not held"
            yield self._finding("claim_unreadable", claim_id, message)
        for name in counts.unreadable_cordons:
            message = f"the record of a cordon is damaged ({name}); what it is around is handed out"
            yield self._finding("cordon_unreadable", name, message)
        for cordon in filter(is_damaged, self._parts.cordons.durable):
            name = f"{cordon.kind} {cordon.subject} ({cordon.cause})"
            message = f"the record of the cordon {name} is damaged; who put it up and why is lost"
            yield self._finding("cordon_unreadable", name, message)

    def _finding_of(self, difference: _core.Difference) -> Finding:
        finding = self._finding(difference.kind, difference.subject, difference.message)
        return finding.model_copy(
            update={
                "booked": difference.booked,
                "observed": difference.observed,
                "claim_id": UUID(difference.claim_id) if difference.claim_id else None,
            }
        )

    def _finding(self, kind: str, subject: str, message: str) -> Finding:
        now = self._parts.clock.now()
        return Finding(
            id=hashlib.sha256(f"{kind}\0{subject}".encode()).hexdigest()[:12],
            kind=kind,
            severity=SEVERITY.get(kind, Severity.WARNING),
            subject=subject,
            message=message,
            suggested_repair=SUGGESTED.get(kind),
            first_seen=now,
            last_seen=now,
        )

    async def _publish(self, found: Iterable[Finding]) -> None:
        """Keep what is new, clear what is gone; one write, and none when nothing changed."""
        now = self._parts.clock.now()
        current = {finding.id: self._known(finding) for finding in found}
        new = [finding for key, finding in current.items() if self._is_news(key, finding)]
        cleared = [
            finding.model_copy(update={"cleared_at": now})
            for key, finding in self._open.items()
            if key not in current
        ]
        if new or cleared:
            await self._write(new, cleared)
        self._open = current

    def _known(self, finding: Finding) -> Finding:
        known = self._open.get(finding.id)
        return finding.model_copy(update={"first_seen": known.first_seen}) if known else finding

    def _is_news(self, key: str, finding: Finding) -> bool:
        known = self._open.get(key)
        return known is None or known.message != finding.message

    async def _write(self, new: list[Finding], cleared: list[Finding]) -> None:
        now = self._parts.clock.now()
        events = [
            *(_event(EventKind.FOUND, finding, now) for finding in new),
            *(_event(EventKind.CLEARED, finding, now) for finding in cleared),
        ]
        change_set = ChangeSet(
            id=uuid4(),
            node=self._parts.node,
            findings=(*new, *cleared),
            events=tuple(events),
        )
        await self._parts.writer.write_step(Step(change_set))


def _event(kind: EventKind, finding: Finding, now: datetime) -> Event:
    details = {"finding": finding.id, "kind": finding.kind, "message": finding.message}
    return Event(at=now, kind=kind, claim_id=finding.claim_id, details=details)
