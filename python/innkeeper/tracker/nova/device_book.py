"""Who holds which device of a host, and what that makes of its PF and VFs.

Kept by the forms of claims that are written or on their way to the store; it follows inventory and
claims by their changes, and collects the devices whose record may have to be written again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from innkeeper.objects import Claim, Device, PciFunction, PlacedDevice
from innkeeper.requests.offer import as_device
from innkeeper.tracker.nova.device_status import Facts, Hold, hold_of
from innkeeper.tracker.nova.pools import NovaPools, order


class Observed(Protocol):
    """What the host has, as it was seen last."""

    @property
    def by_address(self) -> Mapping[str, PciFunction]:
        """All functions; another mapping when any of them is another."""
        ...

    def identity(self, address: str) -> str | None:
        """Of the hardware that is there; see `Device.identity`."""
        ...

    def address_of(self, identity: str | None) -> str | None:
        """Where hardware is; null when it is not there, or does not say who it is."""
        ...


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

    def __init__(self, observed: Observed) -> None:
        """Keep the devices of a host; `observed` is always as new as the devices that are told."""
        self._observed = observed
        self.pools = NovaPools()
        self._seen: Sequence[Device] = ()
        self._functions: Mapping[str, PciFunction] | None = None
        self._devices: dict[str, Device] = {}
        self._last: dict[str, Device] = {}
        """What left the host while somebody holds it, as it was."""
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._claims: dict[UUID, Claim] = {}
        self._laid: dict[UUID, tuple[str, ...]] = {}
        self._holdings: dict[str, dict[str, Holding]] = {}
        """By the address where it was given. Of several at one, since hardware was moved there,
        `holding` tells the right one."""
        self._left: dict[str, PlacedDevice] = {}
        """Where hardware was that is held and is elsewhere now: the ledger keeps that booked, too."""
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
        if device is not None and device.identity == self._observed.identity(address):
            return device
        held = self.holding(address)
        if device is None:
            return None if held is None else self._absent(held.placed)
        # The record of a claim, whose hardware is not there: who that is the claim knows best.
        return None if held is None else _known_as(device, held.placed.identity)

    def _absent(self, placed: PlacedDevice) -> Device:
        last = self._last.get(placed.address)
        return as_device(placed) if last is None else _known_as(last, placed.identity)

    def holding(self, address: str) -> Holding | None:
        """Who holds it: before all others whoever was given this very hardware."""
        held = self._holdings.get(address)
        if not held or len(held) == 1:
            return next(iter(held.values())) if held else None
        device = self._devices.get(address)
        identity = device.identity if device else None
        return min(
            held.values(), key=lambda one: (one.placed.identity != identity, one.placed.address)
        )

    def place_of(self, placed: PlacedDevice) -> str:
        """Where the hardware is that was given out at an address."""
        return self._observed.address_of(placed.identity) or placed.address

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
        if address in self._devices:
            self._touched.add(address)
        self._touched.update(self._children.get(address, ()))

    def absent(self) -> list[str]:
        """Addresses that are held and not offered."""
        return sorted(self._holdings.keys() - self._devices.keys(), key=order)

    # -- what is told to it ------------------------------------------------------------------

    def observe(self, devices: Sequence[Device]) -> None:
        """Take over what is offered now; costs a look at each device, and work for what differs."""
        if devices is not self._seen:
            self._seen = devices
            self._take_over({device.address: device for device in devices})
        if self._observed.by_address is not self._functions:
            self._functions = self._observed.by_address
            self._lay_again()

    def _take_over(self, now: dict[str, Device]) -> None:
        before = self._devices
        gone = [address for address in before if address not in now]
        changed = [one for address, one in now.items() if _differ(before.get(address), one)]
        for device in changed:
            if device.address in before:
                self._take_out(before[device.address])
        for address in gone:
            self._take_out(before[address])
        self._devices = now
        for device in changed:
            self._put_in(device)
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

    def _put_in(self, device: Device) -> None:
        self.pools.add(device)
        self._last.pop(device.address, None)
        if device.parent is not None:
            self._children[device.parent].add(device.address)

    def _lay_again(self) -> None:
        """Hardware may be elsewhere now, and then it is held there."""
        for claim_id, claim in tuple(self._claims.items()):
            if self._laid[claim_id] != tuple(map(self.place_of, claim.placement.devices)):
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
        laid = [(self.place_of(placed), placed) for placed in claim.placement.devices]
        self._laid[claim.id] = tuple(address for address, _ in laid)
        for address, placed in laid:
            self._holdings.setdefault(address, {})[placed.address] = Holding(claim, placed)
            if address != placed.address:
                self._left[placed.address] = placed
        self._weigh_all(claim)

    def _drop(self, claim_id: UUID) -> None:
        claim = self._claims.pop(claim_id, None)
        if claim is None:
            return
        for address, placed in zip(self._laid[claim_id], claim.placement.devices, strict=True):
            self._left.pop(placed.address, None)
            held = self._holdings.get(address, {})
            held.pop(placed.address, None)
            if not held:
                self._holdings.pop(address, None)
        self._weigh_all(claim)
        del self._laid[claim_id]

    def _weigh_all(self, claim: Claim) -> None:
        given = {placed.address for placed in claim.placement.devices}
        for address in sorted(given.union(self._laid[claim.id])):
            self._weigh(address)

    # -- what follows from it ----------------------------------------------------------------

    def _weigh(self, address: str) -> None:
        """Look at a device again, and at everyone whom it may bar."""
        before = self._weights.get(address, _NO_WEIGHT)
        now = self._weight(address)
        if before is not now and before != now:
            self._weights[address] = now
            self._bar(before, -1)
            self._bar(now, 1)
            self._judge_all({before.parent, now.parent} - {None})
            self._judge_all(self._children.get(address, ()))
        if now is _NO_WEIGHT:
            self._weights.pop(address, None)
        self._judge(address)

    def _weight(self, address: str) -> _Weight:
        device, holding = self._devices.get(address), self.holding(address)
        if holding is not None:
            parent = device.parent if device else holding.placed.parent
            return _Weight(hold_of(holding.claim), parent)
        if (left := self._left.get(address)) is not None:
            return _Weight(Hold.WITHHELD, left.parent)
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
        if not self._weights:
            return Hold.FREE
        device, counts = self._devices.get(address), self._below.get(address)
        above = self._weights.get(device.parent) if device and device.parent else None
        firmest = Hold.FREE if above is None else above.hold
        if counts is not None:
            firmest = max([firmest, *(hold for hold in Hold if counts[hold])])
        return firmest


def _differ(before: Device | None, now: Device) -> bool:
    return before is None or (before is not now and before != now)


def _known_as(device: Device, identity: str | None) -> Device:
    if device.identity == identity:
        return device
    return device.model_copy(update={"identity": identity})
