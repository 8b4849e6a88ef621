"""Which row of `pci_devices` is a device's: that of its uuid, wherever it is now, or of its address."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import RowMapping, Select, Table, bindparam, or_, select, update

from innkeeper.errors import BadRequest
from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.shape import NovaTable
from innkeeper.store.nova.writing import LOOK_UP, Writing, sliced

_GONE: Final = ("removed", "deleted")
_UNREAD: Final = frozenset({"created_at", "updated_at", "deleted_at", "deleted", "compute_node_id"})


@dataclass(frozen=True, slots=True)
class Match:
    """What is to be done with the rows of one node."""

    live: Sequence[Draft]
    """Devices that are there."""
    rows: dict[int, RowMapping]
    """Their rows by the draft's place in `live`; what has none is new."""
    gone: Sequence[int]
    """Ids of rows that are to be marked deleted."""

    def known(self) -> Iterator[tuple[Draft, RowMapping]]:
        """Devices that have a row, with it."""
        return ((self.live[place], self.rows[place]) for place in sorted(self.rows))

    def fresh(self) -> Iterator[Draft]:
        """Devices that have none."""
        return (draft for place, draft in enumerate(self.live) if place not in self.rows)


def live_rows(
    writing: Writing,
    table: NovaTable,
    node_id: int,
    drafts: Sequence[Draft],
    offered: Collection[str] | None,
) -> list[RowMapping]:
    """The rows that these devices could have, and of those that are not offered what names them."""
    of_node = {"of_node": node_id}
    if len(drafts) > LOOK_UP:
        every = table.statement("of node", _select_all)
        return list(writing.connection.execute(every, of_node).mappings())
    found = _rows_of(writing, table, of_node, drafts) if drafts else []
    if offered is None:
        return found
    known = {row["id"] for row in found}
    names = table.statement("names of node", _select_names)
    others = writing.connection.execute(names, of_node).mappings()
    left = (row for row in others if row["address"] not in offered)
    return [*found, *(row for row in left if row["id"] not in known)]


def _rows_of(
    writing: Writing, table: NovaTable, of_node: dict[str, int], drafts: Sequence[Draft]
) -> list[RowMapping]:
    named = {
        "addresses": [address_of(draft) for draft in drafts],
        "uuids": [draft.fields["uuid"] for draft in drafts if draft.fields.get("uuid")],
    }
    query = table.statement("of devices", _select_some)
    return list(writing.connection.execute(query, {**of_node, **named}).mappings())


def _select_names(table: Table) -> Select[Any]:
    c = table.c
    query = select(c.id, c.address)
    return query.where(c.deleted == 0, c.compute_node_id == bindparam("of_node"))


def _select_all(table: Table) -> Select[Any]:
    c = table.c
    query = select(*(one for one in c if one.name not in _UNREAD))
    return query.where(c.deleted == 0, c.compute_node_id == bindparam("of_node")).order_by(c.id)


def _select_some(table: Table) -> Select[Any]:
    named = [table.c.address.in_(bindparam("addresses", expanding=True))]
    if "uuid" in table.c:
        named.append(table.c.uuid.in_(bindparam("uuids", expanding=True)))
    return _select_all(table).where(or_(*named))


def match_rows(
    rows: Iterable[RowMapping], drafts: Sequence[Draft], offered: Collection[str] | None
) -> Match:
    """Find the row of each device, and the rows that are nobody's any more.

    A row that somebody knows by its uuid is not found by its address, so that cards may change places.

    Raises:
        BadRequest: a device has no address.
    """
    by_address: dict[str, RowMapping] = {}
    by_uuid: dict[str, RowMapping] = {}
    for row in rows:
        by_address.setdefault(row["address"], row)
        if row.get("uuid") is not None:
            by_uuid.setdefault(row["uuid"], row)
    live = _latest_of_each([draft for draft in drafts if not _is_gone(draft)])
    found = {
        place: by_uuid[draft.fields["uuid"]]
        for place, draft in enumerate(live)
        if draft.fields.get("uuid") in by_uuid
    }
    taken = {row["id"] for row in found.values()}
    for place, draft in enumerate(live):
        there = by_address.get(address_of(draft))
        if place not in found and there is not None and there["id"] not in taken:
            found[place] = there
            taken.add(there["id"])
    gone = {address_of(draft) for draft in drafts if _is_gone(draft)}
    gone |= {address_of(live[place]) for place in found}
    nobodys = (row for row in by_address.values() if row["id"] not in taken)
    ids = [one["id"] for one in nobodys if _is_left(one["address"], gone, offered)]
    return Match(live, found, ids)


def _is_left(address: str, gone: Collection[str], offered: Collection[str] | None) -> bool:
    return address in gone or (offered is not None and address not in offered)


def _latest_of_each(drafts: Sequence[Draft]) -> list[Draft]:
    """One for each uuid: a device that moved twice is where it was seen last."""
    latest = {draft.fields.get("uuid") or id(draft): draft for draft in drafts}
    return list(latest.values())


def address_of(draft: Draft) -> str:
    """Where a device is.

    Raises:
        BadRequest: it does not say.
    """
    address = draft.fields.get("address")
    if address is None:
        raise BadRequest("A PCI device has no address; rows of devices are found by it")
    return str(address)


def _is_gone(draft: Draft) -> bool:
    return draft.is_gone or draft.fields.get("status") in _GONE


@contextmanager
def parked(writing: Writing, table: NovaTable, row_ids: Sequence[int]) -> Iterator[None]:
    """Rows whose address changes are no live ones meanwhile: two may change places."""
    for some in sliced(row_ids):
        writing.mark_deleted(table, [table.table.c.id.in_(some)])
    yield
    for some in sliced(row_ids):
        back = update(table.table).where(table.table.c.id.in_(some))
        writing.connection.execute(back.values(deleted=0, deleted_at=None))
