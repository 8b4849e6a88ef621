"""Words of the kernel's files to values. Every function raises ValueError with a reason for people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain

from innkeeper.objects.base import MAX_AMOUNT

#: Ids above this are no CPUs or cells of any kernel; a list that names one is refused whole.
HIGHEST_ID = 65_535

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_MASK_GROUP = re.compile(r"[0-9a-fA-F]{1,8}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5,31}")
_MEMINFO_LINE = re.compile(r"(?:Node \d+ )?([\w()]+):\s+(\d{1,20})(?: kB)?\s*", re.ASCII)


def shown(text: str) -> str:
    """A text as it is quoted in a reason."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")


def parse_ids(text: str) -> frozenset[int]:
    """Ids in the kernel's list format, such as `0-3,8`; blanks alone are the empty set."""
    ranges = [_parse_range(part) for part in text.split(",")] if text else []
    if sum(map(len, ranges)) > HIGHEST_ID + 1:
        raise ValueError(f"{shown(text)} names ids more than once")
    return frozenset(chain.from_iterable(ranges))


def _parse_range(text: str) -> range:
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{shown(text)} is no range of ids")
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= last <= HIGHEST_ID:
        raise ValueError(f"{shown(text)} is no range of ids up to {HIGHEST_ID}")
    return range(first, last + 1)


def numbers_of(form: re.Pattern[str], names: Iterable[str]) -> list[int]:
    """The first group, as a number, of each name that has the form."""
    return [int(found[1]) for name in names if (found := form.fullmatch(name))]


def parse_mask(text: str) -> frozenset[int]:
    """Ids in the kernel's mask format: groups of 32 bits in hex, the lowest ids last."""
    groups = text.split(",")
    if not all(_MASK_GROUP.fullmatch(group) for group in groups):
        raise ValueError(f"{shown(text)} is no mask")
    bits = int("".join(group.zfill(8) for group in groups), 16)
    if bits.bit_length() > HIGHEST_ID + 1:
        raise ValueError(f"{shown(text)} has ids above {HIGHEST_ID}")
    return frozenset(i for i in range(bits.bit_length()) if bits >> i & 1)


def parse_number(text: str) -> int:
    """A whole number in decimal, which may be negative."""
    if _NUMBER.fullmatch(text) is None or abs(int(text)) > MAX_AMOUNT:
        raise ValueError(f"{shown(text)} is no number")
    return int(text)


def parse_amount(text: str) -> int:
    """A whole number in decimal from zero on."""
    number = parse_number(text)
    if number < 0:
        raise ValueError(f"{shown(text)} is negative")
    return number


def parse_numbers(text: str) -> tuple[int, ...]:
    """Amounts with blanks between."""
    return tuple(parse_amount(word) for word in text.split())


def parse_meminfo(text: str) -> dict[str, int]:
    """Amounts by name; those of memory are KiB. Lines of another form are passed over."""
    found = (_MEMINFO_LINE.fullmatch(line) for line in text.splitlines())
    amounts = {match[1]: int(match[2]) for match in found if match}
    if amounts.get("MemTotal", -1) not in range(MAX_AMOUNT + 1):
        raise ValueError("has no line MemTotal")
    return amounts


def parse_mac(text: str) -> str | None:
    """A hardware address: 6 bytes of Ethernet, 20 of InfiniBand; blanks or zeros alone are none."""
    if text and _MAC.fullmatch(text) is None:
        raise ValueError(f"{shown(text)} is no hardware address")
    return text if text.strip("0:") else None
