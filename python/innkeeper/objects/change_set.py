"""Everything that one step changes: applied in one transaction or not at all."""

from __future__ import annotations

from uuid import UUID

from pydantic import SerializeAsAny

from innkeeper.objects.base import VersionedObject
from innkeeper.objects.claim import Claim
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.event import Event
from innkeeper.objects.finding import Finding
from innkeeper.objects.history import Added
from innkeeper.objects.host import Device


class ChangeSet(VersionedObject):
    """The next form of every record that one step touches."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("cordons")}

    id: UUID
    """Names the step, so that an unknown outcome can be looked up."""
    node: str
    claims: tuple[Claim, ...] = ()
    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()
    devices: tuple[Device, ...] | None = None
    """The whole device table of the node, when it changed."""
    cordons: tuple[Cordon, ...] = ()
    """Those with `lifted_at` leave the table."""
    records: tuple[SerializeAsAny[VersionedObject], ...] = ()
    """Rows of the projection (instance, migration, node totals); a store refuses the kinds that it
    does not project, before it writes anything."""
