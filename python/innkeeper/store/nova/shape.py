"""The database as it is: which of Nova's tables and columns are there, and what each can hold.

Looked at once, when the database is opened. Columns that are missing are done without, those that
no object knows are left alone, and nothing is ever altered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from sqlalchemy import (
    Column,
    Connection,
    DateTime,
    Dialect,
    Enum,
    Inspector,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    inspect,
)
from sqlalchemy.types import TypeEngine

from innkeeper.errors import StoreError
from innkeeper.store.nova.capacity import Capacity, capacity_of, read_charsets

NEEDED: Final = (
    *("services", "compute_nodes", "instances", "instance_extra", "instance_system_metadata"),
    *("instance_types", "instance_type_extra_specs", "migrations", "pci_devices"),
)
"""Tables that every release since Juno has."""
BLOCK_DEVICES: Final = "block_device_mapping"
"""Only read, and done without where it is missing."""

MOST_STATEMENTS: Final = 256
"""Kept for one table; there is one for each set of columns that change together."""

S = TypeVar("S")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; columns have it without a zone and in whole seconds, as MySQL keeps it.

    SQLite has text, which is handed on as it is: text that is no moment must not stop a page.
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = DateTime
    cache_ok: bool | None = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:  # noqa: D102
        on_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(cast("Any", String(26) if on_sqlite else DateTime()))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: D102
        if value is None:
            return None
        return _in_column(value, dialect.name)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: D102
        return value


@lru_cache(maxsize=64)
def _in_column(value: datetime, dialect: str) -> Any:
    """Kept, since all rows of a transaction have the same moments."""
    naive = value.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    if dialect == "sqlite":
        return naive.isoformat(sep=" ", timespec="microseconds")
    return naive


@dataclass(frozen=True, slots=True, eq=False)
class NovaTable:
    """One table as it was found."""

    table: Table
    capacities: Mapping[str, Capacity]
    statements: dict[Hashable, Any] = field(default_factory=dict)
    """Built once: building one costs more than running it."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.table.name

    def statement(self, key: Hashable, build: Callable[[Table], S]) -> S:
        """The statement of that key, built when it is first asked for."""
        found: S | None = self.statements.get(key)
        if found is None:
            if len(self.statements) >= MOST_STATEMENTS:
                self.statements.clear()
            found = self.statements[key] = build(self.table)
        return found

    def has(self, column: str) -> bool:
        """Whether the column is there."""
        return column in self.table.c

    def requires(self, column: str) -> bool:
        """Whether the column is there and may not be null."""
        return column in self.table.c and not self.table.c[column].nullable


@dataclass(frozen=True, slots=True)
class Shape:
    """Nova's tables in one database."""

    tables: Mapping[str, NovaTable]

    @classmethod
    def reflect(cls, connection: Connection) -> Shape:
        """Look at the tables.

        Raises:
            StoreError: one is missing that every release has.
        """
        inspector = inspect(connection)
        there = set(inspector.get_table_names())
        missing = [name for name in NEEDED if name not in there]
        if missing:
            raise StoreError(
                f"The database lacks Nova's tables {', '.join(missing)}; is it Nova's main "
                "database, and was it migrated?",
                missing=missing,
            )
        names = [*NEEDED, *({BLOCK_DEVICES} & there)]
        charsets = read_charsets(connection, names)
        metadata = MetaData()
        return cls({name: _reflect(inspector, metadata, name, charsets) for name in names})

    def __getitem__(self, name: str) -> NovaTable:
        return self.tables[name]

    def get(self, name: str) -> NovaTable | None:
        """A table that may be missing."""
        return self.tables.get(name)


def _reflect(
    inspector: Inspector,
    metadata: MetaData,
    name: str,
    charsets: Mapping[tuple[str, str], str],
) -> NovaTable:
    columns: list[Column[Any]] = []
    capacities = {}
    dialect = inspector.dialect.name
    for found in inspector.get_columns(name):
        kind = found["type"]
        capacity = capacity_of(kind, dialect, charsets.get((name, found["name"])))
        if capacity is not None:
            capacities[found["name"]] = capacity
        is_id = found["name"] == "id"
        columns.append(
            Column(
                found["name"],
                _as_used(kind),
                nullable=found["nullable"],
                primary_key=is_id,
                autoincrement=is_id,
            )
        )
    return NovaTable(Table(name, metadata, *columns), capacities)


def _as_used(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The column's type, without the checks that would stop a whole page for one odd row."""
    if isinstance(kind, DateTime):
        return Moment()
    if isinstance(kind, Enum) and not kind.native_enum:
        return Text()
    return kind
