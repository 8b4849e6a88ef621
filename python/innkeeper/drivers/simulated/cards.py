"""What a spec says of single cards, by their names: `pf0`, `pf1`, ... and `gpu0`, ...

A card keeps its place while it is unplugged, so all others stay as they are; to plug a new one while a
host runs, begin with it unplugged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from innkeeper.config.nearest import hint
from innkeeper.config.sizes import refusal
from innkeeper.drivers.simulated.words import Parse, matching, number, what, yes_or_no

#: Of a PF; the kernel's own limit is higher than any card's.
MOST_VFS = 1024

CARD = re.compile(r"(pf|gpu)(0|[1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class CardWords:
    """What one card has of its own; what is null is as the spec has it for all."""

    plugged: bool = True
    vfs: int | None = None
    vdpa: int | None = None
    address: str | None = None
    """Of its first function, wherever its buses were otherwise."""
    slot: str | None = None
    product: str | None = None
    serial: str | None = None


_KEYS: Mapping[str, Parse] = {
    "plugged": yes_or_no,
    "vfs": number(0, MOST_VFS),
    "vdpa": number(0, MOST_VFS),
    "address": matching(
        r"[0-9a-f]{4}:[0-9a-f]{2}:00\.0", "the address of a first function, such as 0000:c1:00.0"
    ),
    "slot": matching(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,31}", "the name of a slot, such as 3 or 3-1"),
    "product": matching(r"[0-9a-f]{4}", "four lower-case hex digits"),
    "serial": matching(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", "up to 64 letters, digits and hyphens"),
}
_OF_PFS_ONLY = ("vfs", "vdpa")


def cards_of(words: Mapping[str, str], counts: Mapping[str, int]) -> dict[str, CardWords]:
    """Cards that have words of their own, from keys such as `pf1.vfs`.

    `counts` says how many there are of each kind.

    Raises:
        BadRequest: there is no such card or key, or a value is none.
    """
    values: dict[str, dict[str, Any]] = {}
    for full, text in words.items():
        name, _, key = full.partition(".")
        _require_card(full, name, counts)
        if key not in _keys_of(name):
            raise refusal(
                "simulated host:", full, f"is an unknown key; {hint(key, _keys_of(name))}"
            )
        values.setdefault(name, {})[key] = _KEYS[key](full, text)
    return {name: CardWords(**given) for name, given in values.items()}


def _keys_of(name: str) -> list[str]:
    return [key for key in _KEYS if name.startswith("pf") or key not in _OF_PFS_ONLY]


def _require_card(full: str, name: str, counts: Mapping[str, int]) -> None:
    found = CARD.fullmatch(name)
    if found is None:
        raise refusal(
            "simulated host:",
            full,
            "is an unknown key; cards are called pf0, pf1, gpu0, ..., cells cell0, ...",
        )
    kind, count = found[1], counts[found[1]]
    if int(found[2]) >= count:
        known = f"the last one is {kind}{count - 1}" if count else f"give {kind}s=1 or more"
        raise refusal("simulated host:", full, f"there is no such card; {known}")


def require_vdpa_among_vfs(name: str, vfs: int, vdpa: int) -> None:
    """Refuse more VFs with a vDPA device than there are VFs."""
    if vdpa > vfs:
        problem = f"are more than the {vfs} VFs that carry them"
        raise refusal(what(f"{name}vdpa"), str(vdpa), problem)


def card_names(kind: str, count: int) -> Iterator[str]:
    """All cards of a kind."""
    return (f"{kind}{position}" for position in range(count))
