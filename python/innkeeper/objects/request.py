"""What an instance asks for, where it was put, and why not."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from innkeeper.objects.base import (
    Amount,
    CounterName,
    CpuList,
    Name,
    PciAddress,
    PciId,
    VersionedObject,
)
from innkeeper.objects.history import Added
from innkeeper.objects.host import PciKind
from innkeeper.objects.topology import CellMisfit, GuestTopology, Limits, Networks, PlacedCell

VCpus = Annotated[int, Field(strict=True, ge=1, le=65_536)]
Mebibytes = Annotated[int, Field(strict=True, ge=1, le=2**40)]
Count = Annotated[int, Field(strict=True, ge=1, le=65_536)]


DevicePattern = Annotated[dict[Name, str | None], Field(max_length=32)]
"""Properties that a device's pool must have, as a spec of Nova's `InstancePCIRequest` names them:
`vendor_id`, `product_id`, `dev_type`, `address`, `parent_ifname`, `remote_managed`, or any tag. Texts are
compared without case; null means absent or null."""

Alternatives = Annotated[tuple[DevicePattern, ...], Field(max_length=64)]


class NumaPolicy(StrEnum):
    """How near a device must be to the instance's cells; without cells every device is near."""

    REQUIRED = "required"
    """On one of the cells."""
    LEGACY = "legacy"
    """On one of the cells, or on a cell that the host does not tell."""
    PREFERRED = "preferred"
    """Anywhere, near ones first."""
    SOCKET = "socket"
    """On a cell of the same sockets."""


class UnitPlace(StrEnum):
    """What the functions of one unit share."""

    SLOT = "slot"
    """Domain, bus and device number: the functions of one card."""
    SWITCH = "switch"
    """The nearest PCIe switch above them."""
    IOMMU_GROUP = "iommu_group"


class UnitMember(VersionedObject):
    """So many functions of one kind within each unit."""

    alternatives: Alternatives
    count: Count = 1


class DeviceUnit(VersionedObject):
    """Several functions that are given out and come back as one."""

    place: UnitPlace
    members: Annotated[tuple[UnitMember, ...], Field(max_length=16)] = ()
    """What one unit is made of; empty: every function of the place, one of which must match the
    request."""


class DeviceRequest(VersionedObject):
    """So many devices of one kind, each for this instance alone.

    The kind is said in one of three ways: `vendor_id` and `product_id`, `alias`, or `alternatives`.
    """

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("alias", "alternatives", "numa_policy", "unit", "providers", "requester"),
    }

    vendor_id: PciId | None = None
    product_id: PciId | None = None
    count: Count = 1
    """Of devices; of units, when the alias stands for units."""
    alias: Name | None = None
    """The operator's name; resolved against `[[aliases]]` of the host that decides."""
    alternatives: Alternatives = ()
    """Any of these is good; the first that matches does not go first."""
    numa_policy: NumaPolicy | None = None
    """Null: the alias's own, or `legacy`."""
    unit: DeviceUnit | None = None
    providers: Annotated[tuple[UUID, ...], Field(max_length=65_536)] = ()
    """The provider of each device, as Placement allocated them: none, or exactly `count`."""
    requester: Name | None = None
    """The id of the port that the device is for. A port's request ignores `providers`."""


class Request(VersionedObject):
    """What an instance asks for; null is "nothing of it", zero is refused."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("cells"),
        "1.2": Added("topology", "limits", "networks"),
    }

    vcpus: VCpus | None = None
    memory_mib: Mebibytes | None = None
    disk_mib: Mebibytes | None = None
    devices: Annotated[tuple[DeviceRequest, ...], Field(max_length=64)] = ()
    counters: Annotated[dict[CounterName, Count], Field(max_length=64)] = {}
    cells: Annotated[tuple[Amount, ...], Field(max_length=1024)] | None = None
    """Host cells that the instance is on already: NUMA policies of devices are judged against them.
    Null: no policy applies. Not beside a topology, which says where the instance will be."""
    topology: GuestTopology | None = None
    """Null: the instance floats over all shared CPUs, and its memory over all cells."""
    limits: Limits | None = None
    """Null: the host's own ratios."""
    networks: Networks | None = None
    """Of an instance with a topology: what its cells are to be close to."""


