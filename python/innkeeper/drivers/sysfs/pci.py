"""PCI functions, bridges included, as /sys/bus/pci/devices shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from innkeeper.drivers.sysfs.location import (
    ADDRESS,
    Bridge,
    Slots,
    bridges_above,
    functions_on,
    switch_above,
)
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.parse import parse_amount, parse_mac, parse_number, shown
from innkeeper.drivers.sysfs.serials import Serial, Serials
from innkeeper.drivers.sysfs.tree import Folder, Tree
from innkeeper.objects import PciFunction, PciKind

FUNCTIONS = "sys/bus/pci/devices"
NETDEVS = "sys/class/net"
VDPA = "sys/bus/vdpa/devices"

#: More VFs than a PF can have: the kernel prints some errors as huge unsigned numbers.
_MOST_VFS = 65_535

_ID = re.compile(r"0x([0-9a-f]{4})")
_CLASS = re.compile(r"0x([0-9a-f]{6})")
_PCI_BRIDGE = "0604"
_VIRTFN = re.compile(r"virtfn(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """A function and what only discovery needs to know of it."""

    function: PciFunction
    path: str
    """Its directory without links: the functions that it hangs below are components of it."""
    opened_through: str | None
    """The driver through which a program has it open, where the kernel tells."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a card sits."""

    slot: str | None
    switch: str | None


class FunctionReader:
    """Reads all functions of one tree.

    A bridge comes before what is below it, and a PF before its VFs, since they are read by address and
    numbers of buses and functions grow on the way down.
    """

    def __init__(self, tree: Tree, cells: frozenset[int], serials: Serials) -> None:
        self._tree = tree
        self._cells = cells
        self._serials = serials
        self._netdevs = _names_by_function(tree, NETDEVS)
        self._vdpa = frozenset(_names_by_function(tree, VDPA))
        self._slots = Slots(tree)
        self._bridges: dict[str, Bridge] = {}
        self._vf_numbers: dict[str, int] = {}
        self._places: dict[tuple[str, str], Place] = {}

    def read_all(self) -> tuple[Found, ...]:
        """Every function, by ascending address; what cannot be told apart is left out with a warning."""
        addresses = []
        for name in self._tree.names(FUNCTIONS):
            if ADDRESS.fullmatch(name):
                addresses.append(name)
            else:
                self._tree.notes.add(f"{FUNCTIONS}/{name}", "is no PCI address")
        addresses.sort(key=lambda address: (len(address), address))
        return tuple(found for address in addresses if (found := self._read(address)))

    def _read(self, address: str) -> Found | None:
        folder = self._tree.folder(f"{FUNCTIONS}/{address}")
        if folder is None:
            return None
        with folder:
            function = self._function(address, folder)
            if function is None:
                return None
            return Found(function, folder.path, _opened_through(folder, function.driver))

    def _function(self, address: str, folder: Folder) -> PciFunction | None:
        ids = self._ids(folder)
        if ids is None:
            return None
        vendor, product, class_id = ids
        parent = _parent(folder)
        total_vfs = 0 if parent else _count(folder, "sriov_totalvfs")
        # VFs have none of their own, and asking thousands of them is slow.
        serial = Serial() if parent else self._serials.read(folder, f"{address} {vendor}:{product}")
        if class_id.startswith(_PCI_BRIDGE):
            self._bridges[address] = Bridge(serial.port_type, folder.has("max_link_speed"))
        if total_vfs:
            self._vf_numbers.update(_vf_numbers(folder))
        netdevs = self._netdevs_of(address, folder)
        place = self._place(parent or address, folder.path)
        return PciFunction(
            address=address,
            vendor_id=vendor,
            product_id=product,
            class_id=class_id,
            kind=self._kind(address, parent, total_vfs),
            parent=parent,
            driver=_driver(folder),
            cell=self._cell(folder),
            iommu_group=_iommu_group(folder),
            total_vfs=total_vfs,
            num_vfs=_count(folder, "sriov_numvfs") if total_vfs else 0,
            netdevs=tuple(map(printable, netdevs)),
            serial=serial.text,
            mac=self._mac(folder, netdevs) if total_vfs and netdevs else None,
            vf_number=self._vf_numbers.get(address) if parent else None,
            slot=place.slot,
            switch=place.switch,
        )

    def _kind(self, address: str, parent: str | None, total_vfs: int) -> PciKind:
        if parent:
            return PciKind.VDPA if address in self._vdpa else PciKind.VF
        return PciKind.PF if total_vfs else PciKind.PCI

    def _place(self, card: str, path: str) -> Place:
        """VFs are beside their PF, so all of one card are asked for once."""
        key = (card, path.rpartition("/")[0])
        if key not in self._places:
            above = bridges_above(path)
            self._places[key] = Place(
                self._slots.slot_of(card, above), switch_above(above, self._bridges)
            )
        return self._places[key]

    def _netdevs_of(self, address: str, folder: Folder) -> list[str]:
        return sorted({*folder.names_in("net"), *self._netdevs.get(address, ())})

    def _mac(self, folder: Folder, netdevs: list[str]) -> str | None:
        """Of the device that was there first: with switchdev those that stand for VFs come later."""
        places = [self._netdev_place(folder, name) for name in netdevs]
        if len(places) > 1:
            places.sort(key=lambda place: self._tree.parsed(f"{place}/ifindex", parse_amount) or 0)
        return self._tree.parsed(f"{places[0]}/address", parse_mac)

    def _netdev_place(self, folder: Folder, name: str) -> str:
        own = f"{folder.path}/net/{name}"
        return own if self._tree.real(own) else f"{NETDEVS}/{name}"

    def _ids(self, folder: Folder) -> tuple[str, str, str] | None:
        vendor = self._hex(folder, "vendor", _ID)
        product = self._hex(folder, "device", _ID) if vendor else None
        class_id = self._hex(folder, "class", _CLASS) if product else None
        return (vendor, product, class_id) if vendor and product and class_id else None

    def _hex(self, folder: Folder, name: str, form: re.Pattern[str]) -> str | None:
        text = folder.text(name)
        if text is None:
            self._tree.notes.add(f"{folder.path}/{name}", "is missing: the function is left out")
            return None
        found = form.fullmatch(text)
        if found is None:
            problem = f"is malformed: {shown(text)}; the function is left out"
            self._tree.notes.add(f"{folder.path}/{name}", problem)
            return None
        return found[1]

    def _cell(self, folder: Folder) -> int | None:
        cell = folder.parsed("numa_node", parse_number)
        if cell is None or cell < 0:
            return None
        if cell not in self._cells:
            self._tree.notes.add(
                f"{folder.path}/numa_node", f"names cell {cell}, which is not there"
            )
            return None
        return cell


