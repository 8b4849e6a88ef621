"""The words that a simulated host is asked for with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from innkeeper.config.nearest import hint, quoted
from innkeeper.config.sizes import parse_disk, parse_memory, refusal
from innkeeper.config.toml_file import read_toml
from innkeeper.drivers.simulated.cards import (
    MOST_VFS,
    CardWords,
    cards_of,
)
from innkeeper.drivers.simulated.cells import (
    MOST_PAGES_1G,
    MOST_PAGES_2M,
    CellWords,
    cells_of,
    is_of_cell,
    shares,
)
from innkeeper.drivers.simulated.consistency import require_consistent
from innkeeper.drivers.simulated.words import Parse, ids, matching, number, what, yes_or_no
from innkeeper.errors import BadRequest

_EXAMPLE = (
    "write one such as cpus=64,cells=2,pfs=2,vfs=8, or the path of a TOML file with these keys"
)

#: What goes on with the list before it: `offline=2-3,7`.
_MORE_IDS = re.compile(r"[0-9]+(-[0-9]+)?")

_MIB_PER_CPU = 4096
_DEFAULT_DISK_MIB = 2**20


@dataclass(frozen=True, slots=True)
class SimulatedSpec:
    """How large the host is; everything is of the whole host, except `threads` and `vfs`."""

    cpus: int
    cells: int
    sockets: int
    threads: int
    """CPUs of one core."""
    l3: int
    """Cores under one L3 cache; 0: the host does not say."""
    memory_mib: int
    page_kib: int
    """Size of an ordinary page."""
    pages_2m: int
    pages_1g: int
    pfs: int
    vfs: int
    """VFs of one PF."""
    vdpa: int
    """VFs of one PF that carry a vDPA device: the last ones."""
    gpus: int
    """Plain cards, each with an audio function beside it in one IOMMU group."""
    switch: int
    """Cards behind one PCIe switch; 0: each behind a root port of its own."""
    serials: bool
    """Whether cards have serial numbers."""
    offline: frozenset[int]
    """CPUs that are offline."""
    isolated: frozenset[int]
    """CPUs that the kernel's scheduler leaves alone."""
    disk_mib: int
    seed: int
    """Another one gives other ids and serials."""
    boot: int
    """How often it started anew."""
    name: str
    """The host name."""
    cards: Mapping[str, CardWords] = field(default_factory=dict)
    """Cards that differ from the others."""
    cell_words: Mapping[int, CellWords] = field(default_factory=dict)
    """Cells that differ from the others."""

    def cell(self, number: int) -> CellWords:
        """What a cell has of its own."""
        return self.cell_words.get(number, CellWords())

    def own(self, name: str) -> list[int | None]:
        """What each cell has of its own of something."""
        return [getattr(self.cell(number), name) for number in range(self.cells)]

    def of_cells(self, name: str) -> list[int]:
        """What each cell has of something that the host has so much of."""
        return shares(getattr(self, name), self.own(name))

    def card(self, name: str) -> CardWords:
        """What a card has of its own."""
        return self.cards.get(name, CardWords())

    def vfs_of(self, name: str) -> int:
        """VFs of a PF, plugged or not."""
        own = self.card(name).vfs
        return self.vfs if own is None else own

    def vdpa_of(self, name: str) -> int:
        """VFs of a PF that carry a vDPA device."""
        own = self.card(name).vdpa
        return min(self.vdpa, self.vfs_of(name)) if own is None else own


def file_of_spec(text: str) -> Path | None:
    """The file that a spec names; null when it is the words themselves."""
    is_file = "=" not in text and (text.endswith(".toml") or "/" in text)
    return Path(text).absolute() if is_file else None


def parse_spec(text: str) -> SimulatedSpec:
    """What `cpus=64,cells=2` or a TOML file asks for; keys that are left out have defaults.

    Raises:
        BadRequest: a key is unknown or given twice, a value is out of range, or two of them
            contradict each other.
    """
    file = file_of_spec(text)
    if file is not None:
        return _spec_of(dict(_words_of(read_toml(file))))
    if "=" in text:
        return _spec_of(_parse_words(text))
    raise refusal("simulated host", text, f"is no spec; {_EXAMPLE}")


