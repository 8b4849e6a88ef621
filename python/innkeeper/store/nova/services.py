"""Rows of `services`: the processes of the fleet, by host and binary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select

from innkeeper.errors import BadRequest
from innkeeper.objects import Service
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.identity import Named, find_row, identify, part_for
from innkeeper.store.nova.paging import Page, RowValues, clean, fetch, object_of, page_of
from innkeeper.store.nova.shape import NovaTable, Shape
from innkeeper.store.nova.writing import RowChange, Writing

COMPUTE: Final = "nova-compute"


def write_services(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them.

    Raises:
        BadRequest: one without host or binary.
    """
    for draft in merged(drafts, ("id",), ("host", "binary")):
        _write(writing, draft)


def _write(writing: Writing, draft: Draft) -> None:
    table = writing.shape["services"]
    host, binary = draft.named("host", "binary")
    if host is None or binary is None:
        raise BadRequest("A service lacks host or binary; give both", host=host)
    c = table.table.c
    known = identify(writing, table, draft, _named(table, host, binary))
    row_id = known.row_id if known else None
    if draft.is_gone:
        writing.mark_deleted(table, [c.id == row_id])
        return
    values = part_for(draft, known)
    if known is None:
        values.setdefault("topic", _topic(binary))
    if known is None or values:
        writing.write(table, [RowChange(row_id, f"{host}/{binary}", values)])


def find_service(writing: Writing, host: str, binary: str = COMPUTE) -> int | None:
    """The id of a host's live service."""
    table = writing.shape["services"]
    found = find_row(writing, table, _named(table, host, binary))
    return found.row_id if found else None


def _named(table: NovaTable, host: str, binary: str) -> Named:
    c = table.table.c
    return Named(
        "host and binary",
        lambda: and_(c.host == bindparam("of_host"), c.binary == bindparam("of_binary")),
        {"of_host": host, "of_binary": binary},
    )


def require_service(writing: Writing, host: str) -> int:
    """The id of a host's nova-compute, whose row is made when there is none."""
    found = find_service(writing, host)
    if found is None:
        values = {"host": host, "binary": COMPUTE, "topic": _topic(COMPUTE)}
        writing.write(writing.shape["services"], [RowChange(None, f"{host}/{COMPUTE}", values)])
        found = find_service(writing, host)
    if found is None:
        raise BadRequest(f"The name of host {host} does not fit into the table of services")
    return found


def _topic(binary: str) -> str:
    return binary.removeprefix("nova-")


def read_services(
    connection: Connection, shape: Shape, host: str | None, wanted: RowsWanted
) -> Page[Service]:
    """Live services, of one host or of all."""
    table = shape["services"]
    query: Any = select(table.table).where(table.table.c.deleted == 0)
    if host is not None:
        query = query.where(table.table.c.host == host)
    rows = fetch(connection, table, query, wanted)
    return page_of(table, rows, wanted, "host", _service)


def _service(row: RowValues) -> Service:
    """Null in columns that came with Liberty is what rows had before it."""
    for name, usual in (("version", 0), ("forced_down", False), ("disabled", False)):
        if row.get(name) is None:
            row[name] = usual
    return clean(object_of(Service, row))
