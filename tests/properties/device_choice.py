"""Which devices a request gets, by trying everything, in the documented order of preference.

Nothing here counts or is clever: a question is answered by taking devices one at a time in every way
that matters, and the first device of the order is taken with which the rest can still be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from innkeeper.objects import Device, DeviceRequest, Inventory, PciKind, Placement, Request
from innkeeper.objects.request import DeviceUnit, NumaPolicy, UnitPlace

Pattern = Mapping[str, str | None]
Chosen = list[tuple[str, int]]
"""Addresses, each with the position of the request that it is for."""

TRUE = {"1", "t", "true", "on", "y", "yes"}
DEV_TYPES = {
    PciKind.PCI: "type-PCI",
    PciKind.PF: "type-PF",
    PciKind.VF: "type-VF",
    PciKind.VDPA: "vdpa",
}
NEAR, UNKNOWN, SAME_SOCKET, FAR = range(4)
ANYWHERE = (NEAR, UNKNOWN, SAME_SOCKET, FAR)
LEVELS: dict[NumaPolicy, list[tuple[int, ...]]] = {
    NumaPolicy.REQUIRED: [(NEAR,)],
    NumaPolicy.LEGACY: [(NEAR,), (NEAR, UNKNOWN)],
    NumaPolicy.PREFERRED: [(NEAR,), (NEAR, UNKNOWN), ANYWHERE],
    NumaPolicy.SOCKET: [(NEAR,), (NEAR, SAME_SOCKET)],
}


def properties(device: Device) -> dict[str, str | None]:
    """What Nova calls the properties of a device's pool."""
    named: dict[str, str | None] = {
        **device.tags,
        "vendor_id": device.vendor_id,
        "product_id": device.product_id,
        "dev_type": DEV_TYPES[device.kind],
        "address": device.parent or device.address,
    }
    if device.parent_netdev:
        named["parent_ifname"] = device.parent_netdev
    if device.kind is not PciKind.PCI and named.get("remote_managed") is None:
        named["remote_managed"] = "false"
    return named


def rank(device: Device) -> int:
    """How many properties its pool has, beside those that every pool has."""
    return len(properties(device)) + (device.provider is not None)


def is_true(word: str | None) -> bool:
    return word is not None and word.strip().lower() in TRUE


def matches(pattern: Pattern, named: Mapping[str, str | None]) -> bool:
    pairs = ((named.get(key), asked) for key, asked in pattern.items())
    return all((has and has.lower()) == (asked and asked.lower()) for has, asked in pairs)


def admits(alternatives: Sequence[Pattern], device: Device) -> bool:
    """Some alternative matches, and some asks for what is only given when asked for."""
    named = properties(device)
    if not any(matches(one, named) for one in alternatives):
        return False
    kinds = {one.get("dev_type") for one in alternatives}
    if device.kind in (PciKind.PF, PciKind.VDPA) and DEV_TYPES[device.kind] not in kinds:
        return False
    if is_true(named.get("remote_managed")):
        return any(is_true(one.get("remote_managed")) for one in alternatives)
    return _migrates(alternatives, named)


def _migrates(alternatives: Sequence[Pattern], named: Mapping[str, str | None]) -> bool:
    words = {one.get("live_migratable") for one in alternatives}
    return words not in ({"true"}, {"false"}) or named.get("live_migratable") in words


def serves(part: DeviceRequest, device: Device) -> bool:
    """Whether a device is of the kind that a part of a request names.

    By vendor and product PFs and vDPA devices are given too; remotely managed ones only when asked for.
    """
    if part.alternatives:
        return admits(part.alternatives, device)
    product = (device.vendor_id, device.product_id)
    remote = is_true(properties(device).get("remote_managed"))
    return product == (part.vendor_id, part.product_id) and not remote


def bars(one: Device, other: Device) -> bool:
    """They are the same, or a VF and the function that it is of."""
    return (
        one.address == other.address or one.parent == other.address or other.parent == one.address
    )


def free_devices(inventory: Inventory, held: Iterable[Placement]) -> list[Device]:
    """Those that nobody holds, that are not withheld, and that no such device bars."""
    placed = [it for placement in held for it in placement.devices]
    taken, barred = {it.address for it in placed}, {it.parent for it in placed}
    withheld = [it for it in inventory.devices if it.withheld]
    return [
        device
        for device in inventory.devices
        if device.address not in taken | barred
        and device.parent not in taken
        and not any(bars(device, it) for it in withheld)
    ]


