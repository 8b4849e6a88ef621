"""What a ledger means, in forty lines of Python that nobody would ship."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from innkeeper.objects import Device, Inventory, Placement, Request


def capacity(inventory: Inventory, resource: str) -> int:
    """Ratios in the tests are whole numbers, so nothing is rounded."""
    quantity = inventory.counters.get(resource) or getattr(inventory, resource)
    return max(quantity.total - quantity.reserved, 0) * int(quantity.allocation_ratio)


def amounts(words: Request | Placement) -> dict[str, int]:
    plain = {name: getattr(words, name) or 0 for name in ("vcpus", "memory_mib", "disk_mib")}
    return {name: amount for name, amount in (plain | words.counters).items() if amount}


class LedgerModel:
    """Bookings by claim; everything else is worked out anew for each question."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.bookings: dict[str, Placement] = {}

    def used(self, resource: str) -> int:
        return sum(amounts(placement).get(resource, 0) for placement in self.bookings.values())

    def has_room(self, request: Request) -> bool:
        return all(
            asked + self.used(resource) <= capacity(self.inventory, resource)
            for resource, asked in amounts(request).items()
        )

    def free_devices(self) -> list[Device]:
        placed = [it for placement in self.bookings.values() for it in placement.devices]
        held, parents = {it.address for it in placed}, {it.parent for it in placed}
        return sorted(
            (
                device
                for device in self.inventory.devices
                if not {device.address, device.parent} & held and device.address not in parents
            ),
            key=lambda device: device.address,
        )

    def possible_devices(self, request: Request) -> set[tuple[str, ...]]:
        """Every set of free devices that is what is asked, by address."""
        wanted = Counter[str]()
        for part in request.devices:
            wanted[part.product_id or ""] += part.count
        found = set()
        for chosen in combinations(self.free_devices(), wanted.total()):
            addresses = tuple(device.address for device in chosen)
            parents = {device.parent for device in chosen}
            if Counter(it.product_id for it in chosen) == wanted and parents.isdisjoint(addresses):
                found.add(addresses)
        return found
