"""SQLite as this store uses it: one connection that writes, a few that read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from innkeeper.store.memory import Memory

BUSY_SECONDS = 3.0
"""How long a foreign process's lock is waited for; our own readers never hold up a write."""

READERS: Final = 4

#: `synchronous=FULL` syncs the log at every commit: that is the promise of `apply`. A checkpoint
#: costs two more syncs, so it comes after 16 MiB of log, and the log is cut to that size.
WRITER_PRAGMAS: tuple[str, ...] = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "wal_autocheckpoint=4096",
    f"journal_size_limit={16 * 2**20}",
    "cell_size_check=ON",
)
READER_PRAGMAS: tuple[str, ...] = ("query_only=ON", "cell_size_check=ON")


def writer_engine(place: Path | Memory) -> Engine:
    """Each connection is a new one; a transaction takes the write lock when it begins."""
    engine = create_engine(
        _url("sqlite", place), poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}
    )
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def reader_engine(place: Path | Memory) -> AsyncEngine:
    """Connections that cannot write and, with the log, never wait for one that does."""
    engine = create_async_engine(
        _url("sqlite+aiosqlite", place),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=READERS,
        max_overflow=0,
        connect_args={"timeout": BUSY_SECONDS},
    )
    event.listen(engine.sync_engine, "connect", _prepare_reader)
    return engine


def ask_pragma(connection: Connection, pragma: str) -> Any:
    """The first answer of a pragma, outside of any transaction.

    Raises:
        sqlite3.Error
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(f"PRAGMA {pragma}")
        answer = cursor.fetchone()
        return answer[0] if answer else None
    finally:
        cursor.close()


def _url(driver: str, place: Path | Memory) -> URL:
    if isinstance(place, Memory):
        return place.url(driver)
    return URL.create(driver, database=str(place))


def _prepare_writer(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # or the driver would begin transactions of its own kind
    _set_pragmas(connection, WRITER_PRAGMAS)


def _prepare_reader(connection: Any, _record: object) -> None:
    # A text that is no UTF-8 must not stop a whole page: it is no JSON either.
    connection.driver_connection.text_factory = _as_text
    _set_pragmas(connection, READER_PRAGMAS)


def _as_text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")


def _set_pragmas(connection: Any, pragmas: tuple[str, ...]) -> None:
    cursor = connection.cursor()
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
