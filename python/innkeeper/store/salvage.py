"""Reading what is left of a damaged SQLite file, without changing it.

First row by row through SQLite, around the pages that it cannot read. Where not even the table is
found, because the head of the file is gone, by the look of a claim's text in the bytes.
"""

from __future__ import annotations

import mmap
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from innkeeper.objects import Claim
from innkeeper.store.belonging import NOT_KNOWN, Belonging
from innkeeper.store.rows import parse_body
from innkeeper.store.salvaged_cordons import (
    LOST,
    SalvagedCordons,
    cordons_by_look,
    cordons_by_row,
)

CHUNK: Final = 64
"""Rows read at once; where that fails they are read one by one."""

CLAIM_HEAD: Final = re.compile(rb'\{"id":"[0-9a-f-]{36}","node":"')
CORDON_HEAD: Final = re.compile(rb'\{"kind":"(?:host|cell|cpu|device)","subject":"')
LONGEST_TEXT: Final = 2**16
"""Bytes; a longer one is spread over pages and cannot be found by its look."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the ledger stood; zeros when that cannot be read."""

    generation: int = 0
    epoch: int = 0
    sequence: int = 0
    belonging: Belonging = NOT_KNOWN
    """Whose it is; null where that cannot be read."""

    def columns(self) -> dict[str, object]:
        """The same as columns."""
        numbers = {name: getattr(self, name) for name in ("generation", "epoch", "sequence")}
        return {**numbers, **self.belonging.columns()}


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was read, and how many claims are there that cannot be."""

    claims: tuple[Claim, ...]
    unreadable: int
    standing: Standing
    cordons: SalvagedCordons = LOST


def read_what_is_left(path: Path, node: str) -> Salvage:
    """Everything of a damaged database that still makes sense; never raises for what does not."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            bodies = list(_claim_bodies(connection))
            standing = _standing(connection, node)
            cordons = cordons_by_row(connection, node)
    except sqlite3.Error:
        bodies, standing = list(texts_by_look(path, CLAIM_HEAD)), Standing()
        cordons = cordons_by_look(texts_by_look(path, CORDON_HEAD))
    parsed = [body and parse_body(Claim, body) for body in bodies]
    readable = [claim for claim in parsed if claim]
    return Salvage(_latest(readable), len(parsed) - len(readable), standing, cordons)


def _latest(found: Iterable[Claim]) -> tuple[Claim, ...]:
    latest: dict[object, Claim] = {}
    for claim in sorted(found, key=lambda claim: claim.updated_at):
        latest[claim.id] = claim
    return tuple(latest.values())


def _claim_bodies(connection: sqlite3.Connection) -> Iterator[bytes | None]:
    """The text of every row; None for a row that is there and cannot be read.

    Raises:
        sqlite3.Error: not even the table can be found.
    """
    last = _last_row(connection)
    for first in range(1, last + 1, CHUNK):
        try:
            yield from _bodies(connection, first, first + CHUNK - 1)
        except sqlite3.Error:
            for row in range(first, first + CHUNK):
                yield from _one_body(connection, row)


def _last_row(connection: sqlite3.Connection) -> int:
    """By the table, or by an index, which lies on other pages."""
    with suppress(sqlite3.Error):
        return _number(connection.execute("SELECT max(rowid) FROM innkeeper_claims"))
    by_index = "SELECT max(rowid) FROM innkeeper_claims INDEXED BY innkeeper_claims_live"
    return _number(connection.execute(by_index))


def _number(cursor: sqlite3.Cursor) -> int:
    (value,) = cursor.fetchone()
    return value if isinstance(value, int) else 0


def _bodies(connection: sqlite3.Connection, first: int, last: int) -> list[bytes | None]:
    query = "SELECT body FROM innkeeper_claims WHERE rowid BETWEEN ? AND ?"
    return [body for (body,) in connection.execute(query, (first, last))]


def _one_body(connection: sqlite3.Connection, row: int) -> list[bytes | None]:
    try:
        return _bodies(connection, row, row)
    except sqlite3.Error:
        return [None]


def _standing(connection: sqlite3.Connection, node: str) -> Standing:
    query = "SELECT generation, epoch, sequence FROM innkeeper_ledgers WHERE node = ?"
    with suppress(sqlite3.Error):
        found = connection.execute(query, (node,)).fetchone()
        if found and all(isinstance(number, int) and number >= 0 for number in found):
            generation, epoch, sequence = found
            return Standing(generation, epoch, sequence, _belonging(connection, node))
    return Standing()


def _belonging(connection: sqlite3.Connection, node: str) -> Belonging:
    """Column by column: an older release did not know all of them."""
    found: dict[str, Any] = {}
    for name in Belonging.__slots__:
        with suppress(sqlite3.Error, UnicodeDecodeError):
            query = f"SELECT {name} FROM innkeeper_ledgers WHERE node = ?"
            (value,) = connection.execute(query, (node,)).fetchone()
            found[name] = value.decode() if isinstance(value, bytes) else value
    since = found.get("booted_us")
    return Belonging(**{**found, "booted_us": since if isinstance(since, int) else None})


def texts_by_look(path: Path, look: re.Pattern[bytes]) -> Iterator[bytes]:
    """Texts that begin so in database and log; old forms among them, of which the latest counts."""
    for file in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError, ValueError), file.open("rb") as opened:
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
            for head in look.finditer(data):
                yield from _text_at(data[head.start() : head.start() + LONGEST_TEXT])


def _text_at(data: bytes) -> Iterator[bytes]:
    text = data.decode(errors="replace")
    with suppress(JSONDecodeError):
        _, end = JSONDecoder().raw_decode(text)
        yield text[:end].encode()
