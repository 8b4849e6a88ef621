"""Nova's tables of a tracker's database, as a program sees them that knows nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread

from innkeeper.objects import Flavor, MigrationContext
from innkeeper.objects.stored_guest import read_flavors, read_instance_topology, read_pci_requests

ALIVE = "SELECT * FROM instances WHERE uuid = ? AND deleted = 0"
EXTRA = "SELECT * FROM instance_extra WHERE instance_uuid = ? AND deleted = 0"
MOVES = "SELECT * FROM migrations WHERE instance_uuid = ? ORDER BY id"


@dataclass(frozen=True)
class Seen:
    """What the rows of one instance say; of flavors the vCPUs."""

    host: str
    vm_state: str
    task_state: str | None
    vcpus: int
    flavors: tuple[int, int | None, int | None]
    """As it is, before and after."""
    statuses: tuple[str, ...]
    """Of its moves, the oldest first."""
    of_context: tuple[int, int] | None = None
    """How many device requests it has before and after, while it moves."""


class Reader:
    """Reads while the tracker runs."""

    def __init__(self, database: Path) -> None:
        self._database = database

    async def of(self, query: str, *values: Any) -> list[dict[str, Any]]:
        return await anyio.to_thread.run_sync(self._read, query, values)

    def _read(self, query: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self._database)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    async def seen(self, instance: UUID | None) -> Seen | None:
        """Null when its row is marked deleted."""
        rows = await self.of(ALIVE, str(instance))
        moves = await self.of(MOVES, str(instance))
        if not rows:
            return None
        (row,), (extra,) = rows, await self.of(EXTRA, str(instance))
        assert row["node"] == row["host"]
        current, old, new = read_flavors(extra["flavor"])
        assert (row["instance_type_id"], row["vcpus"]) == (current.id, current.vcpus)
        assert (row["memory_mb"], row["root_gb"]) == (current.memory_mb, current.root_gb)
        return Seen(
            row["host"],
            row["vm_state"],
            row["task_state"],
            row["vcpus"],
            (current.vcpus, _vcpus(old), _vcpus(new)),
            tuple(one["status"] for one in moves),
            _of_context(extra["migration_context"], moves),
        )

    async def requests(self, instance: UUID | None) -> list[tuple[str | None, str | None, int]]:
        """Id, name and count of each of its device requests."""
        (extra,) = await self.of(EXTRA, str(instance))
        read = read_pci_requests(extra["pci_requests"], str(instance))
        return [(one.request_id, one.alias_name, one.count) for one in read.requests]

    async def host_cells(self, instance: UUID | None) -> list[int] | None:
        (extra,) = await self.of(EXTRA, str(instance))
        topology = read_instance_topology(extra["numa_topology"], str(instance))
        return None if topology is None else [cell.id for cell in topology.cells]

    async def context(self, instance: UUID | None) -> MigrationContext:
        (extra,) = await self.of(EXTRA, str(instance))
        return MigrationContext.from_json(extra["migration_context"])

    async def totals(self) -> tuple[int, int, int, int]:
        (node,) = await self.of("SELECT * FROM compute_nodes WHERE deleted = 0")
        names = ("vcpus_used", "memory_mb_used", "local_gb_used", "running_vms")
        vcpus, memory_mib, disk_gib, running = (int(node[name]) for name in names)
        return vcpus, memory_mib - 512, disk_gib, running

    async def devices(self) -> dict[tuple[str, str | None], int]:
        """How many have this status and holder, of those that are not available."""
        held = await self.of(
            "SELECT * FROM pci_devices WHERE deleted = 0 AND status <> 'available'"
        )
        return Counter((one["status"], one["instance_uuid"]) for one in held)

    async def free_in_pools(self) -> int:
        (node,) = await self.of("SELECT pci_stats FROM compute_nodes WHERE deleted = 0")
        pools = json.loads(node["pci_stats"])["nova_object.data"]["objects"]
        return sum(one["nova_object.data"]["count"] for one in pools)


def _vcpus(flavor: Flavor | None) -> int | None:
    return None if flavor is None else flavor.vcpus


def _of_context(text: str | None, moves: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Its move is the newest, or Nova would take that for one that went wrong."""
    if text is None:
        return None
    context = MigrationContext.from_json(text)
    assert context.migration_id == moves[-1]["id"]
    old = context.old_pci_requests if context.is_set("old_pci_requests") else None
    new = context.new_pci_requests
    assert new is not None
    return len(old.requests) if old else 0, len(new.requests)
