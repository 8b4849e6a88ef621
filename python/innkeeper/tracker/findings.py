"""The findings that are open: kept, cleared, and told in the history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import uuid4

from innkeeper.objects import ChangeSet, Event, EventKind, Finding
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.comparing import Comparison, Source
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.writing import Step

PAGE: Final = 1000


class Findings:
    """What differs as the last audit saw it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._open: dict[str, Finding] = {}

    async def load(self) -> None:
        """Take up what an earlier process left open."""
        marker = None
        while page := await self._parts.store.list_findings(limit=PAGE, marker=marker):
            self._open.update((finding.id, finding) for finding in page)
            marker = page[-1].id

    def list_open(self, *, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """By id, after `marker`."""
        after = [key for key in sorted(self._open) if marker is None or key > marker]
        return tuple(self._open[key] for key in after[:limit])

    def every(self) -> tuple[Finding, ...]:
        """All of them, by id."""
        return self.list_open(limit=len(self._open), marker=None)

    def is_open(self, kind: str) -> bool:
        """Whether there is one of this kind."""
        return any(one.kind == kind for one in self._open.values())

    async def follow(self, found: Sequence[tuple[Source, Comparison]]) -> None:
        """Keep what is new, clear what is gone; one write, and none when nothing changed.

        Raises:
            StoreError: nothing of it is kept.
        """
        now = self._parts.clock.now()
        remarks = [one for _, comparison in found for one in comparison.remarks]
        stay = {key: one for key, one in self._open.items() if _stays(one, found)}
        told = map(self._known, (_finding(remark, now) for remark in remarks))
        current = stay | {one.id: one for one in told}
        new = [finding for key, finding in current.items() if self._is_news(key, finding)]
        cleared = [
            finding.model_copy(update={"cleared_at": now})
            for key, finding in self._open.items()
            if key not in current
        ]
        if new or cleared:
            await self._write(new, cleared, now)
        self._open = current

    def _known(self, finding: Finding) -> Finding:
        known = self._open.get(finding.id)
        return finding.model_copy(update={"first_seen": known.first_seen}) if known else finding

    def _is_news(self, key: str, finding: Finding) -> bool:
        known = self._open.get(key)
        return known is None or known.message != finding.message

    async def _write(self, new: list[Finding], cleared: list[Finding], now: datetime) -> None:
        events = [
            *(_event(EventKind.FOUND, finding, now) for finding in new),
            *(_event(EventKind.CLEARED, finding, now) for finding in cleared),
        ]
        change_set = ChangeSet(
            id=uuid4(), node=self._parts.node, findings=(*new, *cleared), events=tuple(events)
        )
        await self._parts.writer.write_step(Step(change_set))


def _stays(finding: Finding, found: Sequence[tuple[Source, Comparison]]) -> bool:
    """Whether nobody looked at what it speaks of."""
    for source, comparison in found:
        if finding.kind in source.kinds:
            return comparison.settled is not None and finding.subject not in comparison.settled
    # Of a kind that nobody looks for any more.
    return False


def _finding(remark: Remark, now: datetime) -> Finding:
    kind, name = FINDING_KINDS[remark.kind], f"{remark.kind}\0{remark.subject}"
    return Finding(
        id=hashlib.sha256(name.encode()).hexdigest()[:12],
        kind=remark.kind,
        severity=kind.severity,
        subject=remark.subject,
        message=remark.message,
        booked=remark.booked,
        observed=remark.observed,
        claim_id=remark.claim_id,
        suggested_repair=kind.suggestion,
        first_seen=now,
        last_seen=now,
    )


def _event(kind: EventKind, finding: Finding, now: datetime) -> Event:
    details = {"finding": finding.id, "kind": finding.kind, "message": finding.message}
    return Event(at=now, kind=kind, claim_id=finding.claim_id, details=details)
