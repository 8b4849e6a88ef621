"""Databases on servers that stores share, made as an operator makes them and emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, MetaData, text
from tests.upgrade.databases import empty

from innkeeper.store.address import Address
from innkeeper.store.founding import found_store
from innkeeper.store.nova.tables import nova_metadata
from innkeeper.store.tables import metadata, schema

SERVERS = ("postgresql", "mysql")


@dataclass(frozen=True, slots=True)
class SharedDatabase:
    """A database of its own on a server, seen by its administrator."""

    address: Address
    engine: Engine

    def clear(self) -> None:
        """Forget every row but what the tables say of themselves."""
        with self.engine.begin() as connection:
            for tables in (metadata, nova_metadata):
                _clear(connection, tables)

    def kill_connections(self) -> int:
        """End every other connection to it, as an operator may; how many there were."""
        return end_connections(self.engine)


def end_connections(engine: Engine) -> int:
    """End every other connection to a database; how many there were."""
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            return len(connection.execute(text(_TERMINATE)).all())
        others = connection.execute(text(_OTHERS)).scalars().all()
        for one in others:
            connection.exec_driver_sql(f"KILL {one}")
        return len(others)


_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_OTHERS = (
    "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
)


def _clear(connection: Connection, tables: MetaData) -> None:
    for table in reversed(tables.sorted_tables):
        if table is not schema:
            connection.execute(table.delete())


@contextmanager
def shared_database(server: str) -> Iterator[SharedDatabase]:
    """A new database with the tables of a store; the test is skipped where no server answers."""
    with empty(server) as engine:
        address = Address.parse(engine.url.render_as_string(hide_password=False))
        found_store(address)
        yield SharedDatabase(address, engine)
