"""Databases as Nova's releases made them, on the engines that run here."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from sqlalchemy import (
    URL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool, StaticPool

SCHEMAS: Final = Path(__file__).parent.parent / "data" / "schemas"
RELEASES: Final = ("juno", "kilo", "liberty", "2026.2")
ENGINES: Final = ("sqlite", "postgresql", "mysql")
EVERY: Final = [(release, engine) for release in RELEASES for engine in ENGINES]

SERVERS: Final = {
    "postgresql": "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
    "mysql": "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4",
}
"""Where servers are looked for, unless a variable says otherwise."""
VARIABLES: Final = {
    "postgresql": "TEST_INNKEEPER_POSTGRESQL",
    "mysql": "TEST_INNKEEPER_MARIADB",
}
REQUIRE: Final = "TEST_INNKEEPER_REQUIRE"
"""`all`: a server that is not there is a failure."""

_KINDS: Final[dict[str, Any]] = {
    "INTEGER": Integer(),
    "BIGINT": BigInteger(),
    "FLOAT": Float(),
    "BOOLEAN": Boolean(),
    "DATETIME": DateTime(),
    "TEXT": Text(),
}


@contextmanager
def database(release: str, engine: str) -> Iterator[Engine]:
    """A new database with the tables of a release; it goes at the end."""
    with empty(engine) as made:
        with made.begin() as connection:
            build(connection, release, engine)
        yield made


def build(connection: Connection, release: str, engine: str) -> None:
    """Make the tables, by the release's own statements where they were recorded."""
    if release == "2026.2":
        _today().create_all(connection)
        return
    text = _read(f"{release}_{engine}.sql.gz")
    for statement in text.split(";\n"):
        if statement.strip():
            connection.exec_driver_sql(statement)


def _read(name: str) -> str:
    return gzip.decompress((SCHEMAS / name).read_bytes()).decode()


def _today() -> MetaData:
    """Recorded on SQLite, and the same on every engine but for the words of each."""
    metadata = MetaData()
    for name, table in json.loads(_read("nova34_main.json.gz")).items():
        Table(
            name,
            metadata,
            *[_column(one, table["fks"]) for one in table["columns"]],
            *[UniqueConstraint(*one["columns"], name=one["name"]) for one in table["uniques"]],
            *[_index(one) for one in table["indexes"] if len(one["columns"]) < 6],
        )
    return metadata


def _column(column: dict[str, Any], foreign: list[dict[str, Any]]) -> Column[Any]:
    kind = column["type"]
    made = _KINDS.get(kind) or String(int(kind.removeprefix("VARCHAR(").removesuffix(")")))
    keys = [ForeignKey(one["ref"]) for one in foreign if one["columns"] == [column["name"]]]
    is_id = column["name"] == "id"
    return Column(column["name"], made, *keys, primary_key=is_id, nullable=column["nullable"])


def _index(index: dict[str, Any]) -> Index:
    return Index(index["name"], *index["columns"], unique=index["unique"])


@contextmanager
def empty(engine: str) -> Iterator[Engine]:
    if engine == "sqlite":
        made = _sqlite()
        yield made
        made.dispose()
        return
    url = server(engine)
    name = f"innkeeper_test_{uuid4().hex}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    _execute(admin, f"CREATE DATABASE {name}")
    made = create_engine(url.set(database=name))
    try:
        yield made
    finally:
        made.dispose()
        _execute(admin, f"DROP DATABASE {name}")


def _sqlite() -> Engine:
    made = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(made, "connect", _by_the_book)
    event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return made


def _by_the_book(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions are ours, also around CREATE TABLE
    connection.execute("PRAGMA foreign_keys=ON")


def server(engine: str) -> URL:
    """The server's address; the test is skipped with the reason where none answers."""
    url = make_url(os.environ.get(VARIABLES[engine], SERVERS[engine]))
    try:
        _execute(create_engine(url, poolclass=NullPool), "SELECT 1")
    except (OperationalError, ModuleNotFoundError) as error:
        reason = f"no {engine} at {url.render_as_string()}: {str(error).splitlines()[0]}"
        if os.environ.get(REQUIRE) == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    return url


def _execute(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)
