"""What a tracker is asked about its audits: what they found, and what mends it."""

from __future__ import annotations

from collections import Counter

from innkeeper.objects import AuditReport, Finding, Holder
from innkeeper.tracker.audit.audits import Audits
from innkeeper.tracker.audit.findings import Findings
from innkeeper.tracker.audit.repairs import Repaired, Repairs
from innkeeper.tracker.showing import Showing
from innkeeper.tracker.statistics import AuditStatistics


class Auditing(Showing):
    """The side of a tracker that looks after itself."""

    _audits: Audits
    _findings: Findings
    _repairs: Repairs

    async def list_findings(
        self, *, include_cleared: bool = False, limit: int = 100, marker: str | None = None
    ) -> tuple[Finding, ...]:
        """What audits found, by id."""
        if not include_cleared:
            return self._findings.list_open(limit=limit, marker=marker)
        return await self._findings.list_with_cleared(limit=limit, marker=marker)

    async def find_finding(self, finding_id: str) -> Finding:
        """One of them, cleared ones included. Raises UnknownFinding."""
        return await self._findings.find(finding_id)

    def audit_statistics(self) -> AuditStatistics:
        """Counts for metrics and tests."""
        return AuditStatistics(
            audits=self._audits.counts,
            open=Counter(finding.kind for finding in self._findings.every()),
            ignored=self._findings.count_ignored(),
            repaired=self._repairs.taken,
            failed=self._repairs.failed,
        )

    async def preview_repair(self, finding_id: str) -> Repaired:
        """See `Repairs.preview`."""
        return await self._repairs.preview(finding_id)

    async def repair(self, finding_id: str, *, by: Holder) -> Repaired:
        """See `Repairs.repair`."""
        return await self._repairs.repair(finding_id, by=by)

    async def audit(self, *, full: bool = True) -> AuditReport:
        """Compare ledger, store and host now: everything, or what changed. Raises StoreError."""
        return await self._audits.audit(full=full)
