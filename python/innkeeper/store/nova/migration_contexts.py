"""`migration_context` of instances: written last, since it names rows that the same pass may make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from innkeeper.errors import BadRequest
from innkeeper.objects import MigrationContext, PciDevice
from innkeeper.objects.stored_guest import write_object
from innkeeper.store.nova.drafts import Draft, merged
from innkeeper.store.nova.migrations import is_under_way
from innkeeper.store.nova.writing import RowChange, Writing, sliced

_DEVICES: Final = ("old_pci_devices", "new_pci_devices")


@dataclass(frozen=True, slots=True)
class _Row:
    """What a context says of a device's row."""

    id: int
    compute_node_id: int


def waits_for_ids(context: MigrationContext | None) -> bool:
    """Whether it does not say yet which move it is of, so that only `write_contexts` can write it."""
    return context is not None and not context.is_set("migration_id")


def write_contexts(writing: Writing, drafts: Sequence[Draft]) -> None:
    """Write those that wait for ids: of the instance's move, and of devices on this node.

    An id is given by the database when the row is made, so it is not known to who made the objects.
    Nova takes a context whose id is another move's for the rest of a move that went wrong.

    Raises:
        BadRequest: an instance has such a context, and no move.
    """
    table = writing.shape["instance_extra"]
    if not table.has("migration_context"):
        return
    waiting = _waiting(drafts)
    if not waiting:
        return
    moves = _moves_of(writing, list(waiting))
    rows = _device_rows(writing, waiting.values())
    known = writing.find_ids(table, "instance_uuid", waiting)
    changes = []
    for uuid, context in waiting.items():
        filled = _filled(context, _move_of(uuid, moves), rows)
        values = {"migration_context": write_object(filled, writing.release)}
        changes.append(RowChange(known[uuid], uuid, values))
    writing.write(table, changes)


def _waiting(drafts: Sequence[Draft]) -> dict[str, MigrationContext]:
    """By instance, those that are to be written; of several steps of one instance the last counts."""
    return {
        one.fields["uuid"]: one.fields["migration_context"]
        for one in merged(drafts, ("uuid",))
        if not one.is_gone
        and "migration_context" in one.changed
        and waits_for_ids(one.fields.get("migration_context"))
    }


def _moves_of(writing: Writing, instance_uuids: Sequence[str]) -> dict[str, int]:
    """The newest move of each that is under way."""
    c = writing.shape["migrations"].table.c
    query = select(c.id, c.instance_uuid).where(c.deleted == 0, is_under_way(c.status))
    found: dict[str, int] = {}
    for some in sliced(instance_uuids):
        rows = writing.connection.execute(query.where(c.instance_uuid.in_(some)).order_by(c.id))
        found |= {row.instance_uuid: row.id for row in rows}
    return found


def _move_of(instance_uuid: str, moves: Mapping[str, int]) -> int:
    if instance_uuid not in moves:
        raise BadRequest(
            f"Instance {instance_uuid} has a migration context that names no move, and there is no "
            "move of it under way: write the move with it, or the context with its id",
            instance_uuid=instance_uuid,
        )
    return moves[instance_uuid]


def _device_rows(writing: Writing, contexts: Iterable[MigrationContext]) -> dict[str, _Row]:
    """By uuid, as far as they are this database's; older releases keep no devices in a context."""
    table = writing.shape["pci_devices"]
    if not table.has("uuid"):
        return {}
    c = table.table.c
    query = select(c.id, c.uuid, c.compute_node_id).where(c.deleted == 0)
    uuids = sorted({one.uuid for context in contexts for one in _devices_in(context)})
    found: dict[str, _Row] = {}
    for some in sliced(uuids):
        rows = writing.connection.execute(query.where(c.uuid.in_(some)))
        found |= {row.uuid: _Row(row.id, row.compute_node_id) for row in rows}
    return found


def _devices_in(context: MigrationContext) -> Iterable[PciDevice]:
    for name in _DEVICES:
        devices = getattr(context, name) if context.is_set(name) else None
        if devices is not None:
            yield from (one for one in devices.objects if one.is_set("uuid"))


def _filled(context: MigrationContext, move: int, rows: Mapping[str, _Row]) -> MigrationContext:
    """A copy with the ids: a draft's objects are not edited."""
    filled = context.clone()
    filled.migration_id = move
    for device in _devices_in(filled):
        if (row := rows.get(device.uuid)) is not None:
            device.id, device.compute_node_id = row.id, row.compute_node_id
    return filled
