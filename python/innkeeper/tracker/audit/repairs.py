"""Repairs carried out: by an order, or by the policy right after the audit that found something."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

import structlog

from innkeeper.errors import InnkeeperError, NotRepairable, UnknownFinding
from innkeeper.objects import ChangeSet, Event, EventKind, Finding, Holder
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.tracker.audit.findings import Findings, event_of
from innkeeper.tracker.audit.repairing import Plan, Repair
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.writing import Step

log = structlog.get_logger(__name__)

MOST_IN_ONE_AUDIT: Final = 100
"""Repairs that the policy makes after one audit; the rest is left to the next ones."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A finding, and what mends it."""

    finding: Finding
    words: str | None
    """What was done, or would be; null: the difference is gone by itself."""


class Repairs:
    """Looks up what mends a finding, and does it in one change set with the finding's end."""

    def __init__(self, parts: Parts, findings: Findings, repairs: Sequence[Repair]) -> None:
        self._parts = parts
        self.findings = findings
        self._repairs = {kind: repair for repair in repairs for kind in repair.kinds}
        self.taken: Counter[str] = Counter()
        """Repairs that are durable, by kind of finding."""
        self.failed: Counter[str] = Counter()

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of findings that can be mended."""
        return frozenset(self._repairs)

    async def preview(self, finding_id: str) -> Repaired:
        """What `repair` would do now; nothing changes.

        Raises:
            UnknownFinding, NotRepairable, OutcomeUnknown, StoreError
        """
        async with self._turn_of(finding_id) as finding:
            plan = await self._repair_of(finding).plan(finding)
        return Repaired(finding, plan.words if plan else None)

    async def repair(self, finding_id: str, *, by: Holder | None) -> Repaired:
        """Mend an open finding, if what it speaks of is still so; it is cleared after.

        Raises:
            UnknownFinding: nothing open has this id; mended ones included.
            NotRepairable: nothing that innkeeper can do mends it; its suggestion says what would.
            OutcomeUnknown: an earlier write of the claim, or this one, may or may not be durable.
            StoreError: nothing was changed.
        """
        async with self._turn_of(finding_id), self.findings.turn:
            finding = self.findings.get(finding_id)
            plan = await self._repair_of(finding).plan(finding)
            return await self._mend(finding, plan, by)

    async def by_policy(self) -> None:
        """Mend what the policy says is to be mended unasked; what fails is told in the finding."""
        for finding in self._due()[:MOST_IN_ONE_AUDIT]:
            if finding.claim_id is None or not self._parts.register.is_changing(finding.claim_id):
                await self._attempt(finding)

    def _due(self) -> list[Finding]:
        """Those that failed before come last, so that they keep nobody from being mended."""
        policy = self._parts.config.audit.policy
        due = [one for one in self.findings.every() if policy.get(one.kind) == "repair"]
        return sorted(due, key=lambda one: one.taken_repair is not None)

    async def _attempt(self, finding: Finding) -> None:
        try:
            await self.repair(finding.id, by=None)
        except UnknownFinding:
            log.debug("finding gone before its repair", finding=finding.id)
        except InnkeeperError as error:
            self.failed[finding.kind] += 1
            log.warning("repair failed", finding=finding.id, code=error.code, error=error.message)
            await self.findings.note(finding, f"failed: {error.message}")

    @asynccontextmanager
    async def _turn_of(self, finding_id: str) -> AsyncIterator[Finding]:
        """Be the only one who changes the claim that an open finding is of."""
        claim_id = self.findings.get(finding_id).claim_id
        async with self._parts.register.turn(*(() if claim_id is None else (claim_id,))):
            yield self.findings.get(finding_id)

    def _repair_of(self, finding: Finding) -> Repair:
        repair = self._repairs.get(finding.kind)
        if repair is None:
            suggestion = FINDING_KINDS[finding.kind].suggestion
            raise NotRepairable(
                f"nothing that innkeeper can do mends finding {finding.id} ({finding.kind}): "
                f"{suggestion}",
                finding_id=finding.id,
                kind=finding.kind,
            )
        return repair

    async def _mend(self, finding: Finding, plan: Plan | None, by: Holder | None) -> Repaired:
        now = self._parts.clock.now()
        cleared = finding.model_copy(update={"cleared_at": now})
        events = [event_of(EventKind.CLEARED, cleared, now)]
        if plan is None:
            await self._carry_out(_GONE, cleared, events)
            return Repaired(cleared, None)
        cleared = cleared.model_copy(update={"taken_repair": plan.words})
        repaired = event_of(EventKind.REPAIRED, cleared, now, by, repair=plan.words)
        await self._carry_out(plan, cleared, [*plan.events, repaired, *events])
        self.taken[finding.kind] += 1
        return Repaired(cleared, plan.words)

    async def _carry_out(self, plan: Plan, cleared: Finding, events: Sequence[Event]) -> None:
        """What the ledger takes hold of is held before it is written; what is given back, after."""
        await plan.outside()
        plan.begin()
        try:
            change_set = self._change_set(plan, cleared, events)
        except BaseException:
            plan.lost()
            raise
        landed = partial(self._landed, plan, cleared)
        await self._parts.writer.write_step(Step(change_set, landed, plan.lost))

    def _change_set(self, plan: Plan, cleared: Finding, events: Sequence[Event]) -> ChangeSet:
        return ChangeSet(
            id=uuid4(),
            node=self._parts.node,
            claims=plan.claims,
            findings=(cleared,),
            cordons=plan.cordons,
            events=tuple(events),
            records=(*self._parts.writer.rows.of_claims(plan.claims), *plan.records),
        )

    def _landed(self, plan: Plan, cleared: Finding) -> None:
        plan.landed()
        self.findings.drop(cleared)


_GONE: Final = Plan("the difference is gone")
