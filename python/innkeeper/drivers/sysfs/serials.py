"""Serial numbers: the capability in extended configuration space, else vital product data.

Both are for root alone. They are asked for once for each time a function appears: reading them costs
milliseconds on some devices and wakes sleeping ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.tree import Folder, open_regular

_EXTENDED = 0x100
_SERIAL_CAPABILITY = 0x0003
#: Extended configuration space has room for no more capabilities.
_MOST_CAPABILITIES = (4096 - _EXTENDED) // 4

_READ_ONLY_DATA = 0x90
_END = 0x78
_MOST_VPD = 32 * 1024


@dataclass(frozen=True, slots=True)
class Serial:
    """What asking for a serial number gave."""

    text: str | None = None
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

    def read(self, folder: Folder, function: str) -> str | None:
        """The serial number of the function in `folder`; null, with one warning for all, if root's."""
        # A function that is removed and found again has another inode.
        key = f"{function} {os.fstat(folder.descriptor).st_ino}"
        serial = self._known.get(key)
        if serial is None:
            if folder.text("power_state") == "D3cold":
                # Reading would power it up; it is asked when it is awake.
                return None
            serial = _ask(folder)
        self._seen[key] = serial
        self._warn(folder, serial)
        return serial.text

    def _warn(self, folder: Folder, serial: Serial) -> None:
        if serial.problem:
            name, problem = serial.problem
            folder.tree.notes.add(f"{folder.path}/{name}", problem)
        if serial.root_only and not self._root_only:
            self._root_only = True
            problem = "holds only what every user may read; serial numbers stay unknown"
            folder.tree.notes.add(f"{folder.path}/{serial.root_only}", problem)


def _ask(folder: Folder) -> Serial:
    for name, read in (("config", _serial_of_config), ("vpd", _serial_of_vpd)):
        try:
            descriptor = open_regular(folder.descriptor, name)
            try:
                text = read(descriptor)
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            continue
        except PermissionError:
            return Serial(root_only=name)
        except (OSError, ValueError) as error:
            return Serial(problem=(name, f"cannot be read: {getattr(error, 'strerror', error)}"))
        if text:
            return Serial(text=text)
    return Serial()


def _serial_of_config(config: int) -> str | None:
    """The device serial number as eight bytes in hex, highest first, with dashes between.

    Layout: PCI Express Base Specification, "Device Serial Number Extended Capability".
    """
    if len(os.pread(config, 4, 0x40)) < 4:
        raise PermissionError
    for offset, identity in _capabilities(config):
        if identity == _SERIAL_CAPABILITY:
            number = os.pread(config, 8, offset + 4)
            known = len(number) == 8 and number not in (bytes(8), b"\xff" * 8)
            return number[::-1].hex("-") if known else None
    return None


def _capabilities(config: int) -> Iterator[tuple[int, int]]:
    offset = _EXTENDED
    for _ in range(_MOST_CAPABILITIES):
        header = int.from_bytes(os.pread(config, 4, offset), "little")
        if header in (0, 0xFFFFFFFF):
            return
        yield offset, header & 0xFFFF
        offset = header >> 20 & ~3
        if offset < _EXTENDED:
            return


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
