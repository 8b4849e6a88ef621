"""Configuration space, of which the kernel shows users who are not root the first 64 bytes only.

No more than needed is read, and never all of it: some devices hang when registers are read that they lack.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum

_READ_BY_ALL = 0x40
_STATUS, _HAS_CAPABILITIES = 0x06, 0x10
_POINTER = 0x34
_PCIE_CAPABILITY = 0x10
#: The first 256 bytes have room for no more capabilities.
_MOST_CAPABILITIES = (0x100 - _READ_BY_ALL) // 4

_EXTENDED = 0x100
_SERIAL_CAPABILITY = 0x0003
_MOST_EXTENDED = (4096 - _EXTENDED) // 4


class PortType(IntEnum):
    """Device/Port Type of the PCI Express Capabilities Register, as far as bridges have it."""

    ROOT_PORT = 4
    UPSTREAM = 5
    """Of a switch."""
    DOWNSTREAM = 6
    """Of a switch."""
    PCIE_TO_PCI = 7
    PCI_TO_PCIE = 8


_PORT_TYPES = {int(one): one for one in PortType}


def require_all(config: int) -> None:
    """Find out whether more than the first 64 bytes may be read.

    Raises:
        PermissionError: only those.
    """
    if len(os.pread(config, 4, _READ_BY_ALL)) < 4:
        raise PermissionError


def serial_of(config: int) -> str | None:
    """The device serial number as eight bytes in hex, highest first, with dashes between.

    Layout: PCI Express Base Specification, "Device Serial Number Extended Capability".
    """
    for offset, identity in _extended_capabilities(config):
        if identity == _SERIAL_CAPABILITY:
            number = os.pread(config, 8, offset + 4)
            known = len(number) == 8 and number not in (bytes(8), b"\xff" * 8)
            return number[::-1].hex("-") if known else None
    return None


def port_type_of(config: int) -> PortType | None:
    """What kind of PCIe port a bridge is; null for all else.

    Layout: PCI Express Base Specification, "PCI Express Capabilities Register".
    """
    for identity, flags in _capabilities(config):
        if identity == _PCIE_CAPABILITY:
            return _PORT_TYPES.get(flags >> 4 & 0xF)
    return None


def _capabilities(config: int) -> Iterator[tuple[int, int]]:
    """Each one's identity with the two bytes after its head."""
    status, pointer = os.pread(config, 2, _STATUS), os.pread(config, 1, _POINTER)
    if len(status) < 2 or not pointer or not status[0] & _HAS_CAPABILITIES:
        return
    offset = pointer[0] & ~3
    for _ in range(_MOST_CAPABILITIES):
        if offset < _READ_BY_ALL or len(head := os.pread(config, 4, offset)) < 4:
            return
        yield head[0], int.from_bytes(head[2:], "little")
        offset = head[1] & ~3


def _extended_capabilities(config: int) -> Iterator[tuple[int, int]]:
    """Offset and identity of each."""
    offset = _EXTENDED
    for _ in range(_MOST_EXTENDED):
        header = int.from_bytes(os.pread(config, 4, offset), "little")
        if header in (0, 0xFFFFFFFF):
            return
        yield offset, header & 0xFFFF
        offset = header >> 20 & ~3
        if offset < _EXTENDED:
            return
