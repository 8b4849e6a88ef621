"""A serial number as the smallest `config` or `vpd` that tells it.

Neither file is copied from a host: reading all of it disturbs some devices, and it holds more than that.
"""

from __future__ import annotations

import re

_EIGHT_BYTES = re.compile(r"[0-9a-f]{2}(-[0-9a-f]{2}){7}")

#: Config space up to where the extended one begins, and there a device serial number capability.
_CONFIG = bytes(0x100) + b"\x03\x00\x01\x00"
_READ_ONLY_DATA, _END = b"\x90", b"\x78"


def is_of_config(serial: str) -> bool:
    """Whether it has the form of the eight bytes in configuration space."""
    return _EIGHT_BYTES.fullmatch(serial) is not None


def serial_file(serial: str) -> tuple[str, bytes]:
    """Name and content of a file from which discovery learns the serial number."""
    if is_of_config(serial):
        return "config", _CONFIG + bytes.fromhex(serial.replace("-", ""))[::-1]
    value = bytes(ord(character) if character.isascii() else 0xFF for character in serial)[:255]
    block = b"SN" + bytes([len(value)]) + value
    return "vpd", _READ_ONLY_DATA + len(block).to_bytes(2, "little") + block + _END
