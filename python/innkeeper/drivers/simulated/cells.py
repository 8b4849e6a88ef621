"""What a spec says of single cells, by their numbers: `cell0`, `cell1`, ...

What the host has beyond what its cells have of their own is spread over the other cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from innkeeper.config.nearest import hint
from innkeeper.config.sizes import parse_memory, refusal
from innkeeper.drivers.simulated.words import CELL, Parse, matching, number, what

MOST_PAGES_2M = 2**31
MOST_PAGES_1G = 2**22


@dataclass(frozen=True, slots=True)
class CellWords:
    """What one cell has of its own; what is null is its share of the host's."""

    cpus: int | None = None
    memory_mib: int | None = None
    pages_2m: int | None = None
    pages_1g: int | None = None
    used_2m: int = 0
    """Of its hugepages those that are in use."""
    used_1g: int = 0
    distances: tuple[int, ...] | None = None
    """To each cell in the order of their numbers."""


def _memory(key: str, text: str) -> int:
    return 0 if text == "0" else parse_memory(text, what=what(key))


def _distances(key: str, text: str) -> tuple[int, ...]:
    form = matching(r"[0-9]{1,3}(/[0-9]{1,3})*", "distances such as 10/21/31")
    return tuple(map(int, form(key, text).split("/")))


_KEYS: Mapping[str, Parse] = {
    "cpus": number(0, 65_536),
    "memory": _memory,
    "pages_2m": number(0, MOST_PAGES_2M),
    "pages_1g": number(0, MOST_PAGES_1G),
    "used_2m": number(0, MOST_PAGES_2M),
    "used_1g": number(0, MOST_PAGES_1G),
    "distances": _distances,
}


def cells_of(words: Mapping[str, str], count: int) -> dict[int, CellWords]:
    """Cells that have words of their own, from keys such as `cell1.memory`.

    Raises:
        BadRequest: there is no such cell or key, or a value is none.
    """
    values: dict[int, dict[str, Any]] = {}
    for full, text in words.items():
        name, _, key = full.partition(".")
        cell = int(name.removeprefix("cell"))
        if cell >= count:
            raise refusal("simulated host:", full, f"names no cell; the last is cell{count - 1}")
        if key not in _KEYS:
            raise refusal("simulated host:", full, f"is an unknown key; {hint(key, _KEYS)}")
        field = "memory_mib" if key == "memory" else key
        values.setdefault(cell, {})[field] = _KEYS[key](full, text)
    return {cell: CellWords(**given) for cell, given in values.items()}


def is_of_cell(key: str) -> bool:
    """Whether a key is of a single cell."""
    return CELL.match(key) is not None


def shares(total: int, own: Sequence[int | None]) -> list[int]:
    """What each place has: its own, or as even a share of the rest as whole numbers allow, larger first."""
    left, places = total - sum(one or 0 for one in own), own.count(None)
    even = iter(spread(left, places) if places else ())
    return [next(even) if one is None else one for one in own]


def spread(total: int, places: int) -> list[int]:
    """As even a share for each place as whole numbers allow, the larger shares first."""
    share, rest = divmod(total, places)
    return [share + (place < rest) for place in range(places)]
