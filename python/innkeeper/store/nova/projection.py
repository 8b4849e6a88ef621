"""The one way to Nova's tables: objects become rows in the caller's transaction, and rows objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self

from sqlalchemy import Connection

from innkeeper.objects import (
    ComputeNode,
    Flavor,
    Instance,
    Migration,
    PciDevice,
    Service,
)
from innkeeper.objects.releases import RELEASES, release_named
from innkeeper.store.base import EVERY_ROW, RowsWanted
from innkeeper.store.nova.block_devices import BlockDevice, read_block_devices
from innkeeper.store.nova.compute_nodes import (
    USUAL_RATIOS,
    read_compute_nodes,
    write_compute_nodes,
)
from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.flavors import read_flavors, write_flavors
from innkeeper.store.nova.instances import read_instances, write_instances
from innkeeper.store.nova.migration_contexts import write_contexts
from innkeeper.store.nova.migrations import read_migrations, write_migrations
from innkeeper.store.nova.overflow import Overflow
from innkeeper.store.nova.paging import Page
from innkeeper.store.nova.pci_devices import read_pci_devices, write_pci_devices
from innkeeper.store.nova.services import read_services, write_services
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import Database, Writing

NEWEST: Final = RELEASES[-1]
PAGE: Final = 500
"""Rows of a page unless the caller says otherwise."""

#: In this order, since rows name each other by id: a migration needs its instance's row, and the context in
#: the row of an instance names that migration and devices, so instances come twice.
_WRITERS: Final[tuple[tuple[type, Callable[[Writing, Sequence[Draft]], None]], ...]] = (
    (Service, write_services),
    (ComputeNode, write_compute_nodes),
    (PciDevice, write_pci_devices),
    (Flavor, write_flavors),
    (Instance, write_instances),
    (Migration, write_migrations),
    (Instance, write_contexts),
)


@dataclass(frozen=True, slots=True)
class Projection:
    """Nova's tables of one database, as they were found when it was opened.

    Connections are the caller's, and so are transactions: nothing here commits. Reads are paged by
    the id of rows; of each only what is not marked deleted.
    """

    shape: Shape
    database: Database
    release: str = NEWEST
    """The oldest release that reads what is written."""
    ratios: Mapping[str, float] = field(default_factory=lambda: dict(USUAL_RATIOS))
    """Allocation ratios of rows that have none."""

    @classmethod
    def reflect(cls, connection: Connection, database: Database, *, release: str = NEWEST) -> Self:
        """Look at the tables, once.

        Raises:
            StoreError: a table is missing that every release has.
            UnknownRelease: no such release.
        """
        return cls(Shape.reflect(connection), database, release_named(release))

    def write(
        self,
        connection: Connection,
        node: str,
        drafts: Iterable[Draft],
        now: datetime,
        offered: Collection[str] | None = None,
    ) -> tuple[Overflow, ...]:
        """Write what is set and changed, and say which texts did not fit.

        Args:
            connection: in a transaction that the caller ends.
            node: the hypervisor's name where an object does not say it.
            drafts: `take_down` of the objects; of several of one object the last counts.
            now: for `created_at`, `updated_at` and `deleted_at`.
            offered: addresses of all devices of the node. Rows of others, unless a draft is of one,
                are marked deleted.

        Raises:
            UnknownInstance: a shared database has no live row of an instance.
            BadRequest: an object lacks what its row is found by.
        """
        writing = Writing(
            connection, self.shape, self.database, self.release, node, now, offered=offered
        )
        given = list(drafts)
        for kind, write in _WRITERS:
            some = [draft for draft in given if draft.kind is kind]
            if some or (kind is PciDevice and offered is not None):
                write(writing, some)
        return tuple(writing.overflows)

    def read_instances(
        self,
        connection: Connection,
        host: str,
        node: str,
        wanted: RowsWanted = EVERY_ROW,
    ) -> Page[Instance]:
        """Instances of a node, with flavors, topology, requests and system metadata."""
        return read_instances(connection, self.shape, (host, node), wanted)

    def read_compute_nodes(
        self,
        connection: Connection,
        host: str,
        wanted: RowsWanted = EVERY_ROW,
    ) -> Page[ComputeNode]:
        """The nodes of a host."""
        return read_compute_nodes(connection, self.shape, host, self.ratios, wanted)

    def read_migrations(
        self,
        connection: Connection,
        host: str,
        node: str,
        wanted: RowsWanted = EVERY_ROW,
    ) -> Page[Migration]:
        """Moves from or to a node that have not ended."""
        return read_migrations(connection, self.shape, (host, node), wanted)

    def read_pci_devices(
        self,
        connection: Connection,
        compute_node_id: int,
        wanted: RowsWanted = EVERY_ROW,
    ) -> Page[PciDevice]:
        """Devices of a node, by the id of its row."""
        return read_pci_devices(connection, self.shape, compute_node_id, wanted)

    def read_services(
        self,
        connection: Connection,
        host: str | None = None,
        *,
        after: int = 0,
        limit: int = PAGE,
    ) -> Page[Service]:
        """Services of a host, or of all."""
        return read_services(connection, self.shape, host, RowsWanted(after, limit))

    def read_flavors(
        self, connection: Connection, *, after: int = 0, limit: int = PAGE
    ) -> Page[Flavor]:
        """Flavors."""
        return read_flavors(connection, self.shape, RowsWanted(after, limit))

    def read_block_devices(
        self, connection: Connection, instance_uuids: Iterable[str]
    ) -> tuple[BlockDevice, ...]:
        """Disks of instances."""
        return read_block_devices(connection, self.shape, instance_uuids)
