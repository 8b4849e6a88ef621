"""Free text of /proc and /sys, made anew with made-up words."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

#: Places that every system has; others are named by people.
_ORDINARY_POINTS = re.compile(
    "/|/(boot|efi|home|opt|root|srv|tmp|usr|var)|/boot/efi|/var/(lib|log|tmp)"
)
_MAPPER = "/dev/mapper/"

#: Networks for benchmarks and for documentation (RFC 2544, RFC 3849): nobody's addresses.
_IPV4_NET = int(IPv4Address("198.18.0.0"))
_IPV6_NET = int(IPv6Address("2001:db8::"))


@dataclass(frozen=True, slots=True)
class Words:
    """Made-up words for those in tables."""

    number: Callable[[str, str], int]
    """The number of an original among its kind."""
    netdevs: Mapping[str, str]
    kernel_names: frozenset[str]

    def netdev(self, name: str) -> str:
        """A network device."""
        return self.netdevs.get(name, name)

    def volume(self, name: str) -> str:
        """A device-mapper volume."""
        return f"volume{self.number('volume', name)}"

    def source(self, source: str) -> str:
        """A block device as mount and swap tables name it, with octal escapes."""
        if source.startswith(_MAPPER):
            return _MAPPER + self.volume(_unescaped(source.removeprefix(_MAPPER)))
        name = source.removeprefix("/dev/")
        if name.replace("/", "!") in self.kernel_names:
            return source
        return f"/dev/source{self.number('source', source)}"

    def point(self, point: str) -> str:
        """Where something is mounted."""
        return (
            point
            if _ORDINARY_POINTS.fullmatch(point)
            else f"/mnt/point{self.number('point', point)}"
        )

    def ipv4(self, field: str) -> str:
        """An address as /proc/net/route has it: eight hex digits in the host's byte order."""
        if not re.fullmatch(r"[0-9A-Fa-f]{8}", field) or field == "0" * 8:
            return field
        fake = _IPV4_NET + self.number("ipv4", field.upper()) % 2**17
        return f"{socket.htonl(fake):08X}"

    def ipv6(self, field: str) -> str:
        """An address as /proc/net/ipv6_route has it: 32 hex digits."""
        if not re.fullmatch(r"[0-9a-f]{32}", field) or field == "0" * 32:
            return field
        return f"{_IPV6_NET + self.number('ipv6', field):032x}"


def _mountinfo(words: Words, text: str) -> str:
    return _lines(_mountinfo_line(words, line.split(" ")) for line in text.splitlines())


def _mountinfo_line(words: Words, fields: list[str]) -> str | None:
    # id parent major:minor root point options [tags]... - type source options
    if len(fields) < 9 or "-" not in fields[6:-2]:
        return None
    dash = fields.index("-", 6)
    kind, source = fields[dash + 1], fields[dash + 2]
    if not source.startswith("/dev/"):
        return None
    head = [*fields[:3], "/", words.point(fields[4]), "rw", "-", kind, words.source(source), "rw"]
    return " ".join(head)


def _mounts(words: Words, text: str) -> str:
    return _lines(_mounts_line(words, line.split(" ")) for line in text.splitlines())


def _mounts_line(words: Words, fields: list[str]) -> str | None:
    # source point type options dump pass
    if len(fields) < 4 or not fields[0].startswith("/dev/"):
        return None
    return " ".join([words.source(fields[0]), words.point(fields[1]), fields[2], "rw", "0", "0"])


def _swaps(words: Words, text: str) -> str:
    head, *rest = text.splitlines() or [""]
    fields = (line.split() for line in rest)
    kept = (" ".join([words.source(one[0]), *one[1:]]) for one in fields if _is_device(one))
    return _lines([head, *kept])


def _is_device(fields: list[str]) -> bool:
    return bool(fields) and fields[0].startswith("/dev/")


def _route(words: Words, text: str) -> str:
    head, *rest = text.splitlines() or [""]
    return _lines([head, *(_route_line(words, line.split()) for line in rest)])


def _route_line(words: Words, fields: list[str]) -> str | None:
    # Iface Destination Gateway Flags RefCnt Use Metric Mask ...
    if len(fields) < 8:
        return None
    addresses = [words.ipv4(field) for field in fields[1:3]]
    return "\t".join([words.netdev(fields[0]), *addresses, *fields[3:]])


def _ipv6_route(words: Words, text: str) -> str:
    return _lines(_ipv6_route_line(words, line.split()) for line in text.splitlines())


def _ipv6_route_line(words: Words, fields: list[str]) -> str | None:
    # destination prefix source prefix next-hop metric references use flags device
    if len(fields) != 10:
        return None
    fields = [words.ipv6(field) for field in fields]
    return " ".join([*fields[:9], words.netdev(fields[9])])


def _cmdline(_: Words, text: str) -> str:
    return " ".join(word for word in text.split() if word.startswith("isolcpus=")) + "\n"


def _cpuinfo(_: Words, text: str) -> str:
    """Processor numbers alone: on some machines the rest has a serial number in it."""
    return _lines(line for line in text.splitlines() if re.match(r"processor\s*:", line))


def _slaves(words: Words, text: str) -> str:
    return " ".join(words.netdev(name) for name in text.split()) + "\n"


def _mac(words: Words, text: str) -> str:
    """Locally administered, so nobody's; longer ones keep their length."""
    original = text.strip()
    if not original.strip("0:"):
        return text
    fake = 2 << 40 | words.number("mac", original)
    return fake.to_bytes((len(original) + 1) // 3, "big").hex(":") + "\n"


def _volume_name(words: Words, text: str) -> str:
    return words.volume(text.strip()) + "\n"


def _lines(lines: Iterable[str | None]) -> str:
    return "".join(f"{line}\n" for line in lines if line is not None)


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


#: By the name of the file.
TABLES: Mapping[str, Callable[[Words, str], str]] = {
    "mountinfo": _mountinfo,
    "mounts": _mounts,
    "swaps": _swaps,
    "route": _route,
    "ipv6_route": _ipv6_route,
    "cmdline": _cmdline,
    "cpuinfo": _cpuinfo,
    "slaves": _slaves,
    "dm/name": _volume_name,
    "net/address": _mac,
}
