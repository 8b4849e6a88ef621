"""PCI functions, bridges included, as /sys/bus/pci/devices shows them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.parse import parse_amount, parse_number, shown
from innkeeper.drivers.sysfs.serials import Serials
from innkeeper.drivers.sysfs.tree import Folder, Tree
from innkeeper.objects import PciFunction, PciKind

FUNCTIONS = "sys/bus/pci/devices"
NETDEVS = "sys/class/net"

ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")

_ON_PATH = re.compile(rf"(?<![^/]){ADDRESS.pattern}(?![^/])")

#: More VFs than a PF can have: the kernel prints some errors as huge unsigned numbers.
_MOST_VFS = 65_535

_ID = re.compile(r"0x([0-9a-f]{4})")
_CLASS = re.compile(r"0x([0-9a-f]{6})")


@dataclass(frozen=True, slots=True)
class Found:
    """A function and what only discovery needs to know of it."""

    function: PciFunction
    path: str
    """Its directory without links: the functions that it hangs below are components of it."""
    opened_through: str | None
    """The driver through which a program has it open, where the kernel tells."""


def functions_on(path: str) -> list[str]:
    """Addresses of the functions that a device path goes through, the nearest to the CPU first."""
    return _ON_PATH.findall(path)


class FunctionReader:
    """Reads all functions of one tree."""

    def __init__(self, tree: Tree, cells: frozenset[int], serials: Serials) -> None:
        self._tree = tree
        self._cells = cells
        self._serials = serials
        self._netdevs = _netdevs_by_function(tree)

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
        return PciFunction(
            address=address,
            vendor_id=vendor,
            product_id=product,
            class_id=class_id,
            kind=PciKind.VF if parent else PciKind.PF if total_vfs else PciKind.PCI,
            parent=parent,
            driver=_driver(folder),
            cell=self._cell(folder),
            iommu_group=_iommu_group(folder),
            total_vfs=total_vfs,
            num_vfs=_count(folder, "sriov_numvfs") if total_vfs else 0,
            netdevs=self._netdevs_of(address, folder),
            # VFs have none of their own, and asking thousands of them is slow.
            serial=None if parent else self._serials.read(folder, f"{address} {vendor}:{product}"),
        )

    def _netdevs_of(self, address: str, folder: Folder) -> tuple[str, ...]:
        names = {*folder.names_in("net"), *self._netdevs.get(address, ())}
        return tuple(printable(name) for name in sorted(names))

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


def _netdevs_by_function(tree: Tree) -> dict[str, list[str]]:
    """Network devices by the last function on their path; virtio has a device of its own between."""
    netdevs: dict[str, list[str]] = {}
    folder = tree.folder(NETDEVS)
    if folder is None:
        return netdevs
    with folder:
        for name in folder.names():
            for function in functions_on(folder.target(name) or "")[-1:]:
                netdevs.setdefault(function, []).append(name)
    return netdevs


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
