"""How much of a host is held."""

from __future__ import annotations

from innkeeper.objects.base import Amount, PciId, VersionedObject
from innkeeper.objects.host import PciKind


class Amounts(VersionedObject):
    """One resource: capacity = (total - reserved) x ratio; free = capacity - used, never below 0."""

    total: Amount
    reserved: Amount
    capacity: Amount
    used: Amount
    free: Amount


class Usage(VersionedObject):
    """Sums over all bookings, beside what the host offers."""

    vcpus: Amounts
    memory_mib: Amounts
    disk_mib: Amounts
    counters: dict[str, Amounts] = {}
    devices: Amounts
    """Free are those that could be booked now, one at a time; the capacity leaves out those that are
    barred by their booked PF or VFs."""
    claims: Amount
    generation: Amount


class Pool(VersionedObject):
    """Devices alike in product, cell and kind."""

    vendor_id: PciId
    product_id: PciId
    kind: PciKind
    cell: int | None
    total: Amount
    used: Amount
    free: Amount