def _parse_words(text: str) -> dict[str, str]:
    words: dict[str, str] = {}
    key = ""
    for part in text.split(","):
        if key and _MORE_IDS.fullmatch(part):
            words[key] += f",{part}"
            continue
        key, equals, value = (word.strip() for word in part.partition("="))
        if not equals:
            raise refusal(
                "simulated host", text, f"has a part {quoted(part)} without `=`; {_EXAMPLE}"
            )
        if key in words:
            raise refusal("simulated host", text, f"has the key `{key}` twice")
        words[key] = value
    return words


def _words_of(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Keys of a file, those of a table with its name before them."""
    for key, value in table.items():
        if isinstance(value, dict) and not prefix:
            yield from _words_of(value, f"{key}.")
        else:
            yield f"{prefix}{key}", _word(f"{prefix}{key}", value)


def _word(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | str):
        raise refusal(what(key), str(value), "should be a number, text, true or false")
    return str(value)


_KEYS: Mapping[str, Parse] = {
    "cpus": number(1, 65_536),
    "cells": number(1, 1024),
    "sockets": number(1, 1024),
    "threads": number(1, 8),
    "l3": number(0, 65_536),
    "memory": lambda key, text: parse_memory(text, what=what(key)),
    "page_kib": number(1, 1024),
    "pages_2m": number(0, MOST_PAGES_2M),
    "pages_1g": number(0, MOST_PAGES_1G),
    "pfs": number(0, 4096),
    "vfs": number(0, MOST_VFS),
    "vdpa": number(0, MOST_VFS),
    "gpus": number(0, 4096),
    "switch": number(0, 32),
    "serials": yes_or_no,
    "offline": ids,
    "isolated": ids,
    "disk": lambda key, text: parse_disk(text, what=what(key)),
    "seed": number(0, 2**53),
    "boot": number(0, 2**53),
    "name": matching("[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", "a host name: up to 63 of a-z 0-9 . -"),
}


def _spec_of(words: Mapping[str, str]) -> SimulatedSpec:
    of_cells = {key: text for key, text in words.items() if is_of_cell(key)}
    of_cards = {key: text for key, text in words.items() if "." in key and key not in of_cells}
    of_host = {key: text for key, text in words.items() if "." not in key}
    for key in of_host:
        if key not in _KEYS:
            raise _unknown(key)
    values: dict[str, Any] = {key: _KEYS[key](key, text) for key, text in of_host.items()}
    for unit in ("memory", "disk"):
        if unit in values:
            values[f"{unit}_mib"] = values.pop(unit)
    counts = {"pf": values.get("pfs", 0), "gpu": values.get("gpus", 0)}
    values["cards"] = cards_of(of_cards, counts)
    values["cell_words"] = cells_of(of_cells, values.get("cells", 1))
    spec = SimulatedSpec(**{one.name: _given(values, one.name) for one in fields(SimulatedSpec)})
    require_consistent(spec)
    return spec


def _unknown(key: str) -> BadRequest:
    problem = f"is an unknown key; {hint(key, _KEYS)}"
    return refusal("simulated host:", key, problem)


def _given(values: dict[str, Any], name: str) -> Any:
    """The value of a key, or its default, which may depend on the keys before it."""
    if name not in values:
        values[name] = _default(values, name)
    return values[name]


def _default(values: Mapping[str, Any], name: str) -> object:
    if name == "cpus":
        return 16
    if name == "cells":
        return 1
    if name == "sockets":
        return default_sockets(values["cells"])
    if name == "threads":
        return 2 if values["cpus"] % (2 * values["cells"]) == 0 else 1
    if name in ("memory_mib", "pages_2m", "pages_1g"):
        of_cells = sum(getattr(cell, name) or 0 for cell in values["cell_words"].values())
        return max(of_cells, values["cpus"] * _MIB_PER_CPU) if name == "memory_mib" else of_cells
    fixed: dict[str, object] = {
        "disk_mib": _DEFAULT_DISK_MIB,
        "name": "simulated",
        "serials": True,
        "offline": frozenset(),
        "isolated": frozenset(),
        "l3": 8,
        "page_kib": 4,
    }
    return fixed.get(name, 0)


def default_sockets(cells: int) -> int:
    """The fewest sockets with at most four cells each, as today's machines have; never one for many."""
    if cells == 1:
        return 1
    return next(n for n in range(2, cells + 1) if cells % n == 0 and cells // n <= 4)
