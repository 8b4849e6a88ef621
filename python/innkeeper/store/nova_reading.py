"""Paged reads of Nova's rows, on the connections of readers; a row that makes no sense stops no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from anyio import CancelScope
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from innkeeper.objects import Instance, Migration, PciDevice
from innkeeper.store.base import RowsWanted
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.nova.paging import Page
from innkeeper.store.nova.projection import Projection

T = TypeVar("T")


class NovaReader:
    """Reads the projection of one database."""

    def __init__(self, engine: AsyncEngine, path: Path, projection: Projection) -> None:
        self._engine = engine
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

    async def _read(self, read: Callable[[Connection], Page[T]]) -> Page[T]:
        page: Page[T] = Page((), (), None)
        with told_as_store_error(self._path), CancelScope(shield=True):
            async with self._engine.connect() as connection:
                page = await connection.run_sync(read)
        return page
