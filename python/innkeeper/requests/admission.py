"""Which functions of a host are devices when nobody holds them, kept from one observation to the next.

What does not change is neither matched again nor built again: an observation costs a comparison of
each function, and work for those that differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from innkeeper.objects import Device, PciFunction
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.host import device_of_checked
from innkeeper.requests.cordoned import present_address
from innkeeper.requests.device_specs import DeviceRule, DeviceRules
from innkeeper.requests.identity import identity_of, serial_identities

#: PCI base class of bridges (PCI Code and ID Assignment Specification, class 06h).
_BRIDGE = "06"


def why_not_offered(function: PciFunction, rule: DeviceRule | None) -> str | None:
    """Why a function that nobody holds is never handed out, in words for people; null when it may be."""
    if is_bridge(function):
        return "a bridge"
    if function.used_by_host is not None:
        return f"in use by host: {function.used_by_host}"
    if rule is None:
        return "no [[devices]] entry admits it"
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
        self._identities: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
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
        found: dict[str, PciFunction] = {}
        for function in functions:
            found.setdefault(function.address, function)
        serials = serial_identities(found.values())
        stale = set(found) if rules is not self._rules else self._stale(found, serials)
        self._functions, self._rules = functions, rules
        self.by_address, self._serials = found, serials
        self._match(stale)
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

    def _match(self, stale: set[str]) -> None:
        fresh = [function for address, function in self.by_address.items() if address in stale]
        self.replaced_rules = {
            address: rule
            for address, rule in self._rule_of.items()
            if rule is not None and (address in stale or address not in self.by_address)
        }
        addresses = [function.address for function in fresh]
        self._rule_of |= zip(addresses, self.find_rules(fresh), strict=True)
        self._rule_of = {address: self._rule_of[address] for address in self.by_address}
        before = ((address, self.devices.get(address)) for address in stale)
        self.replaced = {address: device for address, device in before if device is not None}
        self._name(fresh)
        renewed = {one.address: self._device_of(one) for one in fresh}
        self.devices = {
            address: renewed[address] if address in renewed else self.devices[address]
            for address in self.by_address
        }

    def find_rules(self, fresh: Sequence[PciFunction]) -> Sequence[DeviceRule | None]:
        """The entry that admits each; one may name the PF, so the parents are shown too."""
        if self._rules is None:
            return [None] * len(fresh)
        among = {one.address for one in fresh}
        parents = {one.parent for one in fresh if one.parent is not None} - among
        shown = [self.by_address[address] for address in sorted(parents & self.by_address.keys())]
        return self._rules.find_all([*fresh, *shown])[: len(fresh)]

    def _name(self, fresh: Iterable[PciFunction]) -> None:
        for function in fresh:
            identity = identity_of(function, self._serials)
            if identity is None:
                self._identities.pop(function.address, None)
            else:
                self._identities[function.address] = identity
        for address in self._identities.keys() - self.by_address.keys():
            del self._identities[address]
        self._addresses = {identity: address for address, identity in self._identities.items()}

    def _device_of(self, function: PciFunction) -> Device | None:
        rule = self._rule_of[function.address]
        if rule is None or why_not_offered(function, rule) or self.is_nested(function):
            return None
        return self.record(function, rule)

    def is_nested(self, function: PciFunction) -> bool:
        """A VF of a VF is nothing that PCI has: it is left out, and the rest goes on."""
        parent = self.by_address.get(function.parent or "")
        return parent is not None and parent.parent is not None

    def record(self, function: PciFunction, rule: DeviceRule | None) -> Device:
        """A function as a device, with what an entry says of it."""
        parent = self.by_address.get(function.parent or "")
        # Thousands at once, of values that the observation has checked: not checked again.
        return device_of_checked(
            {
                "address": function.address,
                "vendor_id": function.vendor_id,
                "product_id": function.product_id,
                "kind": function.kind,
                "parent": function.parent,
                "cell": function.cell,
                "tags": rule.tags if rule else {},
                "parent_netdev": parent.netdevs[0] if parent and parent.netdevs else None,
                "iommu_group": function.iommu_group,
                "switch": function.switch,
                "identity": self._identities.get(function.address),
                "provider": None,
                "withheld": None,
            }
        )

    def function(self, address: str) -> PciFunction | None:
        """What the host has there."""
        return self.by_address.get(address)

    def identity(self, address: str) -> str | None:
        """Of the hardware that is there; see `Device.identity`."""
        return self._identities.get(address)

    def place_of(self, cordon: Cordon) -> str | None:
        """Where the hardware of a device's cordon is now; null when it is not on the host."""
        return present_address(cordon, self._identities, self._addresses)

    def address_of(self, identity: str | None) -> str | None:
        """Where hardware is now; null when it is not on the host, or does not say who it is."""
        return self._addresses.get(identity) if identity is not None else None

    def rule(self, address: str) -> DeviceRule | None:
        """The entry that admits what is there now."""
        return self._rule_of.get(address)


def _differ(old: tuple[PciFunction, ...], new: tuple[PciFunction, ...]) -> bool:
    if old is new:
        return False
    return len(old) != len(new) or not all(map(_same, old, new))


def _same(old: PciFunction | None, new: PciFunction) -> bool:
    # Fields alone: the versions that two objects were read at make no difference, and this is the
    # comparison that every observation makes of every function.
    return old is new or (old is not None and old.__dict__ == new.__dict__)
