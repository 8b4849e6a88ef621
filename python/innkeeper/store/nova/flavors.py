"""Rows of `instance_types` and their extra specs, by `flavorid`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, select

from innkeeper.errors import BadRequest
from innkeeper.objects import Flavor
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.paging import (
    Page,
    RowValues,
    clean,
    fetch,
    object_of,
    page_of,
    rows_of,
)
from innkeeper.store.nova.pairs import PairTable
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import RowChange, Writing, sliced


def extra_specs(shape: Shape) -> PairTable:
    """The extra specs of flavors."""
    return PairTable(shape["instance_type_extra_specs"], "instance_type_id")


def write_flavors(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them.

    Raises:
        BadRequest: one without `flavorid`.
    """
    table = writing.shape["instance_types"]
    latest = merged(drafts, ("flavorid",))
    names = [_flavorid(draft) for draft in latest]
    known = writing.find_ids(table, "flavorid", names)
    for draft, name in zip(latest, names, strict=True):
        if draft.is_gone:
            _mark_gone(writing, known.get(name))
            continue
        values = draft.part(of_new_row=name not in known)
        if name not in known or values.keys() & table.table.c.keys():
            writing.write(table, [RowChange(known.get(name), name, values)])
    _write_specs(writing, latest)


def _flavorid(draft: Draft) -> str:
    name = draft.fields.get("flavorid")
    if name is None:
        raise BadRequest("A flavor has no flavorid; rows of flavors are found by it")
    return str(name)


def _mark_gone(writing: Writing, row_id: int | None) -> None:
    specs = extra_specs(writing.shape).table
    types = writing.shape["instance_types"]
    writing.mark_deleted(specs, [specs.table.c.instance_type_id == row_id])
    writing.mark_deleted(types, [types.table.c.id == row_id])


def _write_specs(writing: Writing, drafts: Iterable[Draft]) -> None:
    live = {
        draft.fields["flavorid"]: draft
        for draft in drafts
        if not draft.is_gone and "extra_specs" in draft.fields
    }
    known = writing.find_ids(writing.shape["instance_types"], "flavorid", live)
    for name, row_id in known.items():
        wanted = live[name].fields["extra_specs"]
        extra_specs(writing.shape).replace(writing, row_id, wanted, keeps=lambda _key: False)


def read_flavors(connection: Connection, shape: Shape, wanted: RowsWanted) -> Page[Flavor]:
    """Live flavors."""
    table = shape["instance_types"]
    query: Any = select(table.table).where(table.table.c.deleted == 0)
    rows = fetch(connection, table, query, wanted)
    specs = extra_specs(shape).read(connection, [row["id"] for row in rows])
    return page_of(table, rows, wanted, "flavorid", lambda row: _flavor(row, specs[row["id"]]))


def _flavor(row: RowValues, specs: dict[str, str | None]) -> Flavor:
    """Null in a number or a switch is what Nova's writers leave out."""
    usual = {"root_gb": 0, "ephemeral_gb": 0, "disabled": False, "is_public": True}
    for name, value in usual.items():
        if row.get(name) is None:
            row[name] = value
    flavor = object_of(Flavor, row)
    flavor.extra_specs = {key: value or "" for key, value in specs.items()}
    return clean(flavor)


def flavors_of_ids(connection: Connection, shape: Shape, ids: Iterable[int]) -> dict[int, Flavor]:
    """Flavors by id, deleted ones included: instances keep naming them."""
    table = shape["instance_types"].table
    found: dict[int, Flavor] = {}
    for some in sliced(sorted(set(ids))):
        rows = rows_of(connection.execute(select(table).where(table.c.id.in_(some))))
        specs = extra_specs(shape).read(connection, [row["id"] for row in rows], deleted_too=True)
        found |= {row["id"]: _flavor(row, specs[row["id"]]) for row in rows}
    return found
