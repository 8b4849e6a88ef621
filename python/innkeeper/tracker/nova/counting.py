"""Which rows a Nova of today counts as used on a node, and with how much.

Nova's own rules (the resource tracker of Nova 34): an instance counts by its states, a move that has not
ended by its kind of side. They serve to say what a row without a claim would hold, and never change a
claim: what is booked follows from claims alone. No I/O.

Where Nova's rules lose something that is in use (listed in `docs/differences-from-nova.md`), `Counted`
says so in `lost`, and what is lost is not in `amounts`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from innkeeper.objects import Flavor, Instance, Migration

MIB_OF_GIB: Final = 1024

FINAL: Final = frozenset({"confirmed", "reverted", "failed", "completed", "cancelled", "done"})
"""Status of moves that count no more. `error` and `finished` are not among them (Nova since 22)."""

_RESIZE_TASKS: Final = frozenset(
    {
        *("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"),
        *("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning"),
    }
)


class Lost(StrEnum):
    """What is in use and Nova does not count."""

    EVACUATED_IN_ERROR = "evacuated_in_error"
    """(a) An evacuation starts from `error`, and such an instance counts for no move."""
    DEVICES_OF_LIVE_MIGRATION = "devices_of_live_migration"
    """(b) Devices are held before the move names this node, and are freed by the next audit."""
    OTHER_STATE = "other_state"
    """(c) A move counts only in some states of its instance: not while it is rescued, for one."""


class Amounts(NamedTuple):
    """What one row adds to a node: memory in MiB, disk in whole GiB."""

    vcpus: int = 0
    memory_mb: int = 0
    local_gb: int = 0


class Side(StrEnum):
    """Which flavor and topology of an instance a move counts."""

    OLD = "old"
    """What it leaves: room for a revert."""
    NEW = "new"
    """What it comes to."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a row holds of the node."""

    amounts: Amounts | None
    """Null: it is not counted."""
    lost: Lost | None = None


def is_removable(instance: Instance) -> bool:
    """Whether an instance on the node counts for nothing: deleted, or its room given up.

    One that is shelved and offloaded counts again while it is spawned.
    """
    vm_state, task_state = _states(instance)
    if vm_state == "deleted":
        return True
    return vm_state == "shelved_offloaded" and task_state != "spawning"


def count_instance(instance: Instance, *, boots_from_volume: bool = False) -> Counted:
    """One that is on the node, by the flavor that it lives by; whether it runs does not matter."""
    if is_removable(instance):
        return Counted(None)
    return Counted(
        amounts_of(_flavor(instance, "flavor"), instance, boots_from_volume=boots_from_volume)
    )


def amounts_of(
    flavor: Flavor | None, instance: Instance, *, boots_from_volume: bool = False
) -> Amounts:
    """vCPUs, memory, and disk with swap; the fraction of a GiB that swap may be is cut off."""
    source = instance if flavor is None else flavor
    swap_mb = 0 if flavor is None or not flavor.is_set("swap") else flavor.swap
    root_gb = 0 if boots_from_volume else source.root_gb or 0
    disk = root_gb + (source.ephemeral_gb or 0) + swap_mb / MIB_OF_GIB
    return Amounts(source.vcpus or 0, source.memory_mb or 0, int(disk))


def is_in_progress(migration: Migration) -> bool:
    """Whether a move may count: its status is none of the final ones, or is not known."""
    return migration.status not in FINAL


def may_count_for_move(instance: Instance) -> bool:
    """Whether Nova counts a move of an instance in these states.

    Resized and waiting; active or stopped in the tasks of a resize or rebuild; migrated live.
    """
    vm_state, task_state = _states(instance)
    if vm_state == "resized":
        return True
    if vm_state in ("active", "stopped") and task_state in _RESIZE_TASKS:
        return True
    return vm_state in ("active", "paused") and task_state == "migrating"


