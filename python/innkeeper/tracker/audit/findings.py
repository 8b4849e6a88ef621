"""The findings that are open: kept, cleared, and told in history and log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import uuid4

import anyio
import structlog

from innkeeper.errors import UnknownFinding
from innkeeper.objects import ChangeSet, Event, EventKind, Finding, Holder, Severity
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison, Source
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.writing import Step

log = structlog.get_logger(__name__)

PAGE: Final = 1000


class Findings:
    """What differs as the last audit saw it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: dict[str, Finding] = {}
        self._ignored: dict[str, Finding] = {}
        """What the policy keeps out of sight; never written."""
        self._mended: set[str] = set()
        """Since the audit that is under way began: what it saw of them is past."""
        self.turn = anyio.Lock()
        """Of those who write findings; taken after the turn of a claim, never before it."""

    async def load(self) -> None:
        """Take up what an earlier process left open."""
        marker = None
        while page := await self._parts.store.list_findings(limit=PAGE, marker=marker):
            self._open.update((finding.id, finding) for finding in page)
            marker = page[-1].id

    # -- what there is -----------------------------------------------------------------------

    def list_open(self, *, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """By id, after `marker`."""
        after = [key for key in sorted(self._open) if marker is None or key > marker]
        return tuple(self._open[key] for key in after[:limit])

    async def list_with_cleared(self, *, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """By id, after `marker`; those that are open as they were last seen, and not as last written."""
        stored = await self._parts.store.list_findings(
            include_cleared=True, limit=limit, marker=marker
        )
        return tuple(self._open.get(finding.id, finding) for finding in stored)

    def every(self) -> tuple[Finding, ...]:
        """All of them, by id."""
        return self.list_open(limit=len(self._open), marker=None)

    def is_open(self, kind: str) -> bool:
        """Whether there is one of this kind."""
        return any(one.kind == kind for one in self._open.values())

    def get(self, finding_id: str) -> Finding:
        """An open one by its id.

        Raises:
            UnknownFinding: nothing open has this id.
        """
        if finding_id not in self._open:
            raise UnknownFinding(
                f"no finding {finding_id} is open; `innkeeper findings` lists those that are",
                finding_id=finding_id,
            )
        return self._open[finding_id]

    async def find(self, finding_id: str) -> Finding:
        """By its id, also when it is cleared.

        Raises:
            UnknownFinding: there is none, or it was forgotten.
        """
        found = self._open.get(finding_id) or await self._parts.store.find_finding(finding_id)
        return found or self.get(finding_id)

    def count_ignored(self) -> Counter[str]:
        """What the policy keeps out of sight, by kind."""
        return Counter(finding.kind for finding in self._ignored.values())

    # -- audits ------------------------------------------------------------------------------

    def begin_audit(self) -> None:
        """What is mended from now on may still have been seen by this audit."""
        self._mended.clear()

    async def follow(self, found: Sequence[tuple[Source, Comparison]]) -> None:
        """Keep what is new, clear what is gone; one write, and none when nothing changed.

        Raises:
            StoreError: nothing of it is kept.
        """
        async with self.turn:
            await self._follow(found, self._parts.clock.now())

    async def _follow(self, found: Sequence[tuple[Source, Comparison]], now: datetime) -> None:
        current = self._current(found, now)
        told = {key: one for key, one in current.items() if not self._is_ignored(one)}
        news = [finding for key, finding in told.items() if self._is_news(key, finding)]
        gone = [
            finding.model_copy(update={"cleared_at": now})
            for key, finding in self._open.items()
            if key not in told
        ]
        if news or gone:
            await self._write(news, gone, now)
        self._tell(told.values(), gone)
        self._open = told
        self._ignored = {key: one for key, one in current.items() if key not in told}

    def _current(
        self, found: Sequence[tuple[Source, Comparison]], now: datetime
    ) -> dict[str, Finding]:
        known = self._ignored | self._open
        stay = {key: one for key, one in known.items() if _stays(one, found)}
        remarks = (remark for _, comparison in found for remark in comparison.remarks)
        seen = (self._known(_finding(remark, now)) for remark in remarks)
        return stay | {one.id: one for one in seen if one.id not in self._mended}

    def _is_ignored(self, finding: Finding) -> bool:
        return self._parts.config.audit.policy.get(finding.kind) == "ignore"

    def _known(self, finding: Finding) -> Finding:
        known = self._open.get(finding.id)
        if known is None:
            return finding
        kept = {"first_seen": known.first_seen, "taken_repair": known.taken_repair}
        return finding.model_copy(update=kept)

    def _is_news(self, key: str, finding: Finding) -> bool:
        known = self._open.get(key)
        return known is None or known.message != finding.message

    async def _write(self, news: list[Finding], gone: list[Finding], now: datetime) -> None:
        events = [
            *(event_of(EventKind.FOUND, finding, now) for finding in news),
            *(event_of(EventKind.CLEARED, finding, now) for finding in gone),
        ]
        change_set = ChangeSet(
            id=uuid4(), node=self._parts.node, findings=(*news, *gone), events=tuple(events)
        )
        await self._parts.writer.write_step(Step(change_set))

    def _tell(self, told: Iterable[Finding], gone: Iterable[Finding]) -> None:
        for finding in told:
            if finding.id not in self._open and finding.severity is Severity.ERROR:
                log.error("finding", **_named(finding))
        for finding in gone:
            tell_cleared(finding)

    # -- repairs -----------------------------------------------------------------------------

    async def note(self, finding: Finding, attempt: str) -> None:
        """Keep why a repair of it failed; nothing is written where that is known already.

        Raises:
            StoreError
        """
        async with self.turn:
            known = self._open.get(finding.id)
            if known is None or known.taken_repair == attempt:
                return
            noted = known.model_copy(update={"taken_repair": attempt})
            change_set = ChangeSet(id=uuid4(), node=self._parts.node, findings=(noted,))
            landed = partial(self._open.__setitem__, noted.id, noted)
            await self._parts.writer.write_step(Step(change_set, landed))

    def drop(self, cleared: Finding) -> None:
        """It is mended, and that is durable."""
        self._mended.add(cleared.id)
        self._open.pop(cleared.id, None)
        tell_cleared(cleared)


def tell_cleared(finding: Finding) -> None:
    """A line in the log for what had one when it was found."""
    if finding.severity is Severity.ERROR:
        log.info("finding cleared", repair=finding.taken_repair, **_named(finding))


def _named(finding: Finding) -> Mapping[str, Any]:
    return {
        "finding": finding.id,
        "kind": finding.kind,
        "subject": finding.subject,
        "message": finding.message,
    }


def _stays(finding: Finding, found: Sequence[tuple[Source, Comparison]]) -> bool:
    """Whether nobody looked at what it speaks of."""
    for source, comparison in found:
        if finding.kind in source.kinds:
            return not comparison.has_settled(finding.subject)
    # Of a kind that nobody looks for any more.
    return False


def _finding(remark: Remark, now: datetime) -> Finding:
    kind, name = FINDING_KINDS[remark.kind], f"{remark.kind}\0{remark.subject}"
    return Finding(
        id=hashlib.sha256(name.encode()).hexdigest()[:12],
        kind=remark.kind,
        severity=remark.severity or kind.severity,
        subject=remark.subject,
        message=remark.message,
        booked=remark.booked,
        observed=remark.observed,
        claim_id=remark.claim_id,
        suggested_repair=kind.suggestion,
        first_seen=now,
        last_seen=now,
    )


def event_of(
    kind: EventKind, finding: Finding, now: datetime, by: Holder | None = None, **more: str
) -> Event:
    """The history entry of what just happened to a finding."""
    details = {"finding": finding.id, "kind": finding.kind, "message": finding.message, **more}
    return Event(at=now, kind=kind, claim_id=finding.claim_id, by=by, details=details)