class PlacedDevice(VersionedObject):
    """One device given to an instance."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("request", "identity")}

    address: PciAddress
    vendor_id: PciId
    product_id: PciId
    cell: int | None = None
    parent: PciAddress | None = None
    """The PF of a VF; it stays barred while this is held, even when the VF is no longer offered."""
    request: Amount | None = None
    """Position in `Request.devices` of what it was given for."""
    identity: str | None = None
    """See `Device.identity`: the hardware that is held, wherever it is found."""


class Placement(VersionedObject):
    """What a claim holds: amounts, CPUs to run on, devices."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("cells")}

    vcpus: Amount = 0
    """vCPUs that float; dedicated ones are in the cells."""
    memory_mib: Amount = 0
    """Ordinary memory; what comes from hugepages is in the cells."""
    disk_mib: Amount = 0
    cpus: CpuList = ""
    """CPUs that the instance may run on, its emulator's own among them; empty when it asked for no vCPU."""
    devices: tuple[PlacedDevice, ...] = ()
    counters: dict[CounterName, Amount] = {}
    cells: Annotated[tuple[PlacedCell, ...], Field(max_length=1024)] = ()
    """Of an instance with a topology, in the order of its guest cells."""

    @property
    def all_vcpus(self) -> int:
        """Those that float and those that have a CPU each."""
        return self.vcpus + sum(len(cell.pins) for cell in self.cells)

    @property
    def all_memory_mib(self) -> int:
        """Ordinary memory and hugepages; what lies in cells is counted there whatever it is made of."""
        return max(self.memory_mib, sum(cell.memory_mib for cell in self.cells))


class Filtered(VersionedObject):
    """How many candidates one filter removed and how many it left."""

    filter: str
    removed: Amount
    left: Amount


class PoolFiltered(VersionedObject):
    """What the filters of one device request did to one pool."""

    vendor_id: PciId
    product_id: PciId
    kind: PciKind
    cell: int | None
    parent: PciAddress | None
    total: Amount
    filters: tuple[Filtered, ...] = ()
    """Those that removed something, in order; the last one's `left` could be given."""


class Misfit(VersionedObject):
    """One constraint that fails, with its numbers."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": Added("request", "pools"),
        "1.2": Added("guest_cell", "cells"),
    }

    code: str
    """`insufficient_vcpus`, `insufficient_memory`, `insufficient_disk`, `insufficient_counter`,
    `unknown_counter`, `insufficient_devices`, `unknown_device`, `host_cordoned`; of cells
    `insufficient_cells`, `insufficient_dedicated_cpus`, `insufficient_cores`, `insufficient_pages`,
    `unknown_page_size`, `uneven_pages`, `insufficient_l3`, `cell_cordoned`, `cells_compete`,
    `cells_far_from_devices` or `cells_far_from_networks`."""
    resource: str
    """`vcpus`, `memory_mib`, `disk_mib`, the counter's name, `host`, `cells`; of devices the alias,
    `vendor:product`, or `port ID`."""
    message: str
    asked: Amount
    free: Amount
    """What would fit now; with devices, what is free together with the rest of the request."""
    capacity: Amount
    used: Amount
    filters: tuple[Filtered, ...] = ()
    request: Amount | None = None
    """Position of the device request that it speaks of."""
    pools: tuple[PoolFiltered, ...] = ()
    """Of devices: the pools that have what the request names, in the order in which they are given
    out."""
    guest_cell: Amount | None = None
    """Position of the guest cell that it speaks of."""
    cells: tuple[CellMisfit, ...] = ()
    """Of a guest cell: why it does not fit on each host cell, in the order in which they are tried."""