@dataclass
class Want:
    """So many devices for one part, of one provider if it names providers."""

    position: int
    left: int
    levels: list[tuple[int, ...]]
    mine: frozenset[str]
    """Addresses of the devices that may be given, as far as nearness allows."""
    level: tuple[int, ...] = ANYWHERE


class Question:
    """One request over the free devices of a host."""

    def __init__(
        self, inventory: Inventory, request: Request, held: Iterable[Placement] = ()
    ) -> None:
        self.inventory, self.request = inventory, request
        self.free = {it.address: it for it in free_devices(inventory, held)}
        self.wants = [want for pair in enumerate(request.devices) for want in self._wants(*pair)]
        for want in self.wants:
            want.level = want.levels[-1]

    def first(self) -> Chosen | None:
        """The first solution; null when there is none."""
        units = [
            (position, part.unit)
            for position, part in enumerate(self.request.devices)
            if part.unit
            for _ in range(part.count)
        ]
        chosen: Chosen = []
        if not self._place(units, chosen):
            return None
        for want in self.wants:
            chosen += self._served(want)
        return chosen

    # What is wanted

    def _wants(self, position: int, part: DeviceRequest) -> Iterator[Want]:
        if part.unit:
            return
        levels = self._levels(part.numa_policy)
        providers: list[UUID | None] = [*sorted(set(part.providers))] or [None]
        for provider in providers:
            mine = frozenset(
                it.address
                for it in self.inventory.devices
                if serves(part, it) and provider in (None, it.provider)
            )
            count = part.count if provider is None else part.providers.count(provider)
            yield Want(position, count, levels, mine)

    def _levels(self, policy: NumaPolicy | None) -> list[tuple[int, ...]]:
        if not self.request.cells:
            return [ANYWHERE]
        return LEVELS[policy or NumaPolicy.LEGACY]

    def _nearness(self, device: Device) -> int:
        mine = self.request.cells or ()
        if not mine or device.cell in mine:
            return NEAR
        if device.cell is None:
            return UNKNOWN
        sockets = {cell.id: cell.socket for cell in self.inventory.cells}
        told = None not in sockets.values() and device.cell in sockets
        same = told and sockets[device.cell] in [sockets[it] for it in mine if it in sockets]
        return SAME_SOCKET if same else FAR

    def _may_have(self, want: Want, device: Device) -> bool:
        return device.address in want.mine and self._nearness(device) in want.level

    # Units

    def _place(self, units: Sequence[tuple[int, DeviceUnit]], chosen: Chosen) -> bool:
        """Each unit at the first place that leaves room for the rest."""
        if not units or not self.is_possible():
            return self.is_possible()
        (position, unit), *rest = units
        return any(
            self._fill(position, functions, rest, chosen)
            for functions in self._places(self.request.devices[position], unit)
        )

    def _fill(
        self,
        position: int,
        functions: Sequence[Sequence[Device]],
        units: Sequence[tuple[int, DeviceUnit]],
        chosen: Chosen,
    ) -> bool:
        if not functions:
            return self._place(units, chosen)
        candidates, *others = functions
        for device in candidates:
            if device.address not in self.free:
                continue
            gone = self._take(device)
            chosen.append((device.address, position))
            if self._fill(position, others, units, chosen):
                return True
            chosen.pop()
            self.free |= gone
        return False

    def _places(self, part: DeviceRequest, unit: DeviceUnit) -> Iterator[list[list[Device]]]:
        places: dict[Any, list[Device]] = {}
        for device in sorted(self.inventory.devices, key=lambda it: it.address):
            place = place_of(device, unit.place)
            if place is not None:
                places.setdefault(place, []).append(device)
        found = []
        for here in places.values():
            functions = self._functions(part, unit, here)
            several = [it for candidates in functions for it in candidates]
            if several:
                farthest = max(self._nearness(it) for it in several)
                found.append((farthest, min(it.address for it in several), functions))
        yield from (functions for *_, functions in sorted(found, key=lambda it: it[:2]))

    def _functions(
        self, part: DeviceRequest, unit: DeviceUnit, here: list[Device]
    ) -> list[list[Device]]:
        """For each function of a unit at one place what it may be."""
        near = self._levels(part.numa_policy)[-1]
        if unit.members:
            functions = [
                [it for it in here if admits(member.alternatives, it)]
                for member in unit.members
                for _ in range(member.count)
            ]
        elif any(serves(part, it) for it in here if not self._is_below(it, here)):
            functions = [[it] for it in here if not self._is_below(it, here)]
        else:
            return []
        return [[it for it in some if self._nearness(it) in near] for some in functions]

    @staticmethod
    def _is_below(device: Device, here: Iterable[Device]) -> bool:
        """A VF goes with its PF where that is at the same place."""
        return any(it.address == device.parent for it in here)

    # Single devices

    def _served(self, want: Want) -> Chosen:
        for level in want.levels:
            want.level = level
            if self.is_possible():
                break
        chosen: Chosen = []
        for device in self._in_order(want):
            if want.left and device.address in self.free and self._can_spare(want, device):
                chosen.append((device.address, want.position))
        return chosen

    def _in_order(self, want: Want) -> list[Device]:
        """Fewest properties first, then lowest pools; VFs of one PF from the highest down."""
        pools: dict[str, list[str]] = {}
        for it in self.inventory.devices:
            pools.setdefault(_pool_of(it), []).append(it.address)

        def order(it: Device) -> tuple[bool, int, str, int]:
            alike = sorted(pools[_pool_of(it)])
            last = want.level == ANYWHERE and self._nearness(it) > UNKNOWN
            first = alike[0] if it.parent else it.address
            return last, rank(it), first, -alike.index(it.address)

        mine = [it for it in self.free.values() if self._may_have(want, it)]
        return sorted(mine, key=order)

    def _can_spare(self, want: Want, device: Device) -> bool:
        gone = self._take(device)
        want.left -= 1
        if self.is_possible():
            return True
        want.left += 1
        self.free |= gone
        return False

    def _take(self, device: Device) -> dict[str, Device]:
        gone = {it.address: it for it in self.free.values() if bars(it, device)}
        for address in gone:
            del self.free[address]
        return gone

    # Whether it can be had

    def is_possible(self) -> bool:
        """Whether every want can have what it lacks: by taking devices in every way.

        A device is no more than the set of wants that may have it, and whose relative it is; what is
        alike in this is tried once.
        """
        masks = {address: self._mask(it) for address, it in self.free.items()}
        families: dict[str, list[str]] = {}
        for it in self.free.values():
            families.setdefault(it.parent or it.address, []).append(it.address)
        groups = [
            (masks.get(root, 0), tuple(sorted(masks[it] for it in members if it != root)))
            for root, members in families.items()
        ]
        return _can_serve(tuple(want.left for want in self.wants), tuple(sorted(groups)))

    def _mask(self, device: Device) -> int:
        wants = enumerate(self.wants)
        return sum(1 << number for number, want in wants if self._may_have(want, device))


