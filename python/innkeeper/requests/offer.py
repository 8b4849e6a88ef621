"""Which functions of a host are devices, kept from one observation to the next.

What does not change is neither matched again nor built again: an observation costs a comparison of
each function, and work for those that differ. Claims and cordons are laid over what is admitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from innkeeper.objects import Device, PciFunction, PciKind, PlacedDevice
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.host import Withheld, device_of_checked
from innkeeper.requests.cordoned import Cordoned, mark_of, present_address
from innkeeper.requests.device_specs import DeviceRule, DeviceRules
from innkeeper.requests.identity import identity_of, serial_identities

#: PCI base class of bridges (PCI Code and ID Assignment Specification, class 06h).
_BRIDGE = "06"

_RANK = {mark: rank for rank, mark in enumerate(Withheld)}
"""Of several marks the one that a person set, or has to lift, is told."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a device that a person should know, to be reported as a finding."""

    kind: str
    subject: str
    """The device's address."""
    message: str
    booked: str | None = None
    observed: str | None = None
    claim_id: UUID | None = None


def why_not_offered(function: PciFunction, rule: DeviceRule | None) -> str | None:
    """Why a function that nobody holds is never handed out, in words for people; null when it may be."""
    if function.class_id.startswith(_BRIDGE):
        return "a bridge"
    if function.used_by_host is not None:
        return f"in use by host: {function.used_by_host}"
    if rule is None:
        return "no [[devices]] entry admits it"
    return None


