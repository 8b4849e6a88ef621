"""Rows of `instance_extra`: what an instance has that is an object, as texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from innkeeper.errors import BadPrimitive
from innkeeper.objects import Flavor, Instance, InstancePCIRequests, MigrationContext, VirtCPUModel
from innkeeper.objects.reading import parsed
from innkeeper.objects.stored_guest import (
    Flavors,
    read_flavors,
    read_instance_topology,
    read_object,
    read_pci_requests,
    write_flavors,
    write_instance_topology,
    write_object,
    write_pci_requests,
)
from innkeeper.objects.values import Foreign
from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.migration_contexts import waits_for_ids
from innkeeper.store.nova.paging import RowValues, rows_of
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import RowChange, Writing, sliced

FLAVORS: Final = ("flavor", "old_flavor", "new_flavor")
_FOREIGN: Final = ("keypairs", "device_metadata", "trusted_certs", "resources")


def _pci_requests_text(requests: InstancePCIRequests | None, release: str) -> str | None:
    return None if requests is None else write_pci_requests(requests, release)


def _foreign_text(value: Foreign | None, _release: str) -> str | None:
    return None if value is None else orjson.dumps(value.primitive).decode()


_WRITERS: Final[Mapping[str, Callable[[Any, str], str | None]]] = {
    "numa_topology": write_instance_topology,
    "pci_requests": _pci_requests_text,
    "vcpu_model": write_object,
    "migration_context": write_object,
    **dict.fromkeys(_FOREIGN, _foreign_text),
}
_COLUMNS: Final = frozenset({*_WRITERS, *FLAVORS})
"""Fields that are in these rows."""


def write_extras(writing: Writing, given: Sequence[Draft], known_instances: frozenset[str]) -> None:
    """Write them for instances whose rows were known, or are new; rows that are missing are made."""
    table = writing.shape["instance_extra"]
    drafts = [one for one in given if _needs_row(one, known_instances)]
    uuids = [draft.fields["uuid"] for draft in drafts]
    known = writing.find_ids(table, "instance_uuid", uuids)
    stored = _stored_flavors(writing, drafts)
    changes = []
    for draft in drafts:
        uuid = draft.fields["uuid"]
        fields = draft.part(of_new_row=uuid not in known)
        values = _columns(writing, draft, fields, stored.get(uuid))
        if uuid not in known:
            values["instance_uuid"] = uuid
        if values:
            changes.append(RowChange(known.get(uuid), uuid, values))
    writing.write(table, changes)


def _needs_row(draft: Draft, known_instances: frozenset[str]) -> bool:
    return draft.fields["uuid"] not in known_instances or not _COLUMNS.isdisjoint(draft.changed)


def _columns(
    writing: Writing, draft: Draft, fields: Mapping[str, Any], stored: str | None
) -> dict[str, Any]:
    table = writing.shape["instance_extra"]
    values: dict[str, Any] = {
        name: write(fields[name], writing.release)
        for name, write in _WRITERS.items()
        if name in fields and table.has(name) and name not in _later(fields)
    }
    if table.has("flavor") and any(name in fields for name in FLAVORS):
        flavors = _flavors(draft, stored)
        if flavors is not None:
            values["flavor"] = write_flavors(flavors, writing.release)
    return values


def _later(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """What `write_contexts` writes once the ids are known."""
    return ("migration_context",) if waits_for_ids(fields.get("migration_context")) else ()


def _flavors(draft: Draft, stored: str | None) -> Flavors | None:
    """Those that the object carries, the others as they are stored."""
    before = None if stored is None else read_flavors(stored)
    current: Flavor | None = draft.fields.get("flavor", before and before.current)
    if current is None:
        return None
    return Flavors(
        current,
        draft.fields.get("old_flavor", before and before.old),
        draft.fields.get("new_flavor", before and before.new),
    )


def _stored_flavors(writing: Writing, drafts: Iterable[Draft]) -> dict[str, str | None]:
    """The texts of instances that carry some of their flavors and not all."""
    table = writing.shape["instance_extra"].table
    partial = [draft.fields["uuid"] for draft in drafts if _carries_some(draft)]
    if not partial or "flavor" not in table.c:
        return {}
    query = select(table.c.instance_uuid, table.c.flavor).where(table.c.deleted == 0)
    found: dict[str, str | None] = {}
    for some in sliced(partial):
        rows = writing.connection.execute(query.where(table.c.instance_uuid.in_(some)))
        found |= {row.instance_uuid: row.flavor for row in rows}
    return found


def _carries_some(draft: Draft) -> bool:
    changed = any(name in draft.changed for name in FLAVORS)
    return changed and not all(name in draft.fields for name in FLAVORS)


def extras_of(connection: Connection, shape: Shape, uuids: Sequence[str]) -> dict[str, RowValues]:
    """The rows of instances; of several for one the first counts."""
    table = shape["instance_extra"].table
    query = select(table).where(table.c.deleted == 0).order_by(table.c.id)
    found: dict[str, RowValues] = {}
    for some in sliced(uuids):
        for row in rows_of(connection.execute(query.where(table.c.instance_uuid.in_(some)))):
            found.setdefault(row["instance_uuid"], row)
    return found


def read_extra(instance: Instance, extra: RowValues) -> None:
    """Set what the row holds.

    Raises:
        BadPrimitive: a text that makes no sense, with its column.
        IncompatibleObject: a text of a newer release.
    """
    uuid = instance.uuid
    for name, text in extra.items():
        try:
            _read_column(instance, uuid, name, text)
        except BadPrimitive as error:
            path = error.details.get("path") or ""
            raise BadPrimitive(error.message, path=f"{name}.{path}".rstrip(".")) from None


def _read_column(instance: Instance, uuid: str, name: str, text: str | None) -> None:
    if name == "numa_topology":
        instance.numa_topology = read_instance_topology(text, uuid)
    elif name == "pci_requests":
        instance.pci_requests = read_pci_requests(text, uuid)
    elif name == "vcpu_model":
        instance.vcpu_model = read_object(VirtCPUModel, text)
    elif name == "migration_context":
        instance.migration_context = read_object(MigrationContext, text)
    elif name == "flavor" and text:
        instance.flavor, instance.old_flavor, instance.new_flavor = read_flavors(text)
    elif name in _FOREIGN and text:
        setattr(instance, name, _foreign(text))


def _foreign(text: str) -> Foreign:
    try:
        return Foreign(parsed(text))
    except ValueError as error:
        raise BadPrimitive(str(error), path="") from None
