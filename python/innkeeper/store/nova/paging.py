"""Pages of rows as objects: a row that makes no sense is told and does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Result, Select, func, literal
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from innkeeper.errors import InnkeeperError
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import NO_DEFAULT
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.shape import NovaTable

T = TypeVar("T")
N = TypeVar("N", bound=NovaObject)

RowValues = dict[str, Any]
"""One row by column."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that was left out, and why."""

    table: str
    row_id: int
    subject: str
    """The host, instance or device whose row it is."""
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, in the order of their ids."""

    objects: tuple[T, ...]
    unreadable: tuple[Unreadable, ...]
    after: int | None
    """Where the next page begins; null at the end."""
    digests: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    """Of every row by its id: whose it is, and what tells it from any other form of it in this process."""


def fetch(
    connection: Connection, table: NovaTable, query: Select[Any], wanted: RowsWanted
) -> list[RowValues]:
    """The next rows by id."""
    c = table.table.c
    if wanted.since is not None:
        query = query.where(func.coalesce(c.updated_at, c.created_at) >= _second(c, wanted.since))
    if wanted.of_instance is not None:
        whose = c.uuid if table.name == "instances" else c.instance_uuid
        query = query.where(whose == wanted.of_instance)
    query = query.where(c.id > wanted.after).order_by(c.id).limit(wanted.limit)
    return rows_of(connection.execute(query))


def _second(columns: ReadOnlyColumnCollection[str, Any], moment: datetime) -> ColumnElement[Any]:
    """As the column keeps it: in whole seconds."""
    return literal(moment, columns.created_at.type)


def page_of(
    table: NovaTable,
    rows: Sequence[RowValues],
    wanted: RowsWanted,
    subject: str,
    read: Callable[[RowValues], T],
    beside: Callable[[RowValues], object] = lambda _row: None,
) -> Page[T]:
    """The rows as objects; `beside` is what an object has from other tables."""
    objects: list[T] = []
    unreadable: list[Unreadable] = []
    digests: dict[int, tuple[str, int]] = {}
    for row in rows:
        digest = _digest(row, beside(row))
        digests[row["id"]] = str(row.get(subject)), digest
        if wanted.known.get(row["id"]) == digest:
            continue
        try:
            objects.append(read(row))
        except InnkeeperError as error:
            named = str(row.get(subject))
            unreadable.append(Unreadable(table.name, row["id"], named, reason_of(error)))
    after = rows[-1]["id"] if len(rows) == wanted.limit else None
    return Page(tuple(objects), tuple(unreadable), after, digests)


def _digest(row: RowValues, beside: object) -> int:
    """The moment of the last write is no part of it: rows may be written again as they are."""
    moment = row.pop("updated_at", None)
    digest = hash((tuple(row.values()), beside))
    row["updated_at"] = moment
    return digest


def reason_of(error: InnkeeperError) -> str:
    """What is wrong, with the place where it is known."""
    path = error.details.get("path")
    return f"{path}: {error.message}" if path else error.message


def object_of(kind: type[N], row: RowValues, *, without: Iterable[str] = ()) -> N:
    """The object's fields that are columns of the same name.

    Null in a field that has no null leaves it unset, or is its default.

    Raises:
        BadPrimitive: a value of the wrong kind, with its column.
    """
    skipped = frozenset(without)
    data = {}
    for name, known in kind.LAYOUT.fields.items():
        if name not in row or name in skipped:
            continue
        value = row[name]
        if value is None and not known.nullable and known.default is NO_DEFAULT:
            continue
        data[name] = value != 0 if name == "deleted" else value
    return kind.of_data(data)


def clean(record: N) -> N:
    """What was read is not a change of anything."""
    record.reset_changes(recursive=True)
    return record


def rows_of(found: Result[Any]) -> list[RowValues]:
    """Rows by column."""
    return [dict(row) for row in found.mappings()]
