"""Nova's `reserved_huge_pages`: pages of a cell that the host keeps for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.errors import BadConfig
from innkeeper.requests.numa_words.memory import read_page_size

_KEYS: Final = ("node", "size", "count")
_NUMBER = re.compile(r"[0-9]{1,12}")
_FORM: Final = "write node:0,size:2048,count:64, the size in KiB or as 2MiB or 1GiB"


@dataclass(frozen=True, slots=True)
class ReservedPages:
    """Pages of one size that one cell keeps back."""

    cell: int
    size_kib: int
    count: int


def read_reserved_pages(texts: Iterable[str]) -> tuple[ReservedPages, ...]:
    """Each `node:N,size:S,count:C`, in order.

    Raises:
        BadConfig: one has another form, or two are of one size on one cell; `details["errors"]`
            names every one that is wrong.
    """
    return reserved_pages_of([_table(text) for text in texts])


def _table(text: str) -> Mapping[str, str] | str:
    parts = [part.partition(":") for part in text.split(",")]
    table = {key.strip(): value.strip() for key, _, value in parts}
    return table if len(table) == len(parts) and all(colon for _, colon, _ in parts) else text


def reserved_pages_of(entries: Iterable[Mapping[str, str] | str]) -> tuple[ReservedPages, ...]:
    """As `read_reserved_pages`, of entries that are tables of texts already; a text is no table.

    Raises:
        BadConfig: as there.
    """
    read: dict[tuple[int, int], ReservedPages] = {}
    errors: list[dict[str, str]] = []
    for number, entry in enumerate(entries):
        try:
            _take(read, _read(entry))
        except ValueError as error:
            errors.append(_error(f"reserved_huge_pages[{number}]", entry, str(error)))
    if errors:
        raise BadConfig("\n".join(error["message"] for error in errors), errors=errors)
    return tuple(read.values())


def _take(read: dict[tuple[int, int], ReservedPages], pages: ReservedPages) -> None:
    if (pages.cell, pages.size_kib) in read:
        raise ValueError(f"says pages of {pages.size_kib} KiB of node {pages.cell} again")
    read[pages.cell, pages.size_kib] = pages


def _read(entry: Mapping[str, str] | str) -> ReservedPages:
    if isinstance(entry, str) or set(entry) != set(_KEYS):
        raise ValueError(f"has not node, size and count once each: {_FORM}")
    node, size, count = (entry[key] for key in _KEYS)
    for key, text in (("node", node), ("count", count)):
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"has {key} {quoted(text)}, which should be a whole number: {_FORM}")
    try:
        size_kib = read_page_size(size)
    except ValueError as error:
        raise ValueError(f"has size {quoted(size)}, which {error}") from None
    if not size_kib:
        raise ValueError("has size 0")
    return ReservedPages(int(node), size_kib, int(count))


def _error(path: str, entry: Mapping[str, str] | str, problem: str) -> dict[str, str]:
    given = entry if isinstance(entry, str) else ",".join(f"{k}:{v}" for k, v in entry.items())
    message = f"`{path}` {quoted(given)} {problem}"
    return {"path": path, "message": message, "cause": "InvalidReservedMemoryPagesOption"}
