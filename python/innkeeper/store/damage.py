"""A damaged database is set aside whole, and what can still be read of it is carried over.

The replacement is built beside it, complete and synced, before anything is renamed; from then on
the switch is repeated at every opening until it is done, so that a crash at any point leaves either
the damaged database or the rebuilt one, never an empty one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Table, func, select, update

from innkeeper.errors import StoreCorrupt, StoreLocked
from innkeeper.store.batch import CLAIMS
from innkeeper.store.engines import ask_pragma
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.host_rows import replace_cordons
from innkeeper.store.nova.writing import Database
from innkeeper.store.opening import Opening, open_database, sibling
from innkeeper.store.rows import EPOCH, MICROSECOND, claim_row, cordon_change
from innkeeper.store.salvage import Salvage, read_what_is_left
from innkeeper.store.tables import claims, cordons, ledgers
from innkeeper.store.transactions import Transactions

log = structlog.get_logger(__name__)

SIBLINGS: Final = ("-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Possession:
    """A database that is ours, and what had to be done for that."""

    transactions: Transactions
    set_aside: Path | None = None
    rebuilt_claims: int = 0
    rebuilt_cordons: int = 0
    unreadable_cordons: int | None = 0
    database: Database = Database.EMBEDDED


def open_or_rebuild(path: Path, opening: Opening) -> Possession:
    """Open the database, or set it aside when it is damaged and open what could be rebuilt.

    Raises:
        StoreTooNew, StoreForeign, StoreError: it cannot be opened; nothing was changed.
    """
    with told_as_store_error(path):
        aside = finish_switch(path)
        lost: int | None = 0 if aside is None else None
        try:
            transactions = open_database(path, opening)
        except StoreCorrupt as damage:
            log.warning("database damaged", path=str(path), cause=damage.message)
            salvage = read_what_is_left(path, opening.node)
            salvage.standing.belonging.require_own(opening.visit, path)
            aside, lost = _replace(path, opening, salvage), salvage.cordons.unreadable
            transactions = open_database(path, opening)
    if aside is None:
        return Possession(transactions)
    counts = (_count(transactions, claims), _count(transactions, cordons))
    return Possession(transactions, aside, *counts, lost)


def _replace(path: Path, opening: Opening, salvage: Salvage) -> Path:
    stamp = _free_stamp(path, opening.now_us)
    unfinished = sibling(path, ".unfinished")
    _remove(unfinished, *(sibling(unfinished, suffix) for suffix in SIBLINGS))
    _build(unfinished, opening, salvage)
    for suffix in ("", *SIBLINGS):
        with suppress(FileNotFoundError):
            os.link(sibling(path, suffix), sibling(_aside(path, stamp), suffix))
    _sync_directory(path.parent)
    unfinished.rename(sibling(path, f".rebuilt-{stamp}"))
    _sync_directory(path.parent)
    finish_switch(path)
    aside = _aside(path, stamp)
    log.error(
        "damaged database set aside",
        path=str(aside),
        rebuilt_claims=len(salvage.claims),
        unreadable_claims=salvage.unreadable,
        rebuilt_cordons=len(salvage.cordons.found),
        unreadable_cordons=salvage.cordons.unreadable,
    )
    return aside


def finish_switch(path: Path) -> Path | None:
    """Put a rebuilt database in place of the damaged one; where that was set aside, or None."""
    rebuilt = next(path.parent.glob(f"{path.name}.rebuilt-*"), None)
    if rebuilt is None:
        return None
    _remove(*(sibling(path, suffix) for suffix in SIBLINGS))
    _sync_directory(path.parent)
    rebuilt.replace(path)
    _sync_directory(path.parent)
    return _aside(path, rebuilt.name.removeprefix(f"{path.name}.rebuilt-"))


def _aside(path: Path, stamp: str) -> Path:
    return sibling(path, f".corrupt-{stamp}")


def list_set_aside(path: Path) -> tuple[str, ...]:
    """Damaged databases beside this one, oldest first; their logs are not listed."""
    found = path.parent.glob(f"{path.name}.corrupt-*")
    return tuple(sorted(str(one) for one in found if not one.name.endswith(("-wal", "-shm"))))


def mark_seen(path: Path, aside: Path) -> Path | None:
    """Rename a damaged database that a person looked at, so that it is listed no more; None when it is not.

    Its logs go first: until the database itself has its new name it is listed, and this can be done again.
    """
    if str(aside) not in list_set_aside(path):
        return None
    with told_as_store_error(path):
        for suffix in (*SIBLINGS, ""):
            with suppress(FileNotFoundError):
                sibling(aside, suffix).rename(sibling(_seen(path, aside), suffix))
        _sync_directory(path.parent)
    return _seen(path, aside)


def _seen(path: Path, aside: Path) -> Path:
    return sibling(path, f".seen-{aside.name.removeprefix(f'{path.name}.corrupt-')}")


def _free_stamp(path: Path, now_us: int) -> str:
    """The time of day, and a number when something was set aside in the same second."""
    moment = f"{EPOCH + now_us * MICROSECOND:%Y%m%dT%H%M%SZ}"
    stamps = chain([moment], (f"{moment}.{number}" for number in count(2)))
    return next(stamp for stamp in stamps if not _is_taken(path, stamp))


def _is_taken(path: Path, stamp: str) -> bool:
    aside = _aside(path, stamp)
    return aside.exists() or _seen(path, aside).exists()


def _remove(*files: Path) -> None:
    for file in files:
        file.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    """A rename or link lasts only when its directory was synced."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _build(path: Path, opening: Opening, salvage: Salvage) -> None:
    """A database of its own with all that is left; closing it moves its log into it, synced."""
    transactions = open_database(path, opening)
    connection = transactions.connection
    mine = ledgers.c.node == opening.node
    with connection.begin():
        # History is not carried over: all of it is forgotten.
        standing = salvage.standing.columns() | {"forgotten": salvage.standing.sequence}
        connection.execute(update(ledgers).where(mine).values(standing))
        CLAIMS.replace(connection, opening.node, map(claim_row, salvage.claims))
        kept = (cordon_change(opening.node, cordon) for cordon in salvage.cordons.found)
        replace_cordons(connection, opening.node, kept)
    busy = ask_pragma(connection, "wal_checkpoint(TRUNCATE)")
    transactions.close()
    if busy:
        raise StoreLocked(f"{path} is in use by another process", path=str(path))


def _count(transactions: Transactions, table: Table) -> int:
    with transactions.connection.begin():
        query = select(func.count()).select_from(table)
        return transactions.connection.execute(query).scalar_one()
