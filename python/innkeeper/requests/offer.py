"""What of a host's functions may be handed out: what is admitted, and over it what claims and cordons say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import is_

from innkeeper.objects import Device, PciFunction, PciKind, PlacedDevice
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.host import Withheld
from innkeeper.requests.admission import Admission, is_bridge
from innkeeper.requests.cordoned import Cordoned, mark_of
from innkeeper.requests.device_specs import DeviceRule, DeviceRules
from innkeeper.requests.remarks import Remark, changed, moved, retired

_RANK = {mark: rank for rank, mark in enumerate(Withheld)}
"""Of several marks the one that a person set, or has to lift, is told."""


class Offer:
    """The devices of one host, whoever holds them."""

    def __init__(self) -> None:
        self.admission = Admission()
        self._held_rules: dict[str, DeviceRule] = {}
        """What last admitted a device that is held."""
        self._former_rules: dict[str, DeviceRule] = {}
        """What last admitted a device before the words or the hardware changed: it may be held since the
        last time that claims were laid over."""
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

    def observe(self, functions: tuple[PciFunction, ...], rules: DeviceRules) -> None:
        """Take over what the host has and what the operator says of it."""
        if self.admission.observe(functions, rules):
            self._former |= self.admission.replaced
            self._former_rules |= self.admission.replaced_rules
            self._seen = ()

    def is_kept(self, address: str) -> bool:
        """Whether something speaks against a device that is held: it is marked, or gone."""
        device = self._special.get(address)
        kept = device is not None and device.withheld in (Withheld.RETIRED, Withheld.IN_USE)
        return kept or address in self.missing

    def rule_of_held(self, placed: PlacedDevice) -> DeviceRule | None:
        """The entry that admits what a claim holds, or that admitted it last.

        What left the host, or was replaced, is judged by what the claim knows of it.
        """
        function = self.admission.by_address.get(placed.address)
        if function is not None and not self._difference(placed, function):
            return self.admission.rule(placed.address) or self._rule_before(placed.address)
        return self._rule_before(placed.address) or self._rule_of_absent(placed)

    def _rule_before(self, address: str) -> DeviceRule | None:
        return self._held_rules.get(address) or self._former_rules.get(address)

    def _rule_of_absent(self, placed: PlacedDevice) -> DeviceRule | None:
        record = as_device(placed)
        absent = PciFunction(
            address=record.address,
            vendor_id=record.vendor_id,
            product_id=record.product_id,
            class_id="ffffff",
            kind=record.kind,
            parent=record.parent,
            cell=record.cell,
        )
        return self.admission.find_rules([absent])[0]

    def devices(
        self,
        held: Mapping[str, PlacedDevice],
        cordons: tuple[Cordon, ...],
        cordoned: Cordoned,
        used: frozenset[str] = frozenset(),
    ) -> tuple[Device, ...]:
        """What may be handed out, in the host's order; the same tuple when nothing changed.

        Args:
            held: by address. It stays whatever speaks against it, marked so that it is not handed out
                in the moment of its release.
            cordons: that are not lifted; `cordoned` is made of them.
            cordoned: the same, sorted.
            used: addresses of what instances use that do not hold it.
        """
        seen = (held, cordons, used)
        if len(self._seen) == 3 and all(map(is_, self._seen, seen)):
            return self._devices
        self._seen = seen
        remarks: list[Remark] = []
        special = dict(self._lay_held(held, remarks))
        for address, mark in self._marks(held, cordoned, remarks):
            device = special.get(address) or self.admission.devices.get(address)
            if device is not None:
                special[address] = _marked(device, mark)
        for address in sorted(used):
            device = special.get(address) or self.admission.devices.get(address)
            if device is not None:
                special[address] = _marked(device, Withheld.IN_USE)
        self._special = self._same_as_before(special)
        self.remarks = tuple(remarks)
        self._former = {a: device for a, device in self._former.items() if a in held}
        self.missing = frozenset(held.keys() - self.admission.by_address.keys())
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
        laid = self.admission.devices | self._special
        devices = tuple([device for device in laid.values() if device is not None])
        return self._devices if devices == self._devices else devices

    def _lay_held(
        self, held: Mapping[str, PlacedDevice], remarks: list[Remark]
    ) -> Iterator[tuple[str, Device]]:
        known = ((address, self._rule_before(address)) for address in held)
        self._held_rules = {address: rule for address, rule in known if rule is not None}
        self._held_records = {a: r for a, r in self._held_records.items() if a in held}
        self._good = {a: pair for a, pair in self._good.items() if a in held}
        for address, placed in held.items():
            function = self.admission.by_address.get(address)
            if function is None or self._is_known_good(placed):
                continue
            self._good.pop(address, None)
            difference = self._difference(placed, function)
            if difference:
                remarks.append(changed(placed, difference))
                yield address, self._kept(placed)
            elif (device := self._still(function, remarks)) is not None:
                yield address, device
            else:
                self._good[address] = placed, self._held_records[address]

    def _is_known_good(self, placed: PlacedDevice) -> bool:
        """Whether nothing was against it before, and neither side changed since."""
        before, record = self._good.get(placed.address, (None, None))
        return before is placed and record is self.admission.devices.get(placed.address)

    def _difference(self, placed: PlacedDevice, function: PciFunction) -> str:
        """What of a held device is not as its claim knows it, in words; empty when all is."""
        record = self._record_of_held(placed)
        known = record or as_device(placed)
        identity = self.admission.identity(function.address)
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
            [*words, *(["its PF is a VF itself"] if self.admission.is_nested(function) else [])]
        )

    def _record_of_held(self, placed: PlacedDevice) -> Device | None:
        """All that was ever seen of what a claim holds; null when that was before the start."""
        records = (self._held_records.get(placed.address), self._former.get(placed.address))
        return next((one for one in records if one is not None and _is_of(one, placed)), None)

    def _still(self, function: PciFunction, remarks: list[Remark]) -> Device | None:
        """A held device that is what it was, where something speaks against it; null if nothing does."""
        address = function.address
        rule = self.admission.rule(address)
        if rule is not None:
            self._held_rules[address] = rule
        admitted = self.admission.devices[address]
        record = admitted or self.admission.record(function, rule or self._rule_before(address))
        self._held_records[address] = record
        if admitted is not None:
            return None
        if is_bridge(function) or rule is None:
            remarks.append(retired(function, rule))
            return _marked(record, Withheld.RETIRED)
        return _marked(record, Withheld.IN_USE)

    def _kept(self, placed: PlacedDevice) -> Device:
        """What the claim knows, although the host has something else there by now."""
        known = self._record_of_held(placed) or as_device(placed)
        if known.parent is not None and self._would_be_nested(known):
            known = known.model_copy(update={"parent": None})
        return _marked(known, Withheld.RETIRED)

    def _would_be_nested(self, device: Device) -> bool:
        """Whether a device that the host has changed around stands between a PF and a VF."""
        parent = self.admission.by_address.get(device.parent or "")
        return (parent is not None and parent.parent is not None) or any(
            function.parent == device.address for function in self.admission.by_address.values()
        )

    def _marks(
        self, held: Mapping[str, PlacedDevice], cordoned: Cordoned, remarks: list[Remark]
    ) -> Iterator[tuple[str, Withheld]]:
        for cordon in cordoned.devices:
            address = self.admission.place_of(cordon)
            if address is not None:
                yield address, mark_of(cordon)
        if cordoned.cells:
            for function in self.admission.by_address.values():
                if function.cell in cordoned.cells:
                    yield function.address, Withheld.CORDONED
        for placed in held.values():
            address = self.admission.address_of(placed.identity)
            if address is not None and address != placed.address:
                remarks.append(moved(placed, address))
                yield address, Withheld.MOVED


def _marked(device: Device, mark: Withheld) -> Device:
    """Withheld; of two reasons the one that ranks higher stays."""
    if device.withheld is not None and _RANK[device.withheld] <= _RANK[mark]:
        return device
    return device.model_copy(update={"withheld": mark})


def as_device(placed: PlacedDevice) -> Device:
    """As much of a device as its claim knows, for what the host does not offer any more."""
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
