"""Taking a database into possession: sound, of a version that we may write, ours, under a new epoch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import Connection, Engine, Row, insert, select, update

from innkeeper.errors import StoreCorrupt, StoreError, StoreTooNew
from innkeeper.store.address import Place
from innkeeper.store.base import NOBODY, Machine
from innkeeper.store.batch import Owner, Position
from innkeeper.store.belonging import (
    NOT_KNOWN,
    Arrival,
    Belonging,
    Visit,
    require_no_other_name,
    tell_arrival,
)
from innkeeper.store.columns import add_missing_columns
from innkeeper.store.engines import ask_pragma, writer_engine
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.memory import Memory
from innkeeper.store.nova.tables import nova_metadata
from innkeeper.store.tables import OLDEST_READER, VERSION, ledgers, metadata, schema
from innkeeper.store.transactions import Transactions

CHECKED_BYTES: Final = 256 * 2**20
"""A database up to this size is checked at every start, which takes about half a second at most."""


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opens, on which machine and boot, when."""

    node: str
    boot_id: str | None
    now_us: int
    machine: Machine = NOBODY
    adopts: bool = False
    """Whether an operator gives another machine's ledger to this one."""

    @property
    def visit(self) -> Visit:
        """What the ledger is told of it."""
        return Visit(self.boot_id, self.machine, self.now_us, self.adopts)


def open_database(path: Path, opening: Opening) -> Transactions:
    """Check, make what is missing, and take the ledger under a new epoch.

    Raises:
        StoreCorrupt: it is damaged.
        StoreTooNew: a newer innkeeper wrote it and says that this one may not follow.
        StoreForeign: its claims are another machine's, or are kept under another node's name.
        StoreError: it cannot be opened or written.
    """
    with told_as_store_error(path):
        checked = _needs_check(path)
        make_private_file(path)
        engine = writer_engine(path)
        connection = engine.connect()
        try:
            if checked:
                _require_sound(connection, path)
            _require_log(connection, path)
            return _take_possession(engine, connection, path, opening)
        except BaseException:
            connection.close()
            raise


def open_memory(memory: Memory, name: Path, opening: Opening) -> Transactions:
    """The same of a database in memory, which messages call `name`: there is no file to check or lose.

    Raises:
        StoreForeign: see `open_database`.
    """
    with told_as_store_error(name):
        engine = writer_engine(memory)
        connection = engine.connect()
        try:
            return _take_possession(engine, connection, name, opening)
        except BaseException:
            connection.close()
            raise


def _take_possession(
    engine: Engine, connection: Connection, path: Path, opening: Opening
) -> Transactions:
    with connection.begin():
        _require_tables(connection, path)
        require_no_other_name(connection, path, opening.node)
        taken = take_ledger(connection, path, opening)
    return Transactions(path, engine, connection, *taken)


def make_private_file(path: Path) -> None:
    """Make it before SQLite does, which would let others read it; log and index follow its mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def sibling(path: Path, suffix: str) -> Path:
    """The file beside a database that SQLite names after it."""
    return path.with_name(path.name + suffix)


def _needs_check(path: Path) -> bool:
    """A larger one only when its last owner did not close it, for then the log is still there."""
    if not path.exists():
        return False
    return path.stat().st_size <= CHECKED_BYTES or sibling(path, "-wal").exists()


def _require_sound(connection: Connection, path: Path) -> None:
    first = ask_pragma(connection, "quick_check(1)")
    if first != "ok":
        raise StoreCorrupt(f"{path} is damaged ({first})", path=str(path))


def _require_log(connection: Connection, path: Path) -> None:
    mode = ask_pragma(connection, "journal_mode")
    if mode != "wal":
        raise StoreError(
            f"The file system that holds {path} cannot share a write-ahead log (journal mode "
            f"{mode}). Use a local file system",
            path=str(path),
        )


def _require_tables(connection: Connection, path: Path) -> None:
    metadata.create_all(connection)
    add_missing_columns(connection, metadata)
    nova_metadata.create_all(connection)
    found = read_version(connection, path)
    if found is None:
        ours = {"version": VERSION, "oldest_reader": OLDEST_READER}
        connection.execute(insert(schema), ours)
    elif found.version < VERSION:
        connection.execute(update(schema).values(version=VERSION, oldest_reader=OLDEST_READER))


def read_version(connection: Connection, path: Place) -> Row[Any] | None:
    """What the tables say of themselves; null before anybody wrote it.

    Raises:
        StoreTooNew: a newer innkeeper wrote them and says that this one may not follow.
    """
    found = connection.execute(select(schema)).first()
    if found is not None and found.oldest_reader > VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer innkeeper (tables of version {found.version}, to be "
            f"read from version {found.oldest_reader} on; this one knows {VERSION}). Install the "
            "newer release again",
            path=str(path),
            version=found.version,
            oldest_reader=found.oldest_reader,
            known=VERSION,
        )
    return found


def take_ledger(
    connection: Connection, path: Place, opening: Opening
) -> tuple[Owner, Position, Arrival]:
    """The ledger under a new epoch: one is begun, or the one that is there is taken.

    Raises:
        StoreForeign: it is another machine's.
    """
    mine = ledgers.c.node == opening.node
    found = connection.execute(select(ledgers).where(mine).with_for_update()).first()
    ledger = uuid4() if found is None or found.uuid is None else UUID(found.uuid)
    visit: dict[str, Any] = {"opened_us": opening.now_us, "uuid": str(ledger)}
    if found is None:
        after = NOT_KNOWN.after(opening.visit)
        first = {"node": opening.node, "generation": 0, "epoch": 1, "sequence": 0, "forgotten": 0}
        connection.execute(insert(ledgers), {**first, **visit, **after.columns()})
        return Owner(opening.node, 1, ledger), Position(0, 0), Arrival(after, after)
    kept = Belonging.of(found._asdict())
    kept.require_own(opening.visit, path)
    epoch, sequence = found.epoch + 1, found.sequence
    if kept.is_news(opening.visit):
        sequence += 1
        tell_arrival(connection, opening.node, sequence, kept, opening.visit)
    after = kept.after(opening.visit)
    visit |= {"epoch": epoch, "sequence": sequence, **after.columns()}
    connection.execute(update(ledgers).where(mine).values(**visit))
    position = Position(found.generation, sequence)
    return Owner(opening.node, epoch, ledger), position, Arrival(kept, after)
