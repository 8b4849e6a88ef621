"""Who holds which device of a host, and what that makes of its PF and VFs.

Kept by the forms of claims that are written or on their way to the store; it follows inventory and
claims by their changes, and collects the devices whose record may have to be written again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from uuid import UUID

from innkeeper.objects import Claim, Device, PciKind, PlacedDevice
from innkeeper.tracker.device_status import Facts, Hold, hold_of
from innkeeper.tracker.nova_pools import NovaPools, order


@dataclass(frozen=True, slots=True)
class Holding:
    """A device in a claim."""

    claim: Claim
    placed: PlacedDevice


@dataclass(frozen=True, slots=True)
class _Weight:
    """How firmly a device is held, and its PF, which that bars."""

    hold: Hold
    parent: str | None


_NO_WEIGHT = _Weight(Hold.FREE, None)


class DeviceBook:
    """The devices of one host, by address."""

    def __init__(self) -> None:
        self.pools = NovaPools()
        self._seen: Sequence[Device] = ()
        self._devices: dict[str, Device] = {}
        self._last: dict[str, Device] = {}
        """What left the host while somebody holds it, as it was."""
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._at: defaultdict[str, set[str]] = defaultdict(set)
        """Addresses by identity. Two where a card was moved that is held: the old one keeps what
        its claim knows."""
        self._claims: dict[UUID, Claim] = {}
        self._by_identity: dict[str, UUID] = {}
        self._laid: dict[UUID, tuple[str, ...]] = {}
        self._holdings: dict[str, Holding] = {}
        self._weights: dict[str, _Weight] = {}
        self._below: dict[str, list[int]] = {}
        """For each PF, how many VFs of it are held, by how firmly."""
        self._free: set[str] = set()
        self._touched: set[str] = set()

    # -- what is asked of it -----------------------------------------------------------------

    def find(self, address: str) -> Device | None:
        """What is offered there, or was when its holder got it; null when there is nothing.

        Nothing is also where a card was that is held and is elsewhere now: it has one record.
        """
        device = self._devices.get(address)
        if device is None:
            held = self._holdings.get(address)
            return None if held is None else self._last.get(address) or _as_device(held.placed)
        return None if self._is_left_behind(device) else device

    def _is_left_behind(self, device: Device) -> bool:
        if device.identity is None or len(self._at[device.identity]) < 2:
            return False
        return device.address not in self._holdings

    def holding(self, address: str) -> Holding | None:
        """Who holds it."""
        return self._holdings.get(address)

    def facts(self, address: str) -> Facts:
        """What its status follows from."""
        own = self._weights.get(address, _NO_WEIGHT).hold
        return Facts(own, self._relatives(address), offered=address in self._devices)

    @property
    def touched(self) -> Set[str]:
        """Addresses whose record may be another than when `take_touched` was asked last."""
        return self._touched

    def take_touched(self) -> list[str]:
        """The same, ascending, and none of them is touched any more."""
        touched, self._touched = self._touched, set()
        return sorted(touched, key=order)

    def touch(self, addresses: Iterable[str]) -> None:
        """Their records are to be written again."""
        self._touched.update(addresses)

    def touch_family(self, address: str) -> None:
        """The same for a device and the VFs of it."""
        self._touched.update(
            ({address} & self._devices.keys()) | self._children.get(address, set())
        )

    def absent(self) -> list[str]:
        """Addresses that are held and not offered."""
        return sorted(self._holdings.keys() - self._devices.keys(), key=order)

    # -- what is told to it ------------------------------------------------------------------

    def observe(self, devices: Sequence[Device]) -> None:
        """Take over what is offered now; costs a look at each device, and work for what differs."""
        if devices is self._seen:
            return
        before, self._seen = self._devices, devices
        now = {device.address: device for device in devices}
        gone = [address for address in before if address not in now]
        changed = [one for address, one in now.items() if _differ(before.get(address), one)]
        old = [before[one.address] for one in changed if one.address in before]
        old += [before[address] for address in gone]
        for device in old:
            self._take_out(device)
        self._devices = now
        for device in changed:
            self._put_in(device)
        self._lay_again({one.identity for one in (*old, *changed) if one.identity})
        for address in (*gone, *(one.address for one in changed)):
            self._weigh(address)

    def _take_out(self, device: Device) -> None:
        address = device.address
        if address in self._free:
            self._free.remove(address)
            self.pools.count(address, -1)
        self.pools.remove(address)
        if address in self._holdings:
            self._last[address] = device
        if device.parent is not None:
            self._children[device.parent].discard(address)
        if device.identity is not None:
            self._at[device.identity].discard(address)

    def _put_in(self, device: Device) -> None:
        self.pools.add(device)
        self._last.pop(device.address, None)
        if device.parent is not None:
            self._children[device.parent].add(device.address)
        if device.identity is not None:
            self._at[device.identity].add(device.address)

    def _lay_again(self, identities: Iterable[str]) -> None:
        """Hardware may be elsewhere now, and then it is held there."""
        claim_ids = {self._by_identity[one] for one in identities if one in self._by_identity}
        for claim_id in sorted(claim_ids):
            claim = self._claims[claim_id]
            if self._laid[claim_id] != tuple(map(self._place, claim.placement.devices)):
                self._drop(claim_id)
                self._keep(claim)

    def follow(self, claim: Claim) -> None:
        """This is the next form of a claim."""
        if self._claims.get(claim.id) is claim:
            return
        self._drop(claim.id)
        if claim.state.live:
            self._keep(claim)
        addresses = [device.address for device in claim.placement.devices]
        self._touched.update(addresses)
        self._forget_last(addresses)

    def forget(self, claim: Claim) -> None:
        """There is no such claim after all."""
        self._drop(claim.id)
        self._forget_last(device.address for device in claim.placement.devices)

    def _forget_last(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            if address not in self._holdings:
                self._last.pop(address, None)

    def _keep(self, claim: Claim) -> None:
        self._claims[claim.id] = claim
        laid = [(self._place(placed), placed) for placed in claim.placement.devices]
        self._laid[claim.id] = tuple(address for address, _ in laid)
        for address, placed in laid:
            self._holdings[address] = Holding(claim, placed)
            if placed.identity is not None:
                self._by_identity[placed.identity] = claim.id
        self._weigh_all(claim.id)

    def _drop(self, claim_id: UUID) -> None:
        claim = self._claims.pop(claim_id, None)
        if claim is None:
            return
        for placed in claim.placement.devices:
            if self._by_identity.get(placed.identity or "") == claim_id:
                del self._by_identity[placed.identity or ""]
        for address in self._laid[claim_id]:
            held = self._holdings.get(address)
            if held is not None and held.claim.id == claim_id:
                del self._holdings[address]
        self._weigh_all(claim_id)
        del self._laid[claim_id]

    def _weigh_all(self, claim_id: UUID) -> None:
        for address in self._laid[claim_id]:
            self._weigh(address)

    def _place(self, placed: PlacedDevice) -> str:
        """Where the hardware is that was given out at an address."""
        elsewhere = self._at.get(placed.identity or "", set()) - {placed.address}
        return min(elsewhere, key=order) if elsewhere else placed.address

    # -- what follows from it ----------------------------------------------------------------

    def _weigh(self, address: str) -> None:
        """Look at a device again, and at everyone whom it may bar."""
        before = self._weights.get(address, _NO_WEIGHT)
        now = self._weight(address)
        if before != now:
            self._weights[address] = now
            self._bar(before, -1)
            self._bar(now, 1)
            self._judge_all({before.parent, now.parent} - {None})
            self._judge_all(self._children.get(address, ()))
        if now is _NO_WEIGHT:
            self._weights.pop(address, None)
        self._judge(address)

    def _weight(self, address: str) -> _Weight:
        device, holding = self._devices.get(address), self._holdings.get(address)
        if holding is not None:
            parent = device.parent if device else holding.placed.parent
            return _Weight(hold_of(holding.claim.state), parent)
        if device is not None and device.withheld is not None:
            return _Weight(Hold.WITHHELD, device.parent)
        return _NO_WEIGHT

    def _bar(self, weight: _Weight, change: int) -> None:
        if weight.parent is not None:
            self._below.setdefault(weight.parent, [0] * len(Hold))[weight.hold] += change

    def _judge_all(self, addresses: Iterable[str | None]) -> None:
        for address in addresses:
            if address is not None:
                self._judge(address)

    def _judge(self, address: str) -> None:
        """Whether it is free now."""
        self._touched.add(address)
        free = address in self._devices and address not in self._weights
        free = free and self._relatives(address) is Hold.FREE
        if free and address not in self._free:
            self._free.add(address)
            self.pools.count(address, 1)
        elif not free and address in self._free:
            self._free.remove(address)
            self.pools.count(address, -1)

    def _relatives(self, address: str) -> Hold:
        """The firmest hold on its PF or on a VF of it."""
        counts = self._below.get(address)
        below = max((hold for hold in Hold if counts[hold]), default=Hold.FREE) if counts else None
        device = self._devices.get(address)
        parent = device.parent if device else None
        above = self._weights.get(parent, _NO_WEIGHT).hold if parent else Hold.FREE
        return max(above, below or Hold.FREE)


def _differ(before: Device | None, now: Device) -> bool:
    return before is not now and before != now


def _as_device(placed: PlacedDevice) -> Device:
    """A device that is held and that the host does not offer any more, as far as its claim knows."""
    return Device(
        address=placed.address,
        vendor_id=placed.vendor_id,
        product_id=placed.product_id,
        kind=PciKind.VF if placed.parent else PciKind.PCI,
        parent=placed.parent,
        cell=placed.cell,
        identity=placed.identity,
    )
