"""Paged reads of Nova's rows, on the connections of readers; a row that makes no sense stops no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from innkeeper.objects import Instance, Migration, PciDevice
from innkeeper.store.address import Place
from innkeeper.store.base import RowsWanted
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.nova.block_devices import BlockDevice
from innkeeper.store.nova.paging import Page
from innkeeper.store.nova.projection import Projection
from innkeeper.store.reads import Reads

T = TypeVar("T")


class NovaReader:
    """Reads the projection of one database."""

    def __init__(self, reads: Reads, path: Place, projection: Projection) -> None:
        self._reads = reads
        self._path = path
        self._projection = projection

    async def list_instances(self, host: str, node: str, wanted: RowsWanted) -> Page[Instance]:
        """Live instances of a node."""
        return await self._read(
            lambda connection: self._projection.read_instances(connection, host, node, wanted)
        )

    async def list_migrations(self, host: str, node: str, wanted: RowsWanted) -> Page[Migration]:
        """Moves from or to a node that have not ended."""
        return await self._read(
            lambda connection: self._projection.read_migrations(connection, host, node, wanted)
        )

    async def list_pci_devices(self, compute_node_id: int, wanted: RowsWanted) -> Page[PciDevice]:
        """Devices of a node, by the id of its row."""
        return await self._read(
            lambda connection: self._projection.read_pci_devices(
                connection, compute_node_id, wanted
            )
        )

    async def list_block_devices(self, instance_uuid: str) -> tuple[BlockDevice, ...]:
        """Disks of an instance."""
        return await self._read(
            lambda connection: self._projection.read_block_devices(connection, [instance_uuid])
        )

    async def _read(self, read: Callable[[Connection], T]) -> T:
        with told_as_store_error(self._path):
            return await self._reads.run(read)
