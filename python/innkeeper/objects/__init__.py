"""Versioned, typed objects: data, versions and wire form; no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from innkeeper.objects.homes import load

if TYPE_CHECKING:
    from innkeeper.objects.base import VersionedObject
    from innkeeper.objects.change_set import ChangeSet
    from innkeeper.objects.claim import (
        AfterUse,
        Claim,
        ClaimSpec,
        ClaimState,
        ClaimUpdate,
        Holder,
        Process,
    )
    from innkeeper.objects.compute_node import ComputeNode, ComputeNodeList
    from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
    from innkeeper.objects.cpu_model import VirtCPUFeature, VirtCPUModel, VirtCPUTopology
    from innkeeper.objects.event import Event, EventKind
    from innkeeper.objects.finding import AuditReport, Finding, Severity
    from innkeeper.objects.flavor import Flavor, FlavorList
    from innkeeper.objects.host import (
        Cell,
        CellOrder,
        Cpu,
        Device,
        Disk,
        Host,
        Inventory,
        InventoryCell,
        InventoryPages,
        Pages,
        PciFunction,
        PciKind,
        Quantity,
        Withheld,
    )
    from innkeeper.objects.hv_spec import HVSpec
    from innkeeper.objects.image_meta import ImageMeta, ImageMetaProps
    from innkeeper.objects.instance import Instance, InstanceList
    from innkeeper.objects.instance_numa import InstanceNUMACell, InstanceNUMATopology
    from innkeeper.objects.migration import Migration, MigrationContext, MigrationList
    from innkeeper.objects.move import (
        Departure,
        Move,
        MoveKind,
        MoveSpec,
        MoveState,
        Origin,
        Side,
    )
    from innkeeper.objects.nova import NovaObject
    from innkeeper.objects.numa import (
        NetworkMetadata,
        NUMACell,
        NUMAPagesTopology,
        NUMATopology,
        NUMATopologyLimits,
    )
    from innkeeper.objects.pci_device import PciDevice, PciDeviceList
    from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList
    from innkeeper.objects.pci_request import InstancePCIRequest, InstancePCIRequests
    from innkeeper.objects.request import (
        DeviceRequest,
        DeviceUnit,
        Filtered,
        Misfit,
        NumaPolicy,
        PlacedDevice,
        Placement,
        PoolFiltered,
        Request,
        UnitMember,
        UnitPlace,
    )
    from innkeeper.objects.running import PowerState, RunningInstance
    from innkeeper.objects.service import Service, ServiceList
    from innkeeper.objects.topology import (
        CellMisfit,
        CellPreference,
        EmulatorThreads,
        GuestCell,
        GuestTopology,
        L3Policy,
        Limits,
        Networks,
        PlacedCell,
        ThreadPolicy,
    )
    from innkeeper.objects.usage import Amounts, CellUsage, PageUsage, Pool, Usage

__all__ = [
    "AfterUse",
    "Amounts",
    "AuditReport",
    "Cell",
    "CellMisfit",
    "CellOrder",
    "CellPreference",
    "CellUsage",
    "ChangeSet",
    "Claim",
    "ClaimSpec",
    "ClaimState",
    "ClaimUpdate",
    "ComputeNode",
    "ComputeNodeList",
    "Cordon",
    "CordonCause",
    "CordonKind",
    "Cpu",
    "Departure",
    "Device",
    "DeviceRequest",
    "DeviceUnit",
    "Disk",
    "EmulatorThreads",
    "Event",
    "EventKind",
    "Filtered",
    "Finding",
    "Flavor",
    "FlavorList",
    "GuestCell",
    "GuestTopology",
    "HVSpec",
    "Holder",
    "Host",
    "ImageMeta",
    "ImageMetaProps",
    "Instance",
    "InstanceList",
    "InstanceNUMACell",
    "InstanceNUMATopology",
    "InstancePCIRequest",
    "InstancePCIRequests",
    "Inventory",
    "InventoryCell",
    "InventoryPages",
    "L3Policy",
    "Limits",
    "Migration",
    "MigrationContext",
    "MigrationList",
    "Misfit",
    "Move",
    "MoveKind",
    "MoveSpec",
    "MoveState",
    "NUMACell",
    "NUMAPagesTopology",
    "NUMATopology",
    "NUMATopologyLimits",
    "NetworkMetadata",
    "Networks",
    "NovaObject",
    "NumaPolicy",
    "Origin",
    "PageUsage",
    "Pages",
    "PciDevice",
    "PciDeviceList",
    "PciDevicePool",
    "PciDevicePoolList",
    "PciFunction",
    "PciKind",
    "PlacedCell",
    "PlacedDevice",
    "Placement",
    "Pool",
    "PoolFiltered",
    "PowerState",
    "Process",
    "Quantity",
    "Request",
    "RunningInstance",
    "Service",
    "ServiceList",
    "Severity",
    "Side",
    "ThreadPolicy",
    "UnitMember",
    "UnitPlace",
    "Usage",
    "VersionedObject",
    "VirtCPUFeature",
    "VirtCPUModel",
    "VirtCPUTopology",
    "Withheld",
]


if not TYPE_CHECKING:  # else a misspelt name would be of type object

    def __getattr__(name: str) -> object:
        """Load a class when it is asked for: a client needs few of them, and must start at once."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return load(name)
