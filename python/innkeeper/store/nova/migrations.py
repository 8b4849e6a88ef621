"""Rows of `migrations`: moves of instances between hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from innkeeper.errors import BadRequest, UnknownInstance
from innkeeper.objects import Migration
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.paging import Page, RowValues, clean, fetch, object_of, page_of
from innkeeper.store.nova.shape import NovaTable, Shape
from innkeeper.store.nova.writing import RowChange, Writing

ENDED: Final = ("confirmed", "reverted", "failed", "completed", "cancelled", "done")
"""Status of moves that hold nothing any more; `error` is not among them, as in Nova since 22."""

_HOLDS_NOTHING: Final = (*ENDED, "error")
"""With what failed: nobody goes on with it, whoever counts it."""

_SAME_MOVE: Final = ("instance_uuid", "source_compute", "dest_compute", "source_node", "dest_node")
"""What tells moves apart where neither id nor uuid can: an instance is on one move at a time."""


def write_migrations(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them.

    Raises:
        BadRequest: one without instance.
        UnknownInstance: no row of its instance is there.
    """
    for draft in merged(drafts, ("id",), ("uuid",), _SAME_MOVE):
        _write(writing, draft)


def _write(writing: Writing, draft: Draft) -> None:
    table = writing.shape["migrations"]
    found = _find(writing, table, draft)
    if draft.is_gone:
        writing.mark_deleted(table, [table.table.c.id == found])
        return
    values = draft.part(of_new_row=found is None)
    if found is None:
        _require_instance(writing, draft)
        if draft.fields.get("migration_type") is None:
            values["migration_type"] = _kind_of_move(draft)
    if found is None or values:
        writing.write(table, [RowChange(found, str(draft.fields.get("instance_uuid")), values)])


def _kind_of_move(draft: Draft) -> str:
    old, new = draft.named("old_instance_type_id", "new_instance_type_id")
    return "migration" if old == new else "resize"


def _find(writing: Writing, table: NovaTable, draft: Draft) -> int | None:
    for condition in _identities(table, draft):
        c = table.table.c
        query = select(c.id).where(c.deleted == 0, condition).order_by(c.id.desc()).limit(1)
        found: int | None = writing.connection.execute(query).scalar()
        if found is not None:
            return found
    return None


def _identities(table: NovaTable, draft: Draft) -> list[ColumnElement[bool]]:
    """By id or uuid alone where that is possible, else by what it moves from where to where."""
    c = table.table.c
    row_id, uuid = draft.named("id", "uuid")
    if row_id is not None:
        return [c.id == row_id]
    if uuid is not None and table.has("uuid"):
        return [c.uuid == uuid]
    same = [c[name] == draft.fields.get(name) for name in _SAME_MOVE]
    return [and_(*same, is_under_way(c.status))]


def is_under_way(status: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether somebody is to go on with a move of this status."""
    return status.not_in(_HOLDS_NOTHING)


def _require_instance(writing: Writing, draft: Draft) -> None:
    uuid = draft.fields.get("instance_uuid")
    if uuid is None:
        raise BadRequest("A migration has no instance_uuid; say which instance moves")
    if not writing.find_ids(writing.shape["instances"], "uuid", [uuid]):
        raise UnknownInstance(
            f"The database has no instance {uuid}, so its move cannot be written",
            instance_uuid=uuid,
        )


def read_migrations(
    connection: Connection, shape: Shape, place: tuple[str, str], wanted: RowsWanted
) -> Page[Migration]:
    """Moves from or to a node of a host that have not ended."""
    table = shape["migrations"]
    c = table.table.c
    host, node = place
    leaves = and_(c.source_compute == host, c.source_node == node)
    comes = and_(c.dest_compute == host, c.dest_node == node)
    live = and_(c.deleted == 0, or_(c.status.is_(None), c.status.not_in(ENDED)))
    rows = fetch(connection, table, select(table.table).where(live, or_(leaves, comes)), wanted)
    return page_of(table, rows, wanted, "instance_uuid", _migration)


def _migration(row: RowValues) -> Migration:
    migration = object_of(Migration, row)
    if not migration.is_set("migration_type"):
        migration.migration_type = migration.kind_of_move
    if not migration.is_set("hidden"):
        migration.hidden = False
    return clean(migration)
