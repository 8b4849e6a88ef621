"""What a host has, as its driver observed it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from innkeeper.objects.base import Amount, CpuList, PciAddress, PciId, VersionedObject
from innkeeper.objects.history import Added, NewValues
from innkeeper.objects.marks import maker
from innkeeper.objects.topology import Networks


class Cpu(VersionedObject):
    """One logical CPU by its kernel number.

    `core`, `die` and `socket` are the kernel's ids and unique only together; `l3` is the lowest CPU
    that shares the L3 cache. Whatever the host does not say is null.
    """

    id: Amount
    online: bool = True
    isolated: bool = False
    socket: int | None = None
    die: int | None = None
    core: int | None = None
    cell: int | None = None
    l3: int | None = None
    siblings: tuple[int, ...] = ()
    """CPUs of the same physical core, itself included, ascending; empty when offline."""


class Pages(VersionedObject):
    """Preallocated hugepages of one size (KiB) in one place, counted in pages."""

    size_kib: Amount
    total: Amount
    free: Amount


class Cell(VersionedObject):
    """A NUMA node; it may lack CPUs or memory, and ids may have holes."""

    id: Amount
    cpus: tuple[int, ...] = ()
    """Online CPUs, ascending."""
    memory_kib: Amount = 0
    """MemTotal of the cell, hugepages included."""
    pages: tuple[Pages, ...] = ()
    distances: dict[int, int] = {}
    """Distance to each cell by its id, 10 to itself; empty when the host does not say."""


class PciKind(StrEnum):
    """A function's place in SR-IOV: a plain function, a PF, a VF, or a VF that carries a vDPA device."""

    PCI = "pci"
    PF = "pf"
    VF = "vf"
    VDPA = "vdpa"


class PciFunction(VersionedObject):
    """One PCI function of the host, whether or not it may be handed out."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": (
            Added("mac", "vf_number", "slot", "switch"),
            NewValues("kind", "vdpa"),
        ),
    }

    address: PciAddress
    vendor_id: PciId
    product_id: PciId
    class_id: str
    """Six lower-case hex digits: class, subclass, programming interface."""
    kind: PciKind = PciKind.PCI
    parent: PciAddress | None = None
    """The PF of a VF."""
    driver: str | None = None
    cell: int | None = None
    iommu_group: int | None = None
    total_vfs: Amount = 0
    num_vfs: Amount = 0
    netdevs: tuple[str, ...] = ()
    serial: str | None = None
    """From the device serial number capability or vital product data; null when not readable."""
    used_by_host: str | None = None
    """Why the host itself needs this function, such as `default route via eth0`; null when it does
    not. Such a function is never claimable."""
    mac: str | None = None
    """Hardware address of a PF's first network device."""
    vf_number: int | None = None
    """Of a VF: its number among the VFs of its PF, from 0."""
    slot: str | None = None
    """The kernel's name of the physical slot (/sys/bus/pci/slots) that the card sits in."""
    switch: PciAddress | None = None
    """The upstream port of the nearest PCIe switch above it: functions behind one switch reach each
    other without the root complex."""


class Withheld(StrEnum):
    """Why a device that is admitted is not handed out for now."""

    CORDONED = "cordoned"
    """By an operator, itself or its cell."""
    DIRTY = "dirty"
    """Its last holder is gone and it is not clean yet."""
    MOVED = "moved"
    """A claim holds this very hardware under the address that it had before."""
    RETIRED = "retired"
    """Held, and no longer admitted: it goes with its holder."""
    IN_USE = "in_use"
    """A program of the host, or a guest that holds it, has it open."""


class Disk(VersionedObject):
    """The file system of `disk.path`, in MiB."""

    path: str
    total_mib: Amount
    free_mib: Amount


