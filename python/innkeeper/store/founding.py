"""Tables for a database that many share: made once, by order. A daemon never makes or changes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, inspect, update

from innkeeper.store.address import Address
from innkeeper.store.columns import add_missing_columns
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.nova.shape import NEEDED, Shape
from innkeeper.store.nova.tables import nova_metadata
from innkeeper.store.nova.writing import Database
from innkeeper.store.opening import read_version
from innkeeper.store.server_engines import server_writer
from innkeeper.store.tables import OLDEST_READER, VERSION, metadata, schema


@dataclass(frozen=True, slots=True)
class Founded:
    """A shared database that stores can be opened on."""

    made: tuple[str, ...]
    """Tables that were not there before."""
    database: Database
    """Whose Nova's tables are."""


def found_store(address: Address) -> Founded:
    """Make the tables that are missing, and columns that came later; what is there stays as it is.

    Nova's tables are made where there are none, and are innkeeper's own then. Safe to do twice.

    Raises:
        StoreTooNew: a newer innkeeper made them and says that this one may not follow.
        StoreError: the server cannot be used, or has some of Nova's tables and not all.
    """
    with told_as_store_error(address):
        engine = server_writer(address)
        try:
            with engine.begin() as connection:
                return _found(connection, address)
        finally:
            engine.dispose()


def _found(connection: Connection, address: Address) -> Founded:
    before = set(inspect(connection).get_table_names())
    marked = read_version(connection, address) if schema.name in before else None
    database = _whose(connection, before, None if marked is None else marked.projection)
    metadata.create_all(connection)
    add_missing_columns(connection, metadata)
    if database is Database.EMBEDDED:
        nova_metadata.create_all(connection)
    _mark(connection, marked, database)
    made = set(inspect(connection).get_table_names()) - before
    return Founded(tuple(sorted(made)), database)


def _mark(connection: Connection, marked: Row[Any] | None, database: Database) -> None:
    """Say which version the tables have; a newer release's word stays."""
    ours = {"version": VERSION, "oldest_reader": OLDEST_READER, "projection": database.value}
    if marked is None:
        connection.execute(insert(schema), ours)
    elif marked.version < VERSION:
        connection.execute(update(schema).values(ours))


def _whose(connection: Connection, there: set[str], marked: str | None) -> Database:
    if marked is not None:
        return Database(marked)
    if there.isdisjoint(NEEDED):
        return Database.EMBEDDED
    Shape.reflect(connection)
    return Database.SHARED
