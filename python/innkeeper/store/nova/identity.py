"""Which row is an object's: by id, by uuid, or by what people call it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, Update, bindparam, null, select, update

from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.shape import NovaTable
from innkeeper.store.nova.writing import Writing, sliced


@dataclass(frozen=True, slots=True)
class Known:
    """A row that is there."""

    row_id: int
    uuid: str | None
    """Kept once it is there, since others refer to it; null where the table has none."""


@dataclass(frozen=True, slots=True)
class Named:
    """What people call a row."""

    key: str
    """Stands for the condition among the statements that are kept."""
    condition: Callable[[], ColumnElement[bool]]
    """On parameters."""
    values: Mapping[str, Any]
    """Of the parameters."""


def identify(writing: Writing, table: NovaTable, draft: Draft, named: Named) -> Known | None:
    """The live row of an object, or the deleted one of its uuid, which comes back to life.

    Nova revives the node of a uuid in the same way: the key over uuids knows no `deleted`.
    """
    row_id, uuid = draft.named("id", "uuid")
    if row_id is not None:
        return find_row(writing, table, _equal(table, "id", row_id))
    if uuid is None or not table.has("uuid"):
        return find_row(writing, table, named)
    by_uuid = _equal(table, "uuid", uuid)
    found = find_row(writing, table, by_uuid) or find_row(writing, table, named)
    if found is None and not draft.is_gone and revive(writing, table, [uuid]):
        return find_row(writing, table, by_uuid)
    return found


def _equal(table: NovaTable, column: str, value: Any) -> Named:
    return Named(column, lambda: table.table.c[column] == bindparam("value"), {"value": value})


def find_row(writing: Writing, table: NovaTable, named: Named) -> Known | None:
    """The first live row."""

    def build(made: Table) -> Select[Any]:
        c = made.c
        uuid = c.uuid if table.has("uuid") else null().label("uuid")
        query = select(c.id, uuid).where(c.deleted == 0, named.condition())
        return query.order_by(c.id).limit(1)

    query = table.statement(("row", named.key), build)
    row = writing.connection.execute(query, named.values).first()
    return None if row is None else Known(row.id, row.uuid)


def revive(writing: Writing, table: NovaTable, uuids: Iterable[str]) -> int:
    """Make deleted rows live again; how many."""
    back = table.statement("revive", _revive)
    count = 0
    for some in sliced(sorted(uuids)):
        given = {"some": some, "now": writing.now}
        count += writing.connection.execute(back, given).rowcount
    return count


def _revive(table: Table) -> Update:
    c = table.c
    back = update(table).where(c.uuid.in_(bindparam("some", expanding=True)), c.deleted != 0)
    return back.values(deleted=0, deleted_at=None, updated_at=bindparam("now"))


def part_for(draft: Draft, known: Known | None) -> dict[str, Any]:
    """The fields to write to that row, or to a new one."""
    values = draft.part(of_new_row=known is None)
    if known is not None and known.uuid is not None:
        values.pop("uuid", None)
    return values
