"""Which module has which public class, so that one can be loaded without the others."""

from __future__ import annotations

from importlib import import_module

HOMES: dict[str, tuple[str, ...]] = {
    "innkeeper.objects.base": ("VersionedObject",),
    "innkeeper.objects.change_set": ("ChangeSet",),
    "innkeeper.objects.claim": (
        "AfterUse",
        "Claim",
        "ClaimSpec",
        "ClaimState",
        "ClaimUpdate",
        "Holder",
        "Process",
    ),
    "innkeeper.objects.compute_node": (
        "ComputeNode",
        "ComputeNodeList",
    ),
    "innkeeper.objects.cordon": (
        "Cordon",
        "CordonCause",
        "CordonKind",
    ),
    "innkeeper.objects.cpu_model": (
        "VirtCPUFeature",
        "VirtCPUModel",
        "VirtCPUTopology",
    ),
    "innkeeper.objects.event": (
        "Event",
        "EventKind",
    ),
    "innkeeper.objects.finding": (
        "AuditReport",
        "Finding",
        "Severity",
    ),
    "innkeeper.objects.flavor": (
        "Flavor",
        "FlavorList",
    ),
    "innkeeper.objects.host": (
        "Cell",
        "CellOrder",
        "Cpu",
        "Device",
        "Disk",
        "Host",
        "Inventory",
        "InventoryCell",
        "InventoryPages",
        "Pages",
        "PciFunction",
        "PciKind",
        "Quantity",
        "Withheld",
    ),
    "innkeeper.objects.hv_spec": ("HVSpec",),
    "innkeeper.objects.image_meta": (
        "ImageMeta",
        "ImageMetaProps",
    ),
    "innkeeper.objects.instance": (
        "Instance",
        "InstanceList",
    ),
    "innkeeper.objects.instance_numa": (
        "InstanceNUMACell",
        "InstanceNUMATopology",
    ),
    "innkeeper.objects.migration": (
        "Migration",
        "MigrationContext",
        "MigrationList",
    ),
    "innkeeper.objects.move": (
        "Departure",
        "Move",
        "MoveKind",
        "MoveSpec",
        "MoveState",
        "Origin",
        "Side",
    ),
    "innkeeper.objects.nova": ("NovaObject",),
    "innkeeper.objects.numa": (
        "NetworkMetadata",
        "NUMACell",
        "NUMAPagesTopology",
        "NUMATopology",
        "NUMATopologyLimits",
    ),
    "innkeeper.objects.pci_device": (
        "PciDevice",
        "PciDeviceList",
    ),
    "innkeeper.objects.pci_pool": (
        "PciDevicePool",
        "PciDevicePoolList",
    ),
    "innkeeper.objects.pci_request": (
        "InstancePCIRequest",
        "InstancePCIRequests",
    ),
    "innkeeper.objects.request": (
        "DeviceRequest",
        "DeviceUnit",
        "Filtered",
        "Misfit",
        "NumaPolicy",
        "PlacedDevice",
        "Placement",
        "PoolFiltered",
        "Request",
        "UnitMember",
        "UnitPlace",
    ),
    "innkeeper.objects.running": (
        "PowerState",
        "RunningInstance",
    ),
    "innkeeper.objects.service": (
        "Service",
        "ServiceList",
    ),
    "innkeeper.objects.topology": (
        "CellMisfit",
        "CellPreference",
        "EmulatorThreads",
        "GuestCell",
        "GuestTopology",
        "L3Policy",
        "Limits",
        "Networks",
        "PlacedCell",
        "ThreadPolicy",
    ),
    "innkeeper.objects.usage": (
        "Amounts",
        "CellUsage",
        "PageUsage",
        "Pool",
        "Usage",
    ),
}


def load(name: str) -> object:
    """The public class of that name."""
    home = next(home for home, names in HOMES.items() if name in names)
    return getattr(import_module(home), name)


def load_all() -> None:
    """Make every class known to the registry."""
    for home in HOMES:
        import_module(home)