def newest_of_each(migrations: Iterable[Migration]) -> dict[str, Migration]:
    """The one move of each instance that counts: the one that changed last; among equals the first."""
    found: dict[str, Migration] = {}
    for migration in filter(is_in_progress, migrations):
        uuid = migration.instance_uuid
        if uuid is None:
            continue
        before = found.get(uuid)
        if before is None or _moment(migration) > _moment(before):
            found[uuid] = migration
    return found


def is_stale(migration: Migration, instance: Instance) -> bool:
    """Whether the instance is in another move by now: Nova sets this one's status to `error`."""
    context = instance.migration_context if instance.is_set("migration_context") else None
    if context is None or not context.is_set("migration_id") or not migration.is_set("id"):
        return False
    return context.migration_id != migration.id


def side_of(
    migration: Migration, instance: Instance, node: str, tracked: Collection[str]
) -> Side | None:
    """Which side of a move counts on the node; null for neither.

    `tracked` are the instances that count there already. Within the node the other flavor than the one
    that the instance lives by counts; what comes in or leaves counts unless it is tracked.
    """
    incoming, outbound = migration.dest_node == node, migration.source_node == node
    if incoming and outbound:
        is_old = instance.instance_type_id == migration.old_instance_type_id
        return Side.NEW if is_old else Side.OLD
    if instance.uuid in tracked:
        return None
    if incoming:
        return Side.NEW
    if outbound:
        return Side.OLD if _flavor_of(migration, instance, Side.OLD) is not None else None
    return None


def count_move(
    migration: Migration, instance: Instance, node: str, tracked: Collection[str]
) -> Counted:
    """What a move adds on the node beside the instances that are on it."""
    if not is_in_progress(migration) or is_stale(migration, instance):
        return Counted(None)
    if not may_count_for_move(instance):
        return Counted(None, _why_lost(migration, instance))
    side = side_of(migration, instance, node, tracked)
    if side is None:
        return Counted(None)
    return Counted(amounts_of(_flavor_of(migration, instance, side), instance))


def _why_lost(migration: Migration, instance: Instance) -> Lost:
    is_evacuated = migration.is_set("migration_type") and migration.migration_type == "evacuation"
    in_error = instance.vm_state == "error"
    return Lost.EVACUATED_IN_ERROR if is_evacuated and in_error else Lost.OTHER_STATE


def lost_devices(
    instance_uuid: str, here: Collection[str], moves: Mapping[str, Migration], node: str
) -> Lost | None:
    """Whether an audit of Nova's frees devices that an instance holds on the node.

    It keeps those of instances that are here, and of moves that name the node; `error` keeps them too.
    """
    move = moves.get(instance_uuid)
    names_node = move is not None and node in (move.source_node, move.dest_node)
    if instance_uuid in here or names_node:
        return None
    return Lost.DEVICES_OF_LIVE_MIGRATION


def total(parts: Iterable[Amounts]) -> Amounts:
    """Added up, each with the fraction of its disk cut off before."""
    sums = [sum(column) for column in zip(*parts, strict=True)]
    return Amounts(*sums) if sums else Amounts()


def _flavor_of(migration: Migration, instance: Instance, side: Side) -> Flavor | None:
    """Of a resize or cold migration the flavor of that side, else the one that the instance lives by."""
    kind = migration.migration_type if migration.is_set("migration_type") else None
    if kind in ("resize", "migration"):
        return _flavor(instance, f"{side}_flavor")
    return _flavor(instance, "flavor")


def _flavor(instance: Instance, name: str) -> Flavor | None:
    found: Flavor | None = getattr(instance, name) if instance.is_set(name) else None
    return found


def _states(instance: Instance) -> tuple[str | None, str | None]:
    return (
        instance.vm_state if instance.is_set("vm_state") else None,
        instance.task_state if instance.is_set("task_state") else None,
    )


def _moment(migration: Migration) -> str:
    """Comparable whatever the driver gave; none at all is older than any."""
    for name in ("updated_at", "created_at"):
        value: datetime | None = getattr(migration, name) if migration.is_set(name) else None
        if value is not None:
            return value.isoformat()
    return ""