def _names_by_function(tree: Tree, links: str) -> dict[str, list[str]]:
    """Devices of a class or bus by the last function on their path.

    Between the two there may be a device of another kind, as there is with virtio.
    """
    names: dict[str, list[str]] = {}
    folder = tree.folder(links)
    if folder is None:
        return names
    with folder:
        for name in folder.names():
            for function in functions_on(folder.target(name) or "")[-1:]:
                names.setdefault(function, []).append(name)
    return names


def _vf_numbers(folder: Folder) -> dict[str, int]:
    """Numbers of a PF's VFs by their addresses, from the links `virtfnN`."""
    found = ((name, _VIRTFN.fullmatch(name)) for name in folder.names())
    return {folder.link(name) or "": int(match[1]) for name, match in found if match}


def _parent(folder: Folder) -> str | None:
    parent = folder.link("physfn")
    return parent if parent and ADDRESS.fullmatch(parent) else None


def _driver(folder: Folder) -> str | None:
    driver = folder.link("driver")
    return printable(driver) if driver else None


def _iommu_group(folder: Folder) -> int | None:
    group = folder.link("iommu_group")
    return int(group) if group and re.fullmatch(r"\d{1,9}", group, re.ASCII) else None


def _count(folder: Folder, name: str) -> int:
    count = folder.parsed(name, parse_amount) or 0
    if count > _MOST_VFS:
        folder.tree.notes.add(f"{folder.path}/{name}", f"{count} is no number of VFs")
        return 0
    return count


def _opened_through(folder: Folder, driver: str | None) -> str | None:
    """A VFIO driver enables a function when a program opens it, and disables it at the last close."""
    if driver is None or "vfio" not in driver:
        return None
    return driver if folder.parsed("enable", parse_amount) else None
