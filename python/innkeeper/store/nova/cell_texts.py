"""The text of a node's cells; that of a cell which did not change is not made again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from innkeeper.errors import InnkeeperError
from innkeeper.objects.numa import NUMACell, NUMATopology
from innkeeper.objects.releases import is_before
from innkeeper.objects.stored_host import read_topology, write_topology

_NONE: Final = "[]"
_MOST_WRITTEN: Final = 16
_written: Final[dict[tuple[str, str], None]] = {}
"""Texts that were made here last, and the releases that they are for."""


def cell_text(cell: NUMACell, release: str) -> str:
    """One cell as it stands among the cells of a topology."""
    head, tail = _around(release)
    text = _text((cell,), release)
    return text[len(head) + 1 : len(text) - len(tail) - 1]


def cells_text(cells: Iterable[str], release: str) -> str:
    """What `write_topology` makes of the cells of which these are the texts."""
    head, tail = _around(release)
    text = f"{head}[{_between(release).join(cells)}]{tail}"
    if len(_written) >= _MOST_WRITTEN:
        _written.clear()
    _written[text, release] = None
    return text


@lru_cache(maxsize=16)
def _rewritten(text: str | None, release: str) -> str | None:
    try:
        return write_topology(read_topology(text), release)
    except InnkeeperError:
        return text


def topology_for(text: str | None, release: str) -> str | None:
    """The text in the form that the release reads; one that makes no sense stays as it is."""
    if text is not None and (text, release) in _written:
        return text
    return _rewritten(text, release)


@lru_cache(maxsize=8)
def _around(release: str) -> tuple[str, str]:
    head, _, tail = _text((), release).partition(_NONE)
    return head, tail


def _between(release: str) -> str:
    return ", " if is_before(release, "kilo") else ","


def _text(cells: tuple[NUMACell, ...], release: str) -> str:
    return write_topology(NUMATopology(cells=cells), release) or _NONE
