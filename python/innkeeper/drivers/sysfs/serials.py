"""Serial numbers: the capability in extended configuration space, else vital product data.

Both are for root alone. They are asked for once for each time a function appears: reading them costs
milliseconds on some devices and wakes sleeping ones. While its configuration space is open a function is
asked what kind of port it is, too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from innkeeper.drivers.sysfs.config_space import PortType, port_type_of, require_all, serial_of
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.tree import Folder, open_regular

_READ_ONLY_DATA = 0x90
_END = 0x78
_MOST_VPD = 32 * 1024


@dataclass(frozen=True, slots=True)
class Serial:
    """What asking for a serial number gave."""

    text: str | None = None
    port_type: PortType | None = None
    root_only: str | None = None
    """Name of the file that root alone may read."""
    problem: tuple[str, str] | None = None
    """Name of the file that could not be read, and why."""


class Serials:
    """Serial numbers of the functions of one host, kept from one observation to the next."""

    def __init__(self) -> None:
        self._known: dict[str, Serial] = {}
        self._seen: dict[str, Serial] = {}
        self._root_only = False

    def start(self) -> None:
        """Begin an observation: what the last one did not meet is forgotten."""
        self._known, self._seen = self._seen, {}
        self._root_only = False

    def read(self, folder: Folder, function: str) -> Serial:
        """What the function in `folder` says; one warning for all where root alone may ask."""
        # A function that is removed and found again has another inode.
        key = f"{function} {os.fstat(folder.descriptor).st_ino}"
        serial = self._known.get(key)
        if serial is None:
            if folder.text("power_state") == "D3cold":
                # Reading would power it up; it is asked when it is awake.
                return Serial()
            serial = _ask(folder)
        self._seen[key] = serial
        self._warn(folder, serial)
        return serial

    def _warn(self, folder: Folder, serial: Serial) -> None:
        if serial.problem:
            name, problem = serial.problem
            folder.tree.notes.add(f"{folder.path}/{name}", problem)
        if serial.root_only and not self._root_only:
            self._root_only = True
            problem = "holds only what every user may read; serial numbers stay unknown"
            folder.tree.notes.add(f"{folder.path}/{serial.root_only}", problem)


def _ask(folder: Folder) -> Serial:
    serial = Serial()
    for name, read in (("config", _of_config), ("vpd", _of_vpd)):
        try:
            descriptor = open_regular(folder.descriptor, name)
            try:
                serial = read(descriptor, serial)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            continue
        except PermissionError:
            return replace(serial, root_only=name)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", error)
            return replace(serial, problem=(name, f"cannot be read: {why}"))
        if serial.text:
            break
    return serial


def _of_config(config: int, serial: Serial) -> Serial:
    require_all(config)
    return replace(serial, text=serial_of(config), port_type=port_type_of(config))


def _of_vpd(vpd: int, serial: Serial) -> Serial:
    return replace(serial, text=_serial_of_vpd(vpd))


def _serial_of_vpd(vpd: int) -> str | None:
    """The value of keyword SN in the read-only block. Layout: PCI Local Bus Specification, "VPD"."""
    offset = 0
    while offset < _MOST_VPD:
        head = os.pread(vpd, 3, offset)
        if len(head) < 3 or head[0] == _END:
            return None
        if not head[0] & 0x80:
            offset += 1 + (head[0] & 7)
            continue
        size = int.from_bytes(head[1:], "little")
        if head[0] == _READ_ONLY_DATA:
            return _keyword(os.pread(vpd, size, offset + 3), b"SN")
        offset += 3 + size
    return None


def _keyword(block: bytes, wanted: bytes) -> str | None:
    offset = 0
    while offset + 3 <= len(block):
        start, size = offset + 3, block[offset + 2]
        if block[offset : offset + 2] == wanted:
            text = block[start : start + size].decode("ascii", "replace").strip(" \0")
            return printable(text) or None
        offset = start + size
    return None
