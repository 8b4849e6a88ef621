"""Amounts in a request as people write them: `8GiB`, `10m`, `8086:1889=2`, `slots=1`."""

from __future__ import annotations

import re

from innkeeper.config.sizes import parse_disk, parse_duration, parse_memory, refusal
from innkeeper.objects import DeviceRequest

__all__ = [
    "COUNT_LIMIT",
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
_DEVICE_FORM = "write VENDOR:PRODUCT=COUNT, such as 8086:1889=2"


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
    """What `VENDOR:PRODUCT=N` asks for; hex digits of either case, and one device without `=N`.

    Raises:
        BadRequest: it has another form.
    """
    ids, equals, count = (part.strip() for part in text.partition("="))
    vendor, colon, product = ids.lower().partition(":")
    if not colon:
        raise refusal(what, text, f"is no device; {_DEVICE_FORM}")
    for name, value in (("vendor", vendor), ("product", product)):
        if not _PCI_ID.fullmatch(value):
            problem = f"has no {name} id: four hex digits without 0x; {_DEVICE_FORM}"
            raise refusal(what, text, problem)
    number = parse_count(count, what=f"{what} {vendor}:{product}") if equals else 1
    return DeviceRequest(vendor_id=vendor, product_id=product, count=number)
