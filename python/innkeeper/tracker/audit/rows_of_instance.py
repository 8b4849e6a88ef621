"""All that Nova's tables say of one instance that is on this node."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.objects import Finding, Instance, Migration, PciDevice
from innkeeper.store.base import RowsWanted
from innkeeper.tracker.audit.repairing import cannot
from innkeeper.tracker.nova.counting import (
    count_move,
    is_in_progress,
    is_removable,
    is_stale,
    may_count_for_move,
)
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.parts import Parts

_FAILED = "error"
"""Of a move: nobody holds anything for it unless its instance is still in it."""


@dataclass(frozen=True, slots=True)
class InstanceRows:
    """Its rows."""

    instance: Instance
    boots_from_volume: bool
    devices: tuple[PciDevice, ...]
    """Those of the node that name it as their holder, by address."""


async def read_rows(parts: Parts, rows: Projecting, finding: Finding) -> InstanceRows | None:
    """Null when no row says any more that the instance is here.

    Raises:
        NotRepairable: a row cannot be read, Nova counts nothing for the instance, or it is in a move.
        StoreError
    """
    node, store = parts.node, parts.store
    wanted = RowsWanted(of_instance=finding.subject)
    page = await store.list_instances(node, node, wanted)
    for unreadable in page.unreadable:
        raise cannot(finding, f"its row cannot be read: {unreadable.reason}")
    if not page.objects:
        return None
    instance = page.objects[0]
    moves = (await store.list_migrations(node, node, wanted)).objects
    _require_at_rest(finding, instance, moves, node)
    disks = await store.list_block_devices(finding.subject)
    boots_from_volume = any(disk.is_remote_root for disk in disks)
    devices = await _devices(parts, rows, finding, wanted)
    return InstanceRows(instance, boots_from_volume, devices)


async def _devices(
    parts: Parts, rows: Projecting, finding: Finding, wanted: RowsWanted
) -> tuple[PciDevice, ...]:
    nodes = await parts.store.list_compute_nodes(rows.service.host)
    node_id = next((one.id for one in nodes if one.hypervisor_hostname == parts.node), None)
    if node_id is None:
        raise cannot(finding, f"`compute_nodes` has no row of node {parts.node}")
    page = await parts.store.list_pci_devices(node_id, wanted)
    for unreadable in page.unreadable:
        raise cannot(finding, f"device {unreadable.subject} cannot be read: {unreadable.reason}")
    return tuple(sorted(page.objects, key=lambda device: device.address))


def _require_at_rest(
    finding: Finding, instance: Instance, moves: tuple[Migration, ...], node: str
) -> None:
    if is_removable(instance):
        raise cannot(
            finding, f"it is {instance.vm_state}, of which Nova counts nothing: correct the row"
        )
    for move in moves:
        if _counts(move, instance, node):
            raise cannot(
                finding,
                f"migration {move.uuid if move.is_set('uuid') else move.id} ({move.status}, from "
                f"{move.source_node} to {move.dest_node}) counts for it: end that move first, or claim for "
                "it with `innkeeper move claim`",
            )


def _counts(move: Migration, instance: Instance, node: str) -> bool:
    """Whether the instance holds something beside, or may be about to leave."""
    if not is_in_progress(move) or is_stale(move, instance):
        return False
    if move.status == _FAILED and not may_count_for_move(instance):
        return False
    counted = count_move(move, instance, node, ())
    return counted.amounts is not None or counted.lost is not None