class Host(VersionedObject):
    """One machine at one moment."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("page_kib")}

    hostname: str
    boot_id: str | None = None
    machine_id: str | None = None
    observed_at: datetime | None = None
    cpus: tuple[Cpu, ...] = ()
    cells: tuple[Cell, ...] = ()
    """Always at least one: a host without NUMA is one cell 0 with everything."""
    memory_kib: Amount = 0
    """MemTotal of the machine, hugepages included."""
    pages: tuple[Pages, ...] = ()
    """Hugepages of the whole machine by size."""
    page_kib: Amount | None = None
    """Size of an ordinary page in KiB; null when nobody could tell, as from a mere copy of /sys."""
    functions: tuple[PciFunction, ...] = ()
    disk: Disk | None = None
    warnings: tuple[str, ...] = ()
    """One line for each thing that could not be read, naming its file."""


class Quantity(VersionedObject):
    """An amount that is shared out: capacity = (total - reserved) x allocation ratio, rounded down."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("cordoned", "cordons")}

    total: Amount
    reserved: Amount = 0
    allocation_ratio: float = 1.0
    """Between 0.000001 and 1,000,000, six decimals kept."""
    cordoned: Amount = 0
    """What there is behind cordons besides, and is not in `total`."""
    cordons: str | None = None
    """Which cordons these are, and why."""


class Device(VersionedObject):
    """A PCI function that the operator admitted, and what requests are matched against."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": (
            Added(
                "tags",
                "parent_netdev",
                "iommu_group",
                "switch",
                "identity",
                "provider",
                "withheld",
            ),
            NewValues("kind", "vdpa"),
        ),
    }

    address: PciAddress
    vendor_id: PciId
    product_id: PciId
    kind: PciKind = PciKind.PCI
    parent: PciAddress | None = None
    cell: int | None = None
    tags: dict[str, str | None] = {}
    """Of the device spec that admits it; booleans as `true` and `false`."""
    parent_netdev: str | None = None
    """The network device of a VF's PF."""
    iommu_group: int | None = None
    switch: PciAddress | None = None
    identity: str | None = None
    """What stays the same when the card is moved or renumbered: made of product and serial, for a VF
    of those of its PF and its number; null when the hardware does not say."""
    provider: UUID | None = None
    """The resource provider in Placement that counts it."""
    withheld: Withheld | None = None
    """Why it is not handed out for now. Like a booking this bars its PF and VFs too."""


device_of_checked = maker(Device)
"""A device of values that were checked already, every field among them."""


class InventoryPages(VersionedObject):
    """Pages of one size (KiB) of a cell that may be handed out; the smallest are ordinary memory."""

    size_kib: Annotated[int, Field(strict=True, ge=1, le=2**40)]
    total: Amount
    reserved: Amount = 0


class CellOrder(StrEnum):
    """Which cells of the host are taken first (Nova's `packing_host_numa_cells_allocation_strategy`)."""

    SPREAD = "spread"
    """Those with most free."""
    PACK = "pack"
    """Those with least free."""


class InventoryCell(VersionedObject):
    """A cell of the host, as placements see it; it may lack CPUs, memory, or both."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": Added(
            "shared",
            "dedicated",
            "memory_mib",
            "pages",
            "cores",
            "l3_groups",
            "distances",
            "cordoned",
            "networks",
        ),
    }

    id: Amount
    socket: int | None = None
    """The socket that most of its CPUs are on; null when it has none."""
    shared: CpuList = ""
    """CPUs that vCPUs float over."""
    dedicated: CpuList = ""
    """CPUs that are given to one vCPU each."""
    memory_mib: Amount = 0
    """All of it, hugepages included."""
    pages: tuple[InventoryPages, ...] = ()
    """By size, ascending."""
    cores: tuple[CpuList, ...] = ()
    """The shared and dedicated CPUs of each physical core, in the order in which cores are taken."""
    l3_groups: tuple[CpuList, ...] = ()
    """Those of each L3 cache, likewise; empty when the host does not say."""
    distances: dict[int, int] = {}
    """To each cell by its id, 10 to itself; empty when the host does not say."""
    cordoned: str | None = None
    """Why nothing new is placed here; null: it takes new claims."""
    networks: Networks | None = None
    """Those that it is close to."""


class Inventory(VersionedObject):
    """What may be handed out: the host after the operator's words were applied to it."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("cells", "cordoned"),
        "1.2": Added("cell_order"),
    }

    vcpus: Quantity
    """Of the shared CPUs."""
    memory_mib: Quantity
    """Ordinary memory; preallocated hugepages are not in it."""
    disk_mib: Quantity
    counters: dict[str, Quantity] = {}
    devices: tuple[Device, ...] = ()
    shared_cpus: str = ""
    """CPUs that instances float over, in the kernel's list format."""
    cells: tuple[InventoryCell, ...] = ()
    cordoned: str | None = None
    """Why nothing new is placed on this host; null: it takes new claims."""
    cell_order: CellOrder = CellOrder.SPREAD
