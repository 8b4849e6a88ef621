"""Which row is an object's: by id, by uuid, or by what people call it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, null, select, update

from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.shape import NovaTable
from innkeeper.store.nova.writing import Writing, sliced


@dataclass(frozen=True, slots=True)
class Known:
    """A row that is there."""

    row_id: int
    uuid: str | None
    """Kept once it is there, since others refer to it; null where the table has none."""


def identify(
    writing: Writing, table: NovaTable, draft: Draft, by_name: ColumnElement[bool]
) -> Known | None:
    """The live row of an object, or the deleted one of its uuid, which comes back to life.

    Nova revives the node of a uuid in the same way: the key over uuids knows no `deleted`.
    """
    row_id, uuid = draft.named("id", "uuid")
    c = table.table.c
    if row_id is not None:
        return find_row(writing, table, c.id == row_id)
    if uuid is None or not table.has("uuid"):
        return find_row(writing, table, by_name)
    by_uuid = c.uuid == uuid
    found = find_row(writing, table, by_uuid) or find_row(writing, table, by_name)
    if found is None and not draft.is_gone and revive(writing, table, [uuid]):
        return find_row(writing, table, by_uuid)
    return found


def find_row(writing: Writing, table: NovaTable, where: ColumnElement[bool]) -> Known | None:
    """The first live row."""
    c = table.table.c
    uuid = c.uuid if table.has("uuid") else null().label("uuid")
    query = select(c.id, uuid).where(c.deleted == 0, where).order_by(c.id).limit(1)
    row = writing.connection.execute(query).first()
    return None if row is None else Known(row.id, row.uuid)


def revive(writing: Writing, table: NovaTable, uuids: Iterable[str]) -> int:
    """Make deleted rows live again; how many."""
    c = table.table.c
    back = update(table.table).values(deleted=0, deleted_at=None, updated_at=writing.now)
    count = 0
    for some in sliced(sorted(uuids)):
        where = (c.uuid.in_(some), c.deleted != 0)
        count += writing.connection.execute(back.where(*where)).rowcount
    return count


def part_for(draft: Draft, known: Known | None) -> dict[str, Any]:
    """The fields to write to that row, or to a new one."""
    values = draft.part(of_new_row=known is None)
    if known is not None and known.uuid is not None:
        values.pop("uuid", None)
    return values
