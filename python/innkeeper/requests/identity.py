"""What stays the same of a function when its card is moved to another slot or the buses are renumbered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from innkeeper.objects import PciFunction

_NO_SERIAL = re.compile(r"[0fx:. -]*", re.IGNORECASE)
"""All zeros and all ones are what a card says that was never given a number."""


def serial_identities(functions: Iterable[PciFunction]) -> dict[str, str]:
    """Identity by address of every function with a serial number of its own.

    The functions of one card share its number, so the function's own is added. A text that two
    functions would share is no identity: it is left out for both.
    """
    named = {one.address: _named(one) for one in functions if one.serial and one.parent is None}
    counts = Counter(named.values())
    return {address: name for address, name in named.items() if name and counts[name] == 1}


def _named(function: PciFunction) -> str | None:
    if function.serial is None or _NO_SERIAL.fullmatch(function.serial):
        return None
    number = function.address.rpartition(".")[2]
    return f"{function.vendor_id}:{function.product_id}:{function.serial}/{number}"


def identity_of(function: PciFunction, serials: Mapping[str, str]) -> str | None:
    """A VF is its PF's so-and-so-many-th, anything else goes by its serial number."""
    if function.parent is None:
        return serials.get(function.address)
    return identity_of_vf(serials.get(function.parent), function.vf_number)


def identity_of_vf(of_parent: str | None, number: int | None) -> str | None:
    """By the identity of its PF and its number among the VFs of that; null without either."""
    return None if of_parent is None or number is None else f"{of_parent}/vf/{number}"
