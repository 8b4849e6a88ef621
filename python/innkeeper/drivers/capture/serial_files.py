"""Serial numbers and port types as the smallest `config` and `vpd` that tell them.

Neither file is copied from a host: reading all of it disturbs some devices, and it holds more than that.
"""

from __future__ import annotations

import re

from innkeeper.drivers.sysfs.config_space import PortType

_EIGHT_BYTES = re.compile(r"[0-9a-f]{2}(-[0-9a-f]{2}){7}")

#: Where the extended space begins, a device serial number capability without the number.
_EXTENDED, _SERIAL_CAPABILITY = 0x100, b"\x03\x00\x01\x00"
#: Where the first 64 bytes end, a PCI Express capability; version 2 is today's.
_PCIE_AT, _PCIE_CAPABILITY = 0x40, b"\x10\x00"
_READ_ONLY_DATA, _END = b"\x90", b"\x78"


def is_of_config(serial: str) -> bool:
    """Whether it has the form of the eight bytes in configuration space."""
    return _EIGHT_BYTES.fullmatch(serial) is not None


def files_of(serial: str | None, port_type: PortType | None) -> dict[str, bytes]:
    """Content by name of the files from which discovery learns both again."""
    files = {}
    in_config = serial if serial and is_of_config(serial) else None
    if in_config or port_type:
        files["config"] = _config(in_config, port_type)
    if serial and not in_config:
        files["vpd"] = _vpd(serial)
    return files


def _config(serial: str | None, port_type: PortType | None) -> bytes:
    space = bytearray(_EXTENDED)
    if port_type:
        space[0x06], space[0x34] = 0x10, _PCIE_AT
        space[_PCIE_AT : _PCIE_AT + 4] = _PCIE_CAPABILITY + bytes([port_type << 4 | 2, 0])
    if serial:
        space += _SERIAL_CAPABILITY + bytes.fromhex(serial.replace("-", ""))[::-1]
    return bytes(space)


def _vpd(serial: str) -> bytes:
    value = bytes(ord(character) if character.isascii() else 0xFF for character in serial)[:255]
    block = b"SN" + bytes([len(value)]) + value
    return _READ_ONLY_DATA + len(block).to_bytes(2, "little") + block + _END
