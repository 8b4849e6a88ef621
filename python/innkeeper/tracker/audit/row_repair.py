"""A row of Nova's tables made what the claims say: the projection is written again, and nothing else."""

from __future__ import annotations

from uuid import UUID

from innkeeper.errors import NotRepairable
from innkeeper.objects import Finding
from innkeeper.objects.base import VersionedObject
from innkeeper.tracker.audit.repairing import Plan
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.parts import Parts


class RowRepair:
    """Writes the columns that claims decide; what others keep in a row is left alone."""

    kinds = frozenset(
        {"row_missing", "row_differs", "totals_differ", "pools_differ", "device_row_differs"}
    )

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        records = self._records(require_rows(self._parts), finding)
        if not records:
            return None
        return Plan(f"{finding.subject} is written again as its claims have it", records=records)

    def _records(self, rows: Projecting, finding: Finding) -> tuple[VersionedObject, ...]:
        if finding.kind in ("totals_differ", "pools_differ"):
            return (rows.node_row(),)
        if finding.kind == "device_row_differs":
            return (rows.device_row(finding.subject),)
        row = rows.instance_row(UUID(finding.subject))
        return () if row is None else (row,)


def require_rows(parts: Parts) -> Projecting:
    """What makes rows of Nova's tables. Raises NotRepairable where these are not kept any more."""
    rows = parts.writer.rows
    if not isinstance(rows, Projecting):
        raise NotRepairable("Nova's tables are not kept any more: `[nova] tables` says so")
    return rows
