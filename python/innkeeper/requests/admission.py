"""Which functions of a host are devices when nobody holds them, kept from one observation to the next.

What does not change is neither matched again nor built again: an observation costs a comparison of
each function, and work for those that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from innkeeper.objects import Device, PciFunction
from innkeeper.objects.cordon import Cordon
from innkeeper.requests.alike import Likeness, groups_alike
from innkeeper.requests.cordoned import present_address
from innkeeper.requests.device_specs import DeviceRule, DeviceRules
from innkeeper.requests.identity import identity_of, serial_identities

_T = TypeVar("_T")

#: PCI base class of bridges (PCI Code and ID Assignment Specification, class 06h).
_BRIDGE = "06"


def why_not_offered(function: PciFunction, rule: DeviceRule | None) -> str | None:
    """Why a function that nobody holds is never handed out, in words for people; null when it may be."""
    barred = _why_barred(function)
    if barred is None and rule is None:
        return "no [[devices]] entry admits it"
    return barred


def _why_barred(function: PciFunction) -> str | None:
    """Why it is not handed out whatever the entries say."""
    if is_bridge(function):
        return "a bridge"
    if function.used_by_host is not None:
        return f"in use by host: {function.used_by_host}"
    return None


def is_bridge(function: PciFunction) -> bool:
    """Whether it only carries other functions."""
    return function.class_id.startswith(_BRIDGE)


class Admission:
    """The functions of one host, and what the operator's entries say of them."""

    def __init__(self) -> None:
        self._functions: tuple[PciFunction, ...] = ()
        self._rules: DeviceRules | None = None
        self._serials: dict[str, str] = {}
        self._rule_of: dict[str, DeviceRule | None] = {}
        self._addresses: dict[str, str] | None = None
        """By identity; made when somebody asks."""
        self.by_address: dict[str, PciFunction] = {}
        """Everything that was observed last, in the host's order."""
        self.devices: dict[str, Device | None] = {}
        """By address, in the host's order: what a function is as a device when nobody holds it."""
        self.replaced: dict[str, Device] = {}
        """What those were before that the last observation found changed."""
        self.replaced_rules: dict[str, DeviceRule] = {}
        """What admitted these before, and those that it found gone."""

    def observe(self, functions: tuple[PciFunction, ...], rules: DeviceRules) -> bool:
        """Take over what the host has and what the operator says of it; whether either is new."""
        if rules is self._rules and not _differ(self._functions, functions):
            return False
        found = _by_address(functions)
        serials = serial_identities(found.values())
        stale = found.keys() if rules is not self._rules else self._stale(found, serials)
        self._functions, self._rules = functions, rules
        self.by_address, self._serials = found, serials
        if len(stale) == len(found):
            self._match(found)
        else:
            self._match({address: one for address, one in found.items() if address in stale})
        return True

    def _stale(self, found: Mapping[str, PciFunction], serials: Mapping[str, str]) -> set[str]:
        """Those that changed, and what goes by a parent that did."""
        own = {
            address
            for address, function in found.items()
            if not _same(self.by_address.get(address), function)
            or serials.get(address) != self._serials.get(address)
        }
        own |= self.by_address.keys() - found.keys()
        family = {one.address for one in found.values() if one.parent in own} if own else set()
        return (own | family) & found.keys()

    def _match(self, fresh: Mapping[str, PciFunction]) -> None:
        """Find out what these are now, in the host's order; what the others are stays."""
        self.replaced_rules = {
            address: rule
            for address, rule in self._rule_of.items()
            if rule is not None and (address in fresh or address not in self.by_address)
        }
        self.replaced = {
            address: device
            for address, device in self.devices.items()
            if device is not None and address in fresh
        }
        rules = dict(zip(fresh, self.find_rules(list(fresh.values())), strict=True))
        self._rule_of = self._laid_over(self._rule_of, rules)
        self._addresses = None
        self.devices = self._laid_over(self.devices, self._devices_of(fresh.values()))

    def _laid_over(self, before: Mapping[str, _T], fresh: dict[str, _T]) -> dict[str, _T]:
        """What was found anew over what was known, for all that the host has, in its order."""
        if len(fresh) == len(self.by_address):
            return fresh
        return {
            address: fresh[address] if address in fresh else before[address]
            for address in self.by_address
        }

    def find_rules(self, fresh: Sequence[PciFunction]) -> Sequence[DeviceRule | None]:
        """The entry that admits each; one may name the PF, so the parents are shown too."""
        if self._rules is None:
            return [None] * len(fresh)
        return self._rules.find_all([*fresh, *self._parents_beside(fresh)])[: len(fresh)]

    def _parents_beside(self, fresh: Sequence[PciFunction]) -> list[PciFunction]:
        """Those that the host has and that are not among them."""
        if len(fresh) == len(self.by_address):
            return []
        parents = {one.parent for one in fresh if one.parent is not None}
        parents -= {one.address for one in fresh}
        return [self.by_address[address] for address in sorted(parents & self.by_address.keys())]

    def _devices_of(self, fresh: Iterable[PciFunction]) -> dict[str, Device | None]:
        rules, devices = self._rule_of, dict[str, Device | None]()
        known: dict[tuple[Any, ...], Likeness | None] = {}
        for common, alike in groups_alike(fresh):
            if common not in known:
                known[common] = self._offered_like(self.by_address[alike[0]["address"]])
            likeness = known[common]
            for values in alike:
                address = values["address"]
                rule = rules[address]
                if rule is None or likeness is None:
                    devices[address] = None
                else:
                    devices[address] = likeness.device(values, rule.tags)
        return devices

    def _offered_like(self, one: PciFunction) -> Likeness | None:
        """What those like it are as devices; null when they are never handed out."""
        barred = self.is_nested(one) or _why_barred(one) is not None
        return None if barred else self._likeness_of(one)

    def _likeness_of(self, function: PciFunction) -> Likeness:
        return Likeness(function, self._parent_of(function), self._serials)

    def _parent_of(self, function: PciFunction) -> PciFunction | None:
        return self.by_address.get(function.parent) if function.parent is not None else None

    def is_nested(self, function: PciFunction) -> bool:
        """A VF of a VF is nothing that PCI has: it is left out, and the rest goes on."""
        parent = self._parent_of(function)
        return parent is not None and parent.parent is not None

    def record(self, function: PciFunction, rule: DeviceRule | None) -> Device:
        """A function as a device, with what an entry says of it."""
        tags = rule.tags if rule else {}
        return self._likeness_of(function).device(function.__dict__, tags)

    def function(self, address: str) -> PciFunction | None:
        """What the host has there."""
        return self.by_address.get(address)

    def identity(self, address: str) -> str | None:
        """Of the hardware that is there; see `Device.identity`."""
        device = self.devices.get(address)
        if device is not None:
            return device.identity
        function = self.by_address.get(address)
        return None if function is None else identity_of(function, self._serials)

    def place_of(self, cordon: Cordon) -> str | None:
        """Where the hardware of a device's cordon is now; null when it is not on the host."""
        return present_address(cordon, self.identity(cordon.subject), self._by_identity())

    def address_of(self, identity: str | None) -> str | None:
        """Where hardware is now; null when it is not on the host, or does not say who it is."""
        return self._by_identity().get(identity) if identity is not None else None

    def _by_identity(self) -> dict[str, str]:
        if self._addresses is None:
            named = ((self.identity(address), address) for address in self.by_address)
            self._addresses = {identity: address for identity, address in named if identity}
        return self._addresses

    def rule(self, address: str) -> DeviceRule | None:
        """The entry that admits what is there now."""
        return self._rule_of.get(address)


def _by_address(functions: Iterable[PciFunction]) -> dict[str, PciFunction]:
    """In the host's order; of several at one address the first."""
    found: dict[str, PciFunction] = {}
    for function in functions:
        found.setdefault(function.address, function)
    return found


def _differ(old: tuple[PciFunction, ...], new: tuple[PciFunction, ...]) -> bool:
    if old is new:
        return False
    return len(old) != len(new) or not all(map(_same, old, new))


def _same(old: PciFunction | None, new: PciFunction) -> bool:
    # Fields alone: the versions that two objects were read at make no difference, and this is the
    # comparison that every observation makes of every function.
    return old is new or (old is not None and old.__dict__ == new.__dict__)
