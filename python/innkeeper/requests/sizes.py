"""Amounts in a request as people write them: `8GiB`, `10m`, `a10=2`, `8086:1889=2`, `slots=1`."""

from __future__ import annotations

import re
from typing import Any

from innkeeper.config.nearest import quoted
from innkeeper.config.sizes import parse_disk, parse_duration, parse_memory, refusal
from innkeeper.objects import DeviceRequest
from innkeeper.objects.request import NumaPolicy

__all__ = [
    "COUNT_LIMIT",
    "parse_cells",
    "parse_count",
    "parse_counter",
    "parse_device",
    "parse_disk",
    "parse_duration",
    "parse_memory",
]

#: As the limit of every count in `Request`.
COUNT_LIMIT = 65_536

_COUNTER_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
_PCI_ID = re.compile(r"[0-9a-f]{4}")
_DEVICE_FORM = (
    "write ALIAS=COUNT or VENDOR:PRODUCT=COUNT, such as a10=2 or 8086:1889=2, "
    "and after it ,numa_policy=required if that is wanted"
)
#: As the limits of the same fields of `DeviceRequest` and `Request`.
_LONGEST_ALIAS = 255
_MOST_CELLS = 1024
_CELL_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")


def parse_count(text: str, *, what: str) -> int:
    """A whole number from 1 to `COUNT_LIMIT`.

    Raises:
        BadRequest: it is none.
    """
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text.strip()) else 0
    if not 1 <= number <= COUNT_LIMIT:
        raise refusal(what, text, f"should be a whole number from 1 to {COUNT_LIMIT}")
    return number


def parse_counter(text: str, *, what: str = "counter") -> tuple[str, int]:
    """Name and count of `NAME=N`.

    Raises:
        BadRequest: it has another form.
    """
    name, equals, count = (part.strip() for part in text.partition("="))
    if not equals:
        raise refusal(what, text, "has no count; write NAME=COUNT, such as slots=1")
    if not _COUNTER_NAME.fullmatch(name):
        problem = "has no name of a counter: a lower-case letter, then up to 62 of a-z 0-9 _ . -"
        raise refusal(what, text, problem)
    return name, parse_count(count, what=f"{what} {name}")


def parse_device(text: str, *, what: str = "device") -> DeviceRequest:
    """What `ALIAS=N` or `VENDOR:PRODUCT=N` asks for, then `,numa_policy=required` or the like.

    One device without `=N`. Ids are hex digits of either case; what has no colon is an alias. An
    alias with `:`, `=` or `,` in its name cannot be said in this form.

    Raises:
        BadRequest: it has another form.
    """
    head, *options = (part.strip() for part in text.split(","))
    kind, equals, count = (part.strip() for part in head.partition("="))
    words = _device_ids(kind, text, what) if ":" in kind else _alias(kind, text, what)
    if equals:
        words["count"] = parse_count(count, what=f"{what} {kind.lower()}")
    for option in options:
        said = _device_option(option, text, what)
        if said.keys() & words.keys():
            raise refusal(what, text, "says its NUMA policy twice: once is enough")
        words |= said
    return DeviceRequest(**words)


def _device_ids(kind: str, text: str, what: str) -> dict[str, Any]:
    vendor, _, product = kind.lower().partition(":")
    for name, value in (("vendor", vendor), ("product", product)):
        if not _PCI_ID.fullmatch(value):
            problem = f"has no {name} id: four hex digits without 0x; {_DEVICE_FORM}"
            raise refusal(what, text, problem)
    return {"vendor_id": vendor, "product_id": product}


def _alias(kind: str, text: str, what: str) -> dict[str, Any]:
    if not kind or len(kind) > _LONGEST_ALIAS or not kind.isprintable():
        raise refusal(what, text, f"is no device; {_DEVICE_FORM}")
    return {"alias": kind}


def _device_option(option: str, text: str, what: str) -> dict[str, Any]:
    key, _, value = (part.strip() for part in option.partition("="))
    if key != "numa_policy":
        raise refusal(what, text, f"has {quoted(option)} after the comma; {_DEVICE_FORM}")
    if value not in tuple(NumaPolicy):
        known = ", ".join(NumaPolicy)
        raise refusal(what, text, f"has an unknown NUMA policy; there are {known}")
    return {"numa_policy": NumaPolicy(value)}


def parse_cells(text: str, *, what: str = "cells") -> tuple[int, ...]:
    """Ids of host cells, such as `0,2-3`, ascending and each once.

    Raises:
        BadRequest: it has another form, or names more than `_MOST_CELLS`.
    """
    cells: set[int] = set()
    for part in text.split(","):
        found = _CELL_RANGE.fullmatch(part.strip())
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not 0 <= high - low < _MOST_CELLS:
            raise refusal(what, text, "should be cell ids, such as 0 or 0,2-3")
        cells |= set(range(low, high + 1))
    if len(cells) > _MOST_CELLS:
        raise refusal(what, text, f"has more than {_MOST_CELLS} cells")
    return tuple(sorted(cells))
