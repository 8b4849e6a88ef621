"""Replaces what names a host, its owner or its network by made-up words, the same ones everywhere.

Free text is not searched for secrets but made anew: mount points, volumes and command line keep only what
discovery needs. The made-up words are numbers in order of appearance, so nothing can be computed back.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from innkeeper.drivers.capture.collect import Collected
from innkeeper.drivers.capture.selection import is_inside
from innkeeper.drivers.capture.serial_files import is_of_config
from innkeeper.drivers.capture.tables import TABLES, Words

_HOSTNAMES = ("proc/sys/kernel/hostname", "etc/hostname")
_MACHINE_IDS = ("etc/machine-id", "var/lib/dbus/machine-id")
_BOOT_ID = "proc/sys/kernel/random/boot_id"

#: Names that the kernel and udev give by place and number, and that therefore tell nothing.
_ORDINARY_NETDEV = re.compile(
    r"lo|(eth|ib|wlan|usb|br|virbr|bond|team|dummy|docker|tap|tun|macvtap|vnet|veth|wwan|sit)\d*"
    r"|(en|ib|sl|wl|ww)(P\d+)?[ops]\d+([a-z]+\d+)*"
)
_BEFORE_NETDEV = ("net", "brif")
_LOWER = "lower_"


def redact(found: Collected) -> Collected:
    """The same part of a tree under other names; what discovery makes of it has the same shape."""
    names = _Names(found)
    return Collected(
        texts={
            names.path(path): names.text(path, text) for path, text in sorted(found.texts.items())
        },
        links={
            names.path(path): names.path(to)
            for path, to in sorted(found.links.items())
            if is_inside(to)
        },
        folders={names.path(path) for path in found.folders},
        serials={
            names.path(path): names.serial(serial) for path, serial in sorted(found.serials.items())
        },
        port_types={names.path(path): kind for path, kind in sorted(found.port_types.items())},
        skipped=tuple(names.line(line) for line in found.skipped),
    )


@dataclass(slots=True)
class Fakes:
    """Made-up words, one for each original of a kind."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def number(self, kind: str, original: str) -> int:
        """The number of an original among its kind, from 1 on."""
        alike = sum(1 for known, _ in self.numbers if known == kind)
        return self.numbers.setdefault((kind, original), alike + 1)


class _Names:
    """Originals of one host, and what stands for them."""

    def __init__(self, found: Collected) -> None:
        self._fakes = Fakes()
        self._netdevs = {
            name: f"net{number}x"
            for number, name in enumerate(sorted(_named_netdevs(found.folders)), start=1)
        }
        self._words = Words(self._fakes.number, self._netdevs, _kernel_names(found))

    def path(self, path: str) -> str:
        parts = path.split("/")
        return "/".join(self._part(parts, position) for position in range(len(parts)))

    def _part(self, parts: list[str], position: int) -> str:
        part, before = parts[position], parts[position - 1] if position else ""
        if before in _BEFORE_NETDEV:
            return self._netdevs.get(part, part)
        if part.startswith(_LOWER):
            name = part.removeprefix(_LOWER)
            return _LOWER + self._netdevs.get(name, name)
        if before == "btrfs" and part != "features":
            return f"00000000-0000-4000-9000-{self._fakes.number('btrfs', part):012x}"
        return part

    def line(self, line: str) -> str:
        path, colon, problem = line.partition(": ")
        return f"{self.path(path)}{colon}{problem}"

    def text(self, path: str, text: str) -> str:
        if path in _HOSTNAMES:
            return "redacted\n"
        if path in _MACHINE_IDS:
            return f"{1:032x}\n"
        if path == _BOOT_ID:
            return f"00000000-0000-4000-8000-{1:012x}\n"
        table = TABLES.get(_table_name(path))
        return table(self._words, text) if table else text

    def serial(self, serial: str) -> str:
        number = self._fakes.number("serial", serial)
        return number.to_bytes(8).hex("-") if is_of_config(serial) else f"SERIAL{number}"


def _table_name(path: str) -> str:
    """The name of a file; with its folder where the name alone means several things."""
    parts = path.split("/")
    if parts[-1] == "address" and parts[-3:-2] == ["net"]:
        return "net/address"
    return "/".join(parts[-2:]) if parts[-2:] == ["dm", "name"] else parts[-1]


def _named_netdevs(folders: Iterable[str]) -> set[str]:
    parts = (path.split("/") for path in folders)
    names = {part[i + 1] for part in parts for i in range(len(part) - 1) if part[i] == "net"}
    return {name for name in names if not _ORDINARY_NETDEV.fullmatch(name)}


def _kernel_names(found: Collected) -> frozenset[str]:
    """Block devices by the names under which /sys has them."""
    return frozenset(
        posixpath.basename(path)
        for path in [*found.links, *found.folders]
        if posixpath.dirname(path) == "sys/class/block"
    )
