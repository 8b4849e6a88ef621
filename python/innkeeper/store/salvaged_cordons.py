"""What is left of cordons in a damaged database: one that is lost hands out what it was around.

So in doubt a cordon stays: its name is enough, and one found by its look counts even if it was lifted
since. Whatever cannot be carried over is counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from innkeeper.objects import Cordon
from innkeeper.store.rows import parse_body, read_cordon

_COLUMNS: Final = ("node", "kind", "subject", "cause", "body")
#: Numbered by the kernel of SQLite: a name that follows from its table's.
_INDEX: Final = "sqlite_autoindex_innkeeper_cordons_1"


@dataclass(frozen=True, slots=True)
class SalvagedCordons:
    """Cordons that were found, and how many others there were."""

    found: tuple[Cordon, ...]
    unreadable: int | None
    """Null when that cannot be told."""


LOST: Final = SalvagedCordons((), None)


def cordons_by_row(connection: sqlite3.Connection, node: str) -> SalvagedCordons:
    """Row by row around the pages that cannot be read.

    A database of version 2 has no such table and no cordons.
    """
    try:
        if not _has_table(connection):
            return SalvagedCordons((), 0)
        rows = list(_rows(connection))
    except sqlite3.Error:
        return LOST
    mine = [row for row in rows if row is None or row["node"] in (node, None)]
    read = [row and read_cordon(row) for row in mine]
    found = [cordon for cordon in read if cordon]
    return SalvagedCordons(_latest(found), len(read) - len(found))


def _has_table(connection: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'innkeeper_cordons'"
    return connection.execute(query).fetchone() is not None


def _rows(connection: sqlite3.Connection) -> Iterator[dict[str, str | None] | None]:
    """Every row; of one whose page is damaged the name, which the index has too, or None."""
    for number in range(1, _last_row(connection) + 1):
        try:
            columns = ", ".join(_COLUMNS)
            yield from _read(connection, f"SELECT {columns} FROM innkeeper_cordons", number)
        except sqlite3.Error:
            yield from _by_index(connection, number)


def _last_row(connection: sqlite3.Connection) -> int:
    """By the table, or by the index over names, which lies on other pages."""
    query = "SELECT max(rowid) FROM innkeeper_cordons"
    with suppress(sqlite3.Error):
        return _number(connection.execute(query))
    return _number(connection.execute(f"{query} INDEXED BY {_INDEX}"))


def _number(cursor: sqlite3.Cursor) -> int:
    (value,) = cursor.fetchone()
    return value if isinstance(value, int) else 0


def _by_index(
    connection: sqlite3.Connection, number: int
) -> Iterator[dict[str, str | None] | None]:
    names = ", ".join(_COLUMNS[:-1])
    query = f"SELECT {names}, NULL FROM innkeeper_cordons INDEXED BY {_INDEX}"
    try:
        yield from _read(connection, query, number)
    except sqlite3.Error:
        yield None


def _read(
    connection: sqlite3.Connection, query: str, number: int
) -> Iterator[dict[str, str | None]]:
    for row in connection.execute(f"{query} WHERE rowid = ?", (number,)).fetchall():
        yield dict(zip(_COLUMNS, map(_text, row), strict=True))


def _text(value: object) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else None


def cordons_by_look(texts: Iterable[bytes]) -> SalvagedCordons:
    """Those whose text stands somewhere in the file; how many others there were is not known."""
    read = (parse_body(Cordon, text) for text in texts)
    return SalvagedCordons(_latest(cordon for cordon in read if cordon), None)


def _latest(cordons: Iterable[Cordon]) -> tuple[Cordon, ...]:
    latest = {}
    for cordon in sorted(cordons, key=lambda cordon: cordon.at):
        latest[cordon.kind, cordon.subject, cordon.cause] = cordon
    return tuple(latest.values())
