"""One difference between what is booked and what is observed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from innkeeper.objects.base import VersionedObject
from innkeeper.objects.history import Added


class Severity(StrEnum):
    """How bad: `error` needs a person now, `warning` soon, `notice` never."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


class Finding(VersionedObject):
    """One difference, with its numbers; the same difference keeps its id between audits."""

    id: str
    """Derived from kind and subject, so that the same difference is the same finding."""
    kind: str
    """Such as `oversubscribed`, `device_missing`, `booked_not_stored`, `database_set_aside`."""
    severity: Severity
    subject: str
    """The claim id, resource or device address it speaks of."""
    message: str
    booked: str | None = None
    observed: str | None = None
    claim_id: UUID | None = None
    suggested_repair: str | None = None
    taken_repair: str | None = None
    first_seen: datetime
    last_seen: datetime
    cleared_at: datetime | None = None


class AuditReport(VersionedObject):
    """What one audit found and how long it took."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("full", "examined")}

    generation: int
    findings: tuple[Finding, ...]
    """Everything that is open now, by id."""
    seconds: float
    full: bool = True
    """Whether everything was compared, or only what changed since the audit before."""
    examined: int = 0
    """Records that were compared."""