class Offer:
    """What of one host's functions may be handed out."""

    def __init__(self) -> None:
        self._functions: tuple[PciFunction, ...] = ()
        self._rules: DeviceRules | None = None
        self._by_address: dict[str, PciFunction] = {}
        self._serials: dict[str, str] = {}
        self._rule_of: dict[str, DeviceRule | None] = {}
        self._identities: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._admitted: dict[str, Device | None] = {}
        """By address, in the host's order: what a function is as a device when nobody holds it."""
        self._held_rules: dict[str, DeviceRule] = {}
        """What last admitted a device that is held."""
        self._held_records: dict[str, Device] = {}
        """What a device was when it was last seen as the claim knows it."""
        self._former: dict[str, Device] = {}
        """What a device was before the last observation: it may have been claimed since the one before."""
        self._good: dict[str, tuple[PlacedDevice, Device]] = {}
        """Held devices that nothing speaks against, with the record that they were compared with."""
        self._special: dict[str, Device] = {}
        self._devices: tuple[Device, ...] = ()
        self._seen: tuple[object, ...] = ()
        self.remarks: tuple[Remark, ...] = ()
        """Of held devices, as `devices` last found them."""
        self.missing: frozenset[str] = frozenset()
        """Addresses of held devices that are not on the host."""

    # -- what the host has -------------------------------------------------------------------

    def observe(self, functions: tuple[PciFunction, ...], rules: DeviceRules) -> None:
        """Take over what the host has and what the operator says of it."""
        if rules is self._rules and not _differ(self._functions, functions):
            return
        found: dict[str, PciFunction] = {}
        for function in functions:
            found.setdefault(function.address, function)
        serials = serial_identities(found.values())
        stale = set(found) if rules is not self._rules else self._stale(found, serials)
        self._functions, self._rules = functions, rules
        self._by_address, self._serials = found, serials
        self._match(stale, rules)
        self._seen = ()

    def _stale(self, found: Mapping[str, PciFunction], serials: Mapping[str, str]) -> set[str]:
        """Those that changed, and what goes by a parent that did."""
        own = {
            address
            for address, function in found.items()
            if not _same(self._by_address.get(address), function)
            or serials.get(address) != self._serials.get(address)
        }
        own |= self._by_address.keys() - found.keys()
        family = {one.address for one in found.values() if one.parent in own} if own else set()
        return (own | family) & found.keys()

    def _match(self, stale: set[str], rules: DeviceRules) -> None:
        fresh = [function for address, function in self._by_address.items() if address in stale]
        self._rule_of |= zip(stale_addresses(fresh), self._find_rules(fresh, rules), strict=True)
        self._rule_of = {address: self._rule_of[address] for address in self._by_address}
        self._former |= {a: old for a in stale if (old := self._admitted.get(a)) is not None}
        renewed = {one.address: self._device_of(one) for one in fresh}
        self._admitted = {
            address: renewed[address] if address in renewed else self._admitted[address]
            for address in self._by_address
        }
        self._name(fresh)

    def _find_rules(
        self, fresh: Sequence[PciFunction], rules: DeviceRules
    ) -> Sequence[DeviceRule | None]:
        """A spec may name the PF: the parents of what is asked for are shown, too."""
        among = {one.address for one in fresh}
        parents = {one.parent for one in fresh if one.parent is not None} - among
        shown = [self._by_address[address] for address in sorted(parents & self._by_address.keys())]
        return rules.find_all([*fresh, *shown])[: len(fresh)]

    def _name(self, fresh: Iterable[PciFunction]) -> None:
        for function in fresh:
            identity = identity_of(function, self._serials)
            if identity is None:
                self._identities.pop(function.address, None)
            else:
                self._identities[function.address] = identity
        for address in self._identities.keys() - self._by_address.keys():
            del self._identities[address]
        self._addresses = {identity: address for address, identity in self._identities.items()}

    def _device_of(self, function: PciFunction) -> Device | None:
        rule = self._rule_of[function.address]
        if rule is None or why_not_offered(function, rule) or self._is_nested(function):
            return None
        return self._record(function, rule)

    def _is_nested(self, function: PciFunction) -> bool:
        """A VF of a VF is nothing that PCI has: it is left out, and the rest goes on."""
        parent = self._by_address.get(function.parent or "")
        return parent is not None and parent.parent is not None

    def _record(self, function: PciFunction, rule: DeviceRule | None) -> Device:
        parent = self._by_address.get(function.parent or "")
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
                "identity": identity_of(function, self._serials),
                "provider": None,
                "withheld": None,
            }
        )

    # -- what is known of an address ---------------------------------------------------------

    def function(self, address: str) -> PciFunction | None:
        """What the host has there."""
        return self._by_address.get(address)

    def functions(self) -> tuple[PciFunction, ...]:
        """Everything that was observed last."""
        return self._functions

    def identity(self, address: str) -> str | None:
        """Of the hardware that is there; see `Device.identity`."""
        return self._identities.get(address)

    def place_of(self, cordon: Cordon) -> str | None:
        """Where the hardware of a device's cordon is now; null when it is not on the host."""
        return present_address(cordon, self._identities, self._addresses)

    def is_kept(self, address: str) -> bool:
        """Whether something speaks against a device that is held: it is marked, or gone."""
        device = self._special.get(address)
        kept = device is not None and device.withheld in (Withheld.RETIRED, Withheld.IN_USE)
        return kept or address in self.missing

    def rule(self, address: str) -> DeviceRule | None:
        """The entry that admits what is there now."""
        return self._rule_of.get(address)

    def rule_of_held(self, placed: PlacedDevice) -> DeviceRule | None:
        """The entry that admits what a claim holds, or that admitted it last.

        What left the host, or was replaced, is judged by what the claim knows of it.
        """
        function = self._by_address.get(placed.address)
        if function is not None and not self._difference(placed, function):
            now = self._rule_of.get(placed.address)
            return now or self._held_rules.get(placed.address)
        return self._held_rules.get(placed.address) or self._rule_of_absent(placed)

    def _rule_of_absent(self, placed: PlacedDevice) -> DeviceRule | None:
        if self._rules is None:
            return None
        record = _as_device(placed)
        absent = PciFunction(
            address=record.address,
            vendor_id=record.vendor_id,
            product_id=record.product_id,
            class_id="ffffff",
            kind=record.kind,
            parent=record.parent,
            cell=record.cell,
        )
        return self._find_rules([absent], self._rules)[0]

    # -- what claims hold and what is cordoned, laid over it -----------------------------------

    def devices(
        self, held: Mapping[str, PlacedDevice], cordons: tuple[Cordon, ...], cordoned: Cordoned
    ) -> tuple[Device, ...]:
        """What may be handed out, in the host's order; the same tuple when nothing changed.

        Args:
            held: by address. It stays whatever speaks against it, marked so that it is not handed out
                in the moment of its release.
            cordons: that are not lifted; `cordoned` is made of them.
            cordoned: the same, sorted.
        """
        if len(self._seen) == 2 and self._seen[0] is held and self._seen[1] is cordons:
            return self._devices
        self._seen = (held, cordons)
        remarks: list[Remark] = []
        special = dict(self._lay_held(held, remarks))
        for address, mark in self._marks(held, cordoned, remarks):
            device = special.get(address) or self._admitted.get(address)
            if device is not None:
                special[address] = _marked(device, mark)
        self._special = self._same_as_before(special)
        self.remarks = tuple(remarks)
        self._former = {a: device for a, device in self._former.items() if a in held}
        self.missing = frozenset(held.keys() - self._by_address.keys())
        self._devices = self._put_together()
        return self._devices

    def _same_as_before(self, special: Mapping[str, Device]) -> dict[str, Device]:
        """An equal record is the same object, so that comparing tables costs nothing."""
        before = self._special
        return {
            address: before[address] if before.get(address) == device else device
            for address, device in special.items()
        }

    def _put_together(self) -> tuple[Device, ...]:
        special = self._special
        laid = (special.get(address, device) for address, device in self._admitted.items())
        devices = tuple(device for device in laid if device is not None)
        return self._devices if devices == self._devices else devices

    def _lay_held(
        self, held: Mapping[str, PlacedDevice], remarks: list[Remark]
    ) -> Iterator[tuple[str, Device]]:
        self._held_rules = {a: r for a, r in self._held_rules.items() if a in held}
        self._held_records = {a: r for a, r in self._held_records.items() if a in held}
        self._good = {a: pair for a, pair in self._good.items() if a in held}
        for address, placed in held.items():
            function = self._by_address.get(address)
            if function is None or self._is_known_good(placed):
                continue
            self._good.pop(address, None)
            difference = self._difference(placed, function)
            if difference:
                remarks.append(_changed(placed, difference))
                yield address, self._kept(placed)
            elif (device := self._still(function, remarks)) is not None:
                yield address, device
            else:
                self._good[address] = placed, self._held_records[address]

    def _is_known_good(self, placed: PlacedDevice) -> bool:
        """Whether nothing was against it before, and neither side changed since."""
        before, record = self._good.get(placed.address, (None, None))
        return before is placed and record is self._admitted.get(placed.address)

    def _difference(self, placed: PlacedDevice, function: PciFunction) -> str:
        """What of a held device is not as its claim knows it, in words; empty when all is."""
        record = self._record_of_held(placed)
        known = record or _as_device(placed)
        identity = self._identities.get(function.address)
        pairs = [
            ("", f"{known.vendor_id}:{known.product_id}", _product(function)),
            ("cell ", known.cell, function.cell),
            ("PF ", known.parent, function.parent),
            ("kind ", *_kinds(known, function, exactly=record is not None)),
        ]
        if placed.identity is not None and identity is not None:
            pairs.append(("identity ", placed.identity, identity))
        words = [
            f"{name}{'none' if now is None else now} instead of {'none' if then is None else then}"
            for name, then, now in pairs
            if then != now
        ]
        return ", ".join(
            [*words, *(["its PF is a VF itself"] if self._is_nested(function) else [])]
        )

    def _record_of_held(self, placed: PlacedDevice) -> Device | None:
        """All that was ever seen of what a claim holds; null when that was before the start."""
        records = (self._held_records.get(placed.address), self._former.get(placed.address))
        return next((one for one in records if one is not None and _is_of(one, placed)), None)

    def _still(self, function: PciFunction, remarks: list[Remark]) -> Device | None:
        """A held device that is what it was, where something speaks against it; null if nothing does."""
        address = function.address
        rule = self._rule_of[address]
        if rule is not None:
            self._held_rules[address] = rule
        admitted = self._admitted[address]
        record = admitted or self._record(function, rule or self._held_rules.get(address))
        self._held_records[address] = record
        if admitted is not None:
            return None
        if function.class_id.startswith(_BRIDGE) or rule is None:
            remarks.append(_retired(function, rule))
            return _marked(record, Withheld.RETIRED)
        return _marked(record, Withheld.IN_USE)

    def _kept(self, placed: PlacedDevice) -> Device:
        """What the claim knows, although the host has something else there by now."""
        known = self._record_of_held(placed) or _as_device(placed)
        if known.parent is not None and self._would_be_nested(known):
            known = known.model_copy(update={"parent": None})
        return _marked(known, Withheld.RETIRED)

    def _would_be_nested(self, device: Device) -> bool:
        """Whether a device that the host has changed around stands between a PF and a VF."""
        parent = self._by_address.get(device.parent or "")
        return (parent is not None and parent.parent is not None) or any(
            function.parent == device.address for function in self._by_address.values()
        )

    def _marks(
        self, held: Mapping[str, PlacedDevice], cordoned: Cordoned, remarks: list[Remark]
    ) -> Iterator[tuple[str, Withheld]]:
        for cordon in cordoned.devices:
            address = self.place_of(cordon)
            if address is not None:
                yield address, mark_of(cordon)
        if cordoned.cells:
            for function in self._by_address.values():
                if function.cell in cordoned.cells:
                    yield function.address, Withheld.CORDONED
        for placed in held.values():
            address = self._addresses.get(placed.identity or "")
            if address is not None and address != placed.address:
                remarks.append(_moved(placed, address))
                yield address, Withheld.MOVED


