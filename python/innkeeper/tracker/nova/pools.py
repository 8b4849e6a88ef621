"""Pools as Nova 34 counts them: what its schedulers read of a host's devices.

The ledger's own pools group plain functions that are alike; Nova has a pool for each. Counts follow
single devices as they become free or not, and the object of a pool lasts until its count changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from innkeeper.objects import Device, PciKind
from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList

DEV_TYPES: Final = {
    PciKind.PCI: "type-PCI",
    PciKind.PF: "type-PF",
    PciKind.VF: "type-VF",
    PciKind.VDPA: "vdpa",
}

NOT_IN_KEYS: Final = frozenset({"resource_class", "traits", "rp_uuid", "rp_uuids"})
"""Tags that only Placement looks at."""

_FIXED: Final = 5
"""Entries that Nova counts beside tags: product, vendor, cell, count, and the list of devices."""

PoolKey = tuple[str, str, int | None, tuple[tuple[str, str | None], ...]]
"""Product, vendor, cell, and everything else as Nova's object has it: as tags."""


def pool_key(device: Device) -> PoolKey:
    """What a device's pool is known by (`nova/pci/stats.py` of Nova 34).

    `address` is the PF's for VFs, so that a plain function or PF is alone. The provider is part of it
    here, where Nova adds it later and then counts devices of two providers as an error.
    """
    tags: dict[str, str | None] = {"dev_type": DEV_TYPES[device.kind]}
    tags.update((name, text) for name, text in device.tags.items() if name not in NOT_IN_KEYS)
    tags["address"] = device.parent or device.address
    if device.parent_netdev:
        tags["parent_ifname"] = device.parent_netdev
    if device.kind is not PciKind.PCI and tags.get("remote_managed") is None:
        tags["remote_managed"] = "false"
    if device.provider is not None:
        tags["rp_uuid"] = str(device.provider)
    return device.product_id, device.vendor_id, device.cell, tuple(tags.items())


def is_alike(one: Device, other: Device) -> bool:
    """Whether two devices have the same key, without making it."""
    return (
        one.parent is not None
        and one.parent == other.parent
        and one.kind is other.kind
        and one.product_id == other.product_id
        and one.vendor_id == other.vendor_id
        and one.cell == other.cell
        and one.tags == other.tags
        and one.parent_netdev == other.parent_netdev
        and one.provider == other.provider
    )


def order(address: str) -> tuple[int, str]:
    """Sorts addresses by their numbers: domains have four digits unless they need more."""
    return len(address), address


@dataclass(slots=True, eq=False)
class _Pool:
    key: PoolKey
    sorted_key: PoolKey
    members: set[str] = field(default_factory=set)
    free: int = 0
    _place: tuple[int, tuple[int, str]] | None = None
    _made: PciDevicePool | None = None

    def add(self, address: str) -> None:
        self.members.add(address)
        self._place = None

    def remove(self, address: str) -> None:
        self.members.remove(address)
        self._place = None

    def place(self) -> tuple[int, tuple[int, str]]:
        """Devices with fewer properties are given out first; among equals the lowest address."""
        if self._place is None:
            self._place = _FIXED + len(self.key[3]), min(map(order, self.members))
        return self._place

    def made(self) -> PciDevicePool:
        if self._made is None or self._made.count != self.free:
            product, vendor, cell, tags = self.key
            self._made = PciDevicePool(
                product_id=product,
                vendor_id=vendor,
                numa_node=cell,
                tags=dict(tags),
                count=self.free,
            )
        return self._made


class NovaPools:
    """Counts the free devices of one host."""

    def __init__(self) -> None:
        self._pools: dict[PoolKey, _Pool] = {}
        self._of: dict[str, _Pool] = {}
        self._last: tuple[Device, _Pool] | None = None
        """What comes next is most often alike: the VFs of a PF follow each other."""
        self._ordered: list[_Pool] | None = None
        self._made: PciDevicePoolList | None = None

    def add(self, device: Device) -> None:
        """It is offered, and not free so far."""
        pool = self._pool_of(device)
        pool.add(device.address)
        self._of[device.address] = pool
        self._ordered = self._made = None

    def _pool_of(self, device: Device) -> _Pool:
        if self._last is not None and is_alike(self._last[0], device):
            return self._last[1]
        key = pool_key(device)
        # Tags are equal whatever their order.
        sorted_key = (*key[:3], tuple(sorted(key[3], key=lambda tag: tag[0])))
        pool = self._pools.get(sorted_key)
        if pool is None:
            pool = self._pools[sorted_key] = _Pool(key, sorted_key)
        self._last = device, pool
        return pool

    def remove(self, address: str) -> None:
        """It is not offered any more, and was not free."""
        pool = self._of.pop(address)
        pool.remove(address)
        if not pool.members:
            del self._pools[pool.sorted_key]
            self._last = None
        self._ordered = self._made = None

    def count(self, address: str, change: int) -> None:
        """It became free (1), or not free any more (-1)."""
        self._of[address].free += change
        self._made = None

    def as_object(self) -> PciDevicePoolList:
        """Pools with free devices, in the order in which they are given out.

        A pool of none is left out: Nova keeps some for a while, depending on what was claimed before.
        """
        if self._made is None:
            if self._ordered is None:
                self._ordered = sorted(self._pools.values(), key=_Pool.place)
            some = tuple(pool.made() for pool in self._ordered if pool.free)
            self._made = PciDevicePoolList(objects=some)
        return self._made