Group = tuple[int, tuple[int, ...]]
"""A function and its VFs, each by the set of wants that may have it."""


@cache
def _can_serve(lefts: tuple[int, ...], groups: tuple[Group, ...]) -> bool:
    number = next((number for number, left in enumerate(lefts) if left), None)
    if number is None:
        return True
    rest = (*lefts[:number], lefts[number] - 1, *lefts[number + 1 :])
    return any(_can_serve(rest, left) for left in _ways(groups, 1 << number))


def _ways(groups: tuple[Group, ...], want: int) -> Iterator[tuple[Group, ...]]:
    """What is left after one device was taken for a want, in every way that differs."""
    for group in sorted(set(groups)):
        others = list(groups)
        others.remove(group)
        root, vfs = group
        if root & want:
            yield tuple(others)
        for vf in sorted({it for it in vfs if it & want}):
            left = list(vfs)
            left.remove(vf)
            yield tuple(sorted([*others, (0, tuple(left))]))


def place_of(device: Device, place: UnitPlace) -> Any:
    """What functions share that are at one place."""
    match place:
        case UnitPlace.SLOT:
            return device.address.rpartition(".")[0]
        case UnitPlace.SWITCH:
            return device.switch
        case UnitPlace.IOMMU_GROUP:
            return device.iommu_group


def _pool_of(device: Device) -> str:
    named = sorted(properties(device).items(), key=str) if device.parent else device.address
    return repr((named, device.cell, device.provider))
