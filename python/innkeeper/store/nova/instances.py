"""Rows of `instances`, and of the tables that hold the rest of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from innkeeper.errors import BadRequest, UnknownInstance
from innkeeper.objects import Instance
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.identity import revive
from innkeeper.store.nova.instance_extra import extras_of, read_extra, write_extras
from innkeeper.store.nova.instance_metadata import (
    complete_flavors,
    read_metadata,
    system_metadata,
    write_system_metadata,
)
from innkeeper.store.nova.paging import Page, RowValues, clean, fetch, object_of, page_of
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import Database, RowChange, Writing, sliced


def write_instances(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them; only the embedded database gets instances that it does not know.

    Raises:
        UnknownInstance: a shared database has no live row of it.
        BadRequest: one without uuid.
    """
    table = writing.shape["instances"]
    latest = merged(drafts, ("uuid",))
    known = _find(writing, latest)
    gone = [one for one in latest if one.is_gone and one.fields["uuid"] in known]
    live = [one for one in latest if not one.is_gone]
    _require_known(writing, [one.fields["uuid"] for one in live if one.fields["uuid"] not in known])
    changes = [_change(one, known.get(one.fields["uuid"])) for one in (*live, *gone)]
    columns = table.table.c.keys()
    writing.write(
        table, [one for one in changes if one.row_id is None or one.values.keys() & columns]
    )
    there = frozenset(known)
    write_extras(writing, live, there)
    write_system_metadata(writing, live, there)
    _mark_gone(writing, [one.fields["uuid"] for one in gone])


def _find(writing: Writing, drafts: Sequence[Draft]) -> dict[str, int]:
    """Ids of the rows; where they are ours, an instance that comes again gets its row back."""
    table = writing.shape["instances"]
    uuids = [_uuid(draft) for draft in drafts]
    known: dict[str, int] = writing.find_ids(table, "uuid", uuids)
    again = {one.fields["uuid"] for one in drafts if not one.is_gone} - known.keys()
    if again and writing.database is Database.EMBEDDED and revive(writing, table, again):
        known |= writing.find_ids(table, "uuid", again)
    return known


def _uuid(draft: Draft) -> str:
    uuid = draft.fields.get("uuid")
    if uuid is None:
        raise BadRequest("An instance has no uuid; its rows are found by it")
    return str(uuid)


def _require_known(writing: Writing, unknown: Sequence[str]) -> None:
    if unknown and writing.database is Database.SHARED:
        raise UnknownInstance(
            f"The database has no instance {unknown[0]}: in a shared database its row is made by "
            "whoever made the instance, before it is claimed here",
            instance_uuid=unknown[0],
        )


def _change(draft: Draft, row_id: int | None) -> RowChange:
    return RowChange(row_id, draft.fields["uuid"], draft.part(of_new_row=row_id is None))


def _mark_gone(writing: Writing, uuids: Sequence[str]) -> None:
    """The instance with all that is only its own; moves stay, as history.

    Nova looks at deleted instances of moves, so their last state is in the row, too.
    """
    extra = writing.shape["instance_extra"]
    metadata = system_metadata(writing.shape).table
    instances = writing.shape["instances"]
    for some in sliced(uuids):
        writing.mark_deleted(extra, [extra.table.c.instance_uuid.in_(some)])
        writing.mark_deleted(metadata, [metadata.table.c.instance_uuid.in_(some)])
        writing.mark_deleted(instances, [instances.table.c.uuid.in_(some)])


def read_instances(
    connection: Connection, shape: Shape, place: tuple[str, str], wanted: RowsWanted
) -> Page[Instance]:
    """Live instances of a node on a host, with their flavors, topologies and requests."""
    table = shape["instances"]
    c = table.table.c
    host, node = place
    query = select(table.table).where(c.deleted == 0, c.host == host, c.node == node)
    rows = fetch(connection, table, query, wanted)
    uuids = [row["uuid"] for row in rows]
    extras = extras_of(connection, shape, uuids)
    pairs = system_metadata(shape).read(connection, uuids)

    def read(row: RowValues) -> Instance:
        return _instance(row, extras.get(row["uuid"], {}), pairs.get(row["uuid"], {}))

    def beside(row: RowValues) -> object:
        extra = extras.get(row["uuid"], {})
        texts = tuple(value for name, value in extra.items() if name != "updated_at")
        return texts, tuple(pairs.get(row["uuid"], {}).items())

    page = page_of(table, rows, wanted, "uuid", read, beside)
    complete_flavors(
        connection,
        shape,
        [one for one in page.objects if not extras.get(one.uuid, {}).get("flavor")],
    )
    for one in page.objects:
        clean(one)
    return page


def _instance(row: RowValues, extra: dict[str, Any], pairs: dict[str, str | None]) -> Instance:
    instance = object_of(Instance, row)
    read_extra(instance, extra)
    read_metadata(instance, pairs)
    return instance
