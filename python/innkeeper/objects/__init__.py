"""Versioned, typed objects: data, versions and wire form; no I/O."""

from innkeeper.objects.base import VersionedObject
from innkeeper.objects.change_set import ChangeSet
from innkeeper.objects.claim import Claim, ClaimSpec, ClaimState, Holder, Process
from innkeeper.objects.event import Event, EventKind
from innkeeper.objects.finding import AuditReport, Finding, Severity
from innkeeper.objects.host import (
    Cell,
    Cpu,
    Device,
    Disk,
    Host,
    Inventory,
    Pages,
    PciFunction,
    PciKind,
    Quantity,
)
from innkeeper.objects.request import (
    DeviceRequest,
    Filtered,
    Misfit,
    PlacedDevice,
    Placement,
    Request,
)
from innkeeper.objects.usage import Amounts, Pool, Usage

__all__ = [
    "Amounts",
    "AuditReport",
    "Cell",
    "ChangeSet",
    "Claim",
    "ClaimSpec",
    "ClaimState",
    "Cpu",
    "Device",
    "DeviceRequest",
    "Disk",
    "Event",
    "EventKind",
    "Filtered",
    "Finding",
    "Holder",
    "Host",
    "Inventory",
    "Misfit",
    "Pages",
    "PciFunction",
    "PciKind",
    "PlacedDevice",
    "Placement",
    "Pool",
    "Process",
    "Quantity",
    "Request",
    "Severity",
    "Usage",
    "VersionedObject",
]
