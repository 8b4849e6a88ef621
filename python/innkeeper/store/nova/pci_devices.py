"""Rows of `pci_devices`, by node and address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Table, select

from innkeeper.errors import BadPrimitive
from innkeeper.objects import PciDevice
from innkeeper.objects.stored_host import read_extra_info, write_extra_info
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.compute_nodes import own_node, own_nodes
from innkeeper.store.nova.device_match import live_rows, match_rows, parked
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.paging import Page, RowValues, clean, fetch, object_of, page_of
from innkeeper.store.nova.shape import NovaTable, Shape
from innkeeper.store.nova.writing import Database, RowChange, Writing, sliced

_MOVED: Final[tuple[tuple[str, str, Callable[[str], Any]], ...]] = (
    ("parent_addr", "phys_function", str),
    ("numa_node", "numa_node", int),
)
"""Columns that Juno lacks, and the key of `extra_info` where its drivers put the value."""


def write_pci_devices(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them; those that were removed, and those that the node is told not to have, go.

    Raises:
        BadRequest: the node has no row yet, or a device has no address.
    """
    by_node: dict[int, list[Draft]] = {}
    own: int | None = None
    for draft in merged(drafts, ("compute_node_id", "address"), ("address",)):
        node_id = draft.fields.get("compute_node_id")
        if node_id is None:
            node_id = own = own or own_node(writing)
        by_node.setdefault(node_id, []).append(draft)
    if writing.offered is not None and len(nodes := own_nodes(writing)) == 1:
        by_node.setdefault(own := nodes[0], [])
    for node_id, some in by_node.items():
        _write_of_node(writing, node_id, some, writing.offered if node_id == own else None)


def _write_of_node(
    writing: Writing, node_id: int, drafts: Sequence[Draft], offered: Collection[str] | None
) -> None:
    table = writing.shape["pci_devices"]
    match = match_rows(live_rows(writing, table, node_id, drafts, offered), drafts, offered)
    for some in sliced(match.gone):
        writing.mark_deleted(table, [table.table.c.id.in_(some)])
    changed = [_change(writing, node_id, row, one) for one, row in match.known()]
    moved = [one.row_id for one in changed if one.row_id is not None and "address" in one.values]
    fresh = (_addition(table, node_id, one) for one in match.fresh())
    with parked(writing, table, moved):
        writing.write(table, chain((one for one in changed if one.values), fresh))


def _change(writing: Writing, node_id: int, row: RowMapping, draft: Draft) -> RowChange:
    values = draft.part(of_new_row=False)
    _put_extra_info(writing.shape["pci_devices"], values, draft)
    if writing.database is Database.SHARED:
        values.pop("uuid", None)
    return RowChange(row["id"], _subject(draft, node_id), _differing(row, values))


def _addition(table: NovaTable, node_id: int, draft: Draft) -> RowChange:
    values = draft.part(of_new_row=True)
    _put_extra_info(table, values, draft)
    values["compute_node_id"] = node_id
    if not values.get("label"):
        values["label"] = "label_{}_{}".format(*draft.named("vendor_id", "product_id"))
    return RowChange(None, _subject(draft, node_id), values)


def _subject(draft: Draft, node_id: int) -> str:
    return f"{draft.fields['address']} of compute node {node_id}"


def _differing(row: RowMapping, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of the values those that are not in the row already."""
    return {
        name: value
        for name, value in values.items()
        if name in row and row[name] != value and not _is_same_text(name, row[name], value)
    }


def _is_same_text(name: str, there: str | None, value: str) -> bool:
    """The order of keys means nothing."""
    if name != "extra_info" or not there:
        return False
    try:
        return read_extra_info(there) == read_extra_info(value)
    except BadPrimitive:
        return False


def _put_extra_info(table: NovaTable, values: dict[str, Any], draft: Draft) -> None:
    """Its text, when any part of it is written; what has no column of its own goes into it."""
    moved = table.statement("moved", partial(_moved_of, table))
    if "extra_info" not in values and not any(name in values for name, _ in moved):
        return
    fields = draft.fields
    extra = fields.get("extra_info", {})
    there = {key: str(fields[name]) for name, key in moved if fields.get(name) is not None}
    values["extra_info"] = write_extra_info({**extra, **there} if there else extra)


def _moved_of(table: NovaTable, _made: Table) -> list[tuple[str, str]]:
    return [(name, key) for name, key, _ in _MOVED if not table.has(name)]


def read_pci_devices(
    connection: Connection, shape: Shape, node_id: int, wanted: RowsWanted
) -> Page[PciDevice]:
    """Live devices of a node."""
    table = shape["pci_devices"]
    c = table.table.c
    query = select(table.table).where(c.deleted == 0, c.compute_node_id == node_id)
    rows = fetch(connection, table, query, wanted)
    return page_of(table, rows, wanted, "address", lambda row: _device(table, row))


def _device(table: NovaTable, row: RowValues) -> PciDevice:
    extra = read_extra_info(row["extra_info"])
    for name, key, as_value in _MOVED:
        if not table.has(name):
            row[name] = _taken(extra, key, as_value)
    row["extra_info"] = extra
    return clean(object_of(PciDevice, row))


def _taken(extra: dict[str, str], key: str, as_value: Callable[[str], Any]) -> Any:
    text = extra.pop(key, None)
    try:
        return None if text is None else as_value(text)
    except ValueError:
        raise BadPrimitive(f"{text!r} is no number", path=f"extra_info.{key}") from None
