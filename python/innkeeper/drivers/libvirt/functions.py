"""PCI functions from libvirt's node devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from innkeeper.drivers.libvirt.xml import (
    Element,
    address_below,
    address_in,
    read_xml,
    text_of,
)
from innkeeper.drivers.sysfs.notes import Notes, printable
from innkeeper.drivers.sysfs.parse import parse_amount, parse_mac, parse_number, shown
from innkeeper.objects import PciFunction, PciKind

Described = tuple[str, str]
"""Name of a device, and its XML."""

_ID = re.compile(r"0x([0-9a-f]{4})")
_CLASS = re.compile(r"0x([0-9a-f]{6})")
_MOST_VFS = 65_535
#: Between a function and its network device there may be one of another kind, as with virtio.
_MOST_STEPS = 4


def read_functions(
    described: Iterable[Described], cells: frozenset[int], notes: Notes
) -> tuple[PciFunction, ...]:
    """Every function by ascending address; what cannot be read is left out with a warning."""
    devices = {device.name: device for device in _devices(described, notes)}
    reader = _Reader(devices, cells, notes)
    functions: dict[str, PciFunction] = {}
    for device in devices.values():
        if device.type == "pci" and (function := reader.read(device)):
            functions.setdefault(function.address, function)
    numbers = reader.vf_numbers
    numbered = (
        one.model_copy(update={"vf_number": numbers.get(one.address)}) if one.parent else one
        for one in functions.values()
    )
    return tuple(sorted(numbered, key=lambda one: (len(one.address), one.address)))


@dataclass(frozen=True, slots=True)
class _Device:
    name: str
    parent: str | None
    type: str
    root: Element
    capability: Element


@dataclass(slots=True)
class _Above:
    """What hangs below a function, told by devices of other kinds."""

    netdevs: list[str] = field(default_factory=list)
    macs: list[str] = field(default_factory=list)
    has_vdpa: bool = False


def _devices(described: Iterable[Described], notes: Notes) -> Iterator[_Device]:
    for name, text in described:
        try:
            yield _device(name, read_xml(text, "device"))
        except ValueError as error:
            _left_out(name, error, notes)


def _device(name: str, root: Element) -> _Device:
    capability = root.find("capability")
    if capability is None:
        raise ValueError("has no capability")
    return _Device(name, text_of(root, "parent"), capability.get("type", ""), root, capability)


def _left_out(name: str, error: ValueError, notes: Notes) -> None:
    notes.say(f"libvirt's device {name} is left out: {error}")


class _Reader:
    def __init__(self, devices: dict[str, _Device], cells: frozenset[int], notes: Notes) -> None:
        self._devices = devices
        self._cells = cells
        self._notes = notes
        self._above: dict[str, _Above] = {}
        self.vf_numbers: dict[str, int] = {}
        for device in devices.values():
            self._take_in(device)

    def _take_in(self, device: _Device) -> None:
        function = self._function_above(device) if device.type in ("net", "vdpa") else None
        if function is None:
            return
        above = self._above.setdefault(function, _Above())
        if device.type == "vdpa":
            above.has_vdpa = True
        elif name := text_of(device.capability, "interface"):
            above.netdevs.append(printable(name))
            above.macs.append(text_of(device.capability, "address") or "")

    def _function_above(self, device: _Device) -> str | None:
        above: _Device | None = device
        for _ in range(_MOST_STEPS):
            above = self._devices.get(above.parent or "") if above else None
            if above is not None and above.type == "pci":
                return above.name
        return None

    def read(self, device: _Device) -> PciFunction | None:
        try:
            return self._read(device)
        except ValueError as error:
            _left_out(device.name, error, self._notes)
            return None

    def _read(self, device: _Device) -> PciFunction:
        capability = device.capability
        address = address_below(capability)
        parent = _parent(capability)
        vfs = [] if parent else _vfs(capability)
        total_vfs = 0 if parent else max(_total_vfs(capability), len(vfs))
        self.vf_numbers |= {vf: number for number, vf in enumerate(vfs)}
        above = self._above.get(device.name, _Above())
        driver = text_of(device.root, "driver/name")
        return PciFunction(
            address=address,
            vendor_id=_hex(capability.find("vendor"), "vendor"),
            product_id=_hex(capability.find("product"), "product"),
            class_id=_class(capability),
            kind=_kind(parent, total_vfs, above),
            parent=parent,
            driver=printable(driver) if driver else None,
            cell=self._cell(device),
            iommu_group=_iommu_group(capability),
            total_vfs=total_vfs,
            num_vfs=len(vfs),
            netdevs=tuple(sorted(above.netdevs)),
            serial=None if parent else _serial(capability),
            mac=parse_mac(above.macs[0].lower()) if total_vfs and above.macs else None,
        )

    def _cell(self, device: _Device) -> int | None:
        numa = device.capability.find("numa")
        cell = parse_number(numa.get("node", "")) if numa is not None else -1
        if cell < 0:
            return None
        if cell not in self._cells:
            self._notes.say(f"libvirt's device {device.name} names cell {cell}, which is not there")
            return None
        return cell


def _kind(parent: str | None, total_vfs: int, above: _Above) -> PciKind:
    if parent:
        return PciKind.VDPA if above.has_vdpa else PciKind.VF
    return PciKind.PF if total_vfs else PciKind.PCI


def _hex(element: Element | None, what: str) -> str:
    text = element.get("id", "") if element is not None else ""
    found = _ID.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no id of a {what}")
    return found[1]


def _class(capability: Element) -> str:
    text = text_of(capability, "class") or ""
    found = _CLASS.fullmatch(text)
    if found is None:
        raise ValueError(f"{shown(text)} is no class of a PCI function")
    return found[1]


def _parent(capability: Element) -> str | None:
    address = capability.find("capability[@type='phys_function']/address")
    return address_in(address) if address is not None else None


def _vfs(capability: Element) -> list[str]:
    """By number: libvirt lists them as the links `virtfnN` are numbered."""
    found = capability.findall("capability[@type='virt_functions']/address")
    if len(found) > _MOST_VFS:
        raise ValueError(f"{len(found)} is no number of VFs")
    return [address_in(address) for address in found]


def _total_vfs(capability: Element) -> int:
    found = capability.find("capability[@type='virt_functions']")
    most = parse_amount(found.get("maxCount", "0")) if found is not None else 0
    if most > _MOST_VFS:
        raise ValueError(f"{most} is no number of VFs")
    return most


def _iommu_group(capability: Element) -> int | None:
    group = capability.find("iommuGroup")
    return parse_amount(group.get("number", "")) if group is not None else None


def _serial(capability: Element) -> str | None:
    fields = capability.find("capability[@type='vpd']/fields[@access='readonly']")
    text = text_of(fields, "serial_number") if fields is not None else None
    return printable(text) if text else None
