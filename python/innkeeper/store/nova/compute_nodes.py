"""Rows of `compute_nodes`: hosts and their totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    or_,
    select,
)

from innkeeper.errors import BadRequest
from innkeeper.objects import ComputeNode
from innkeeper.objects.compute_node import NO_SERVICE
from innkeeper.objects.releases import is_before
from innkeeper.objects.stored_host import (
    read_hv_specs,
    read_pools,
    read_stats,
    write_hv_specs,
    write_stats,
)
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.cell_texts import topology_for
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.identity import Named, identify, part_for
from innkeeper.store.nova.paging import Page, RowValues, clean, fetch, object_of, page_of
from innkeeper.store.nova.pool_texts import pools_text
from innkeeper.store.nova.services import COMPUTE, find_service, require_service
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import RowChange, Writing

USUAL_RATIOS: Final[Mapping[str, float]] = {
    "cpu_allocation_ratio": 16.0,
    "ram_allocation_ratio": 1.5,
    "disk_allocation_ratio": 1.0,
}
"""What null, 0.0 and a missing column mean, where the operator says nothing else."""


_TEXTS: Final[Mapping[str, tuple[str, Callable[[Any, str], str | None]]]] = {
    "supported_hv_specs": ("supported_instances", lambda value, _release: write_hv_specs(value)),
    "pci_device_pools": ("pci_stats", pools_text),
    "stats": ("stats", lambda value, _release: None if value is None else write_stats(value)),
    "numa_topology": ("numa_topology", topology_for),
}
"""Fields that are texts in a column: its name, and how the text is made for a release."""


def write_compute_nodes(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write them; `updated_at` moves even when nothing changed, since schedulers compare it."""
    for draft in merged(drafts, ("id",), ("host", "hypervisor_hostname")):
        _write(writing, draft)


def _write(writing: Writing, draft: Draft) -> None:
    table = writing.shape["compute_nodes"]
    host, name = (value or writing.node for value in draft.named("host", "hypervisor_hostname"))
    c = table.table.c
    known = identify(writing, table, draft, _named(writing.shape, host, name))
    row_id = known.row_id if known else None
    if name == writing.node:
        writing.host = host
    if draft.is_gone:
        writing.mark_deleted(table, [c.id == row_id])
        return
    fields = part_for(draft, known)
    values = _columns(fields, writing.release)
    if known is None:
        values |= {"host": host, "hypervisor_hostname": name}
    if known is None or "service_id" in fields or "host" in fields:
        _fill_service(writing, host, values)
    if values.get("cpu_info", "") is None:
        values["cpu_info"] = ""
    writing.write(table, [RowChange(row_id, f"{host}/{name}", values)])


def _columns(fields: Mapping[str, Any], release: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in fields.items():
        if name in _TEXTS:
            column, write = _TEXTS[name]
            values[column] = write(value, release)
        else:
            values[name] = value
    return values


def _fill_service(writing: Writing, host: str, values: dict[str, Any]) -> None:
    """Juno forbids null; readers before Liberty find the host by its service."""
    if values.get("service_id") not in (None, NO_SERVICE):
        return
    values.pop("service_id", None)
    if writing.shape["compute_nodes"].requires("service_id"):
        values["service_id"] = require_service(writing, host)
    elif is_before(writing.release, "liberty") and (found := find_service(writing, host)):
        values["service_id"] = found


def own_node(writing: Writing) -> int:
    """The id of the row of the node that is written for.

    Raises:
        BadRequest: there is none, or several hosts have one of that name.
    """
    found = own_nodes(writing)
    if len(found) != 1:
        why = "before its ComputeNode is" if not found else "without compute_node_id: two have it"
        raise BadRequest(f"Devices of {writing.node} cannot be written {why}", node=writing.node)
    return found[0]


def own_nodes(writing: Writing) -> list[int]:
    """Ids of the rows of that name, which several hosts may have; at most two."""
    table, host = writing.shape["compute_nodes"], writing.host

    def build(made: Table) -> Select[tuple[int]]:
        c = made.c
        query = select(c.id).where(c.deleted == 0, c.hypervisor_hostname == bindparam("of_name"))
        return (query if host is None else query.where(of_host(writing.shape))).limit(2)

    query = table.statement(("own", host is None), build)
    given = {"of_name": writing.node, "of_host": host}
    return [int(row.id) for row in writing.connection.execute(query, given)]


def _named(shape: Shape, host: str, name: str) -> Named:
    c = shape["compute_nodes"].table.c
    return Named(
        "host and name",
        lambda: and_(c.hypervisor_hostname == bindparam("of_name"), of_host(shape)),
        {"of_host": host, "of_name": name},
    )


def of_host(shape: Shape) -> ColumnElement[bool]:
    """Rows of the host that parameter `of_host` names.

    By their own column; without one, or with null in it, by the service that the row names.
    """
    c, services = shape["compute_nodes"].table.c, shape["services"].table.c
    host: BindParameter[str] = bindparam("of_host")
    by_service = c.service_id.in_(
        select(services.id).where(services.host == host, services.binary == COMPUTE)
    )
    if "host" not in c:
        return by_service
    return or_(c.host == host, c.host.is_(None) & by_service)


def read_compute_nodes(
    connection: Connection,
    shape: Shape,
    host: str,
    ratios: Mapping[str, float],
    wanted: RowsWanted,
) -> Page[ComputeNode]:
    """Live rows of a host."""
    table = shape["compute_nodes"]
    query = (
        select(table.table).where(table.table.c.deleted == 0, of_host(shape)).params(of_host=host)
    )
    rows = fetch(connection, table, query, wanted)

    def read(row: RowValues) -> ComputeNode:
        return _compute_node(row, host, ratios)

    return page_of(table, rows, wanted, "hypervisor_hostname", read)


def _compute_node(row: RowValues, host: str, ratios: Mapping[str, float]) -> ComputeNode:
    row["host"] = row.get("host") or host
    for name, usual in ratios.items():
        row[name] = row.get(name) or usual
    node = object_of(ComputeNode, row, without=("stats",))
    node.pci_device_pools = read_pools(row["pci_stats"])
    if (specs := read_hv_specs(row["supported_instances"])) is not None:
        node.supported_hv_specs = specs
    if (stats := read_stats(row["stats"])) is not None:
        node.stats = stats
    return clean(node)