def stale_addresses(functions: Iterable[PciFunction]) -> Iterator[str]:
    """Their addresses, in their order."""
    return (function.address for function in functions)


def _differ(old: tuple[PciFunction, ...], new: tuple[PciFunction, ...]) -> bool:
    if old is new:
        return False
    return len(old) != len(new) or not all(map(_same, old, new))


def _same(old: PciFunction | None, new: PciFunction) -> bool:
    # Fields alone: the versions that two objects were read at make no difference, and this is the
    # comparison that every observation makes of every function.
    return old is new or (old is not None and old.__dict__ == new.__dict__)


def _marked(device: Device, mark: Withheld) -> Device:
    """Withheld; of two reasons the one that ranks higher stays."""
    if device.withheld is not None and _RANK[device.withheld] <= _RANK[mark]:
        return device
    return device.model_copy(update={"withheld": mark})


def _as_device(placed: PlacedDevice) -> Device:
    """As much of a device as its claim knows."""
    return Device(
        address=placed.address,
        vendor_id=placed.vendor_id,
        product_id=placed.product_id,
        kind=PciKind.VF if placed.parent else PciKind.PCI,
        parent=placed.parent,
        cell=placed.cell,
        identity=placed.identity,
    )


def _is_of(record: Device, placed: PlacedDevice) -> bool:
    """Whether a record is of what the claim holds, and not of an earlier holder's device."""
    names = ("vendor_id", "product_id", "cell", "parent")
    return all(getattr(record, name) == getattr(placed, name) for name in names)


def _kinds(known: Device, function: PciFunction, *, exactly: bool) -> tuple[str, str]:
    """A claim alone tells VFs from the rest, by their PF; a record tells every kind."""
    if exactly or (known.parent is None) != (function.parent is None):
        return known.kind.value, function.kind.value
    return "", ""


def _product(function: PciFunction) -> str:
    return f"{function.vendor_id}:{function.product_id}"


def _changed(placed: PlacedDevice, difference: str) -> Remark:
    return Remark(
        "device_changed",
        placed.address,
        f"device {placed.address} is held and is not what it was: {difference}",
        booked=f"{placed.vendor_id}:{placed.product_id}",
        observed=difference,
    )


def _retired(function: PciFunction, rule: DeviceRule | None) -> Remark:
    why = "no [[devices]] entry admits it any more" if rule is None else "it is a bridge now"
    message = f"device {function.address} is held, and {why}: it goes with its holder"
    return Remark("device_retired", function.address, message, observed=why)


def _moved(placed: PlacedDevice, address: str) -> Remark:
    return Remark(
        "device_moved",
        placed.address,
        f"the hardware that is held as device {placed.address} is at {address} now; neither is handed out",
        booked=placed.address,
        observed=address,
    )
