"""How much of a host is held."""

from __future__ import annotations

from uuid import UUID

from innkeeper.objects.base import Amount, CpuList, PciAddress, PciId, VersionedObject
from innkeeper.objects.history import Added, NewValues
from innkeeper.objects.host import PciKind


class Amounts(VersionedObject):
    """One resource: capacity = (total - reserved) x ratio; free = capacity - used, never below 0.

    What is used on cordoned cells is in no capacity and takes nothing from it.
    """

    total: Amount
    reserved: Amount
    capacity: Amount
    used: Amount
    free: Amount


class PageUsage(VersionedObject):
    """Pages of one size (KiB) in a cell; free is never below 0."""

    size_kib: Amount
    total: Amount
    reserved: Amount
    used: Amount
    free: Amount


class CellUsage(VersionedObject):
    """What is held of one cell of the host."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("dedicated_vcpus")}

    cell: Amount
    shared_vcpus: Amount
    """vCPUs that float over its shared CPUs."""
    dedicated_cpus: Amounts
    charged: CpuList
    """Its CPUs that are one instance's alone."""
    memory_mib: Amount
    """Of instances with a topology, whatever pages it is of."""
    pages: tuple[PageUsage, ...] = ()
    """By size, ascending."""
    dedicated_vcpus: Amount = 0
    """vCPUs that have a CPU each; emulators and idle siblings take CPUs beside."""


class Usage(VersionedObject):
    """Sums over all bookings, beside what the host offers."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("cells")}

    vcpus: Amounts
    memory_mib: Amounts
    disk_mib: Amounts
    counters: dict[str, Amounts] = {}
    devices: Amounts
    """Free are those that could be booked now, one at a time; the capacity leaves out those that are
    barred by their booked PF or VFs."""
    claims: Amount
    generation: Amount
    cells: tuple[CellUsage, ...] = ()
    """By id."""


class Pool(VersionedObject):
    """Devices alike in product, cell, kind, parent and tags."""

    VERSION = "1.1"
    HISTORY = {
        "1.0": "first",
        "1.1": (
            Added("parent", "parent_netdev", "tags", "provider", "withheld"),
            NewValues("kind", "vdpa"),
        ),
    }

    vendor_id: PciId
    product_id: PciId
    kind: PciKind
    cell: int | None
    total: Amount
    used: Amount
    free: Amount
    """Those that could be given out now, one at a time."""
    parent: PciAddress | None = None
    """The PF of VFs; plain functions and PFs that are alike share a pool."""
    parent_netdev: str | None = None
    tags: dict[str, str | None] = {}
    provider: UUID | None = None
    withheld: Amount = 0
    """Those that nobody holds and that are not handed out for now."""
