"""What stores on every SQL engine have alike: everything but how a database is taken and read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import anyio.to_thread
from anyio import CancelScope

from innkeeper.clock import Clock, SystemClock
from innkeeper.errors import StoreError
from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimState,
    ComputeNode,
    Cordon,
    Event,
    Finding,
    Instance,
    Migration,
    PciDevice,
    Service,
)
from innkeeper.objects.event import EVERY_EVENT, EventFilter
from innkeeper.objects.releases import RELEASES
from innkeeper.store.address import Place
from innkeeper.store.base import (
    EVERY_ROW,
    NOBODY,
    ClaimDigest,
    Commit,
    HistoryPage,
    Machine,
    Opened,
    RowsWanted,
    StoreStatistics,
)
from innkeeper.store.boots import accept_boot
from innkeeper.store.damage import Possession
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.nova.block_devices import BlockDevice
from innkeeper.store.nova.paging import Page
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova_reading import NovaReader
from innkeeper.store.opening import Opening
from innkeeper.store.pruning import forget_claims, forget_events, forget_findings
from innkeeper.store.reading import Reader
from innkeeper.store.reads import Reads
from innkeeper.store.rows import encode_change_set, microseconds
from innkeeper.store.transactions import Transactions
from innkeeper.store.writer import Writer

PRUNE_SLICE: Final = 500
"""Claims or events deleted in one transaction, so that change sets get between."""

T = TypeVar("T")


class SqlStore(ABC):
    """Keeps one node's ledger and is its owner while it is open.

    Writes: one thread, one transaction and one sync for all that waits together. Reads: connections
    of their own, which never wait for it.
    """

    def __init__(
        self,
        path: Place,
        *,
        node: str,
        clock: Clock | None = None,
        release: str = RELEASES[-1],
        adopts: bool = False,
    ) -> None:
        """Keep `node`'s ledger at `path`.

        `release` is the oldest that reads Nova's rows there. With `adopts` the ledger of another machine
        becomes this one's.
        """
        self._path = path
        self._node = node
        self._clock = clock or SystemClock()
        self._release = release
        self._adopts = adopts
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._nova: NovaReader | None = None
        self._statistics = StoreStatistics(0, 0, 0, 0)

    @abstractmethod
    def _take(self, opening: Opening) -> Possession:
        """Take the database into possession, which blocks."""

    @abstractmethod
    def _let_go(self) -> None:
        """Let others have it; safe to call twice."""

    @abstractmethod
    def _reads(self) -> Reads:
        """Connections that read."""

    async def open(self, *, boot_id: str | None, machine: Machine = NOBODY) -> Opened:  # noqa: D102
        opening = Opening(self._node, boot_id, self._now_us(), machine, self._adopts)
        with CancelScope(shield=True):
            possession, projection = await anyio.to_thread.run_sync(self._take_possession, opening)
            reads = await anyio.to_thread.run_sync(self._reads)
        self._reader = Reader(reads, self._path, self._node, projection)
        self._nova = NovaReader(reads, self._path, projection)
        self._writer = Writer(possession.transactions, projection, self._now_us)
        return _opened(possession)

    async def close(self) -> None:  # noqa: D102
        self._statistics = self.statistics()
        writer, self._writer = self._writer, None
        reader, self._reader, self._nova = self._reader, None, None
        with CancelScope(shield=True):
            if reader is not None:
                await reader.close()
            if writer is not None:
                await anyio.to_thread.run_sync(writer.stop)
            await anyio.to_thread.run_sync(self._let_go)

    async def apply(self, change_set: ChangeSet) -> Commit:  # noqa: D102
        writer = self._require_open(self._writer)
        return await writer.write(encode_change_set(change_set, self._node))

    async def list_set_aside(self) -> tuple[str, ...]:  # noqa: D102
        return ()

    async def mark_seen(self, path: str) -> str | None:  # noqa: D102
        return None

    async def was_applied(self, change_set_id: UUID) -> bool:  # noqa: D102
        reader = self._require_open(self._reader)
        await self._require_open(self._writer).run(Transactions.settle)
        return await reader.was_applied(change_set_id)

    async def find_claim(self, claim_id: UUID) -> Claim | None:  # noqa: D102
        return await self._require_open(self._reader).find_claim(claim_id)

    async def list_claims(  # noqa: D102
        self,
        *,
        states: frozenset[ClaimState] | None = None,
        instance_uuid: UUID | None = None,
        limit: int = 1000,
        marker: UUID | None = None,
    ) -> tuple[Claim, ...]:
        reader = self._require_open(self._reader)
        return await reader.list_claims(states, instance_uuid, limit, marker)

    async def list_claim_digests(  # noqa: D102
        self, *, since: datetime | None = None, limit: int = 1000, marker: UUID | None = None
    ) -> tuple[ClaimDigest, ...]:
        return await self._require_open(self._reader).list_claim_digests(since, limit, marker)

    async def find_ended_of_move(self, move_id: UUID) -> tuple[Claim, ...]:  # noqa: D102
        return await self._require_open(self._reader).find_ended_of_move(move_id)

    async def list_events(  # noqa: D102
        self,
        *,
        after: int = 0,
        wanted: EventFilter = EVERY_EVENT,
        limit: int = 1000,
    ) -> tuple[Event, ...]:
        return await self._require_open(self._reader).list_events(after, wanted, limit)

    async def follow_events(  # noqa: D102
        self, *, after: int | None, wanted: EventFilter = EVERY_EVENT, limit: int = 1000
    ) -> HistoryPage:
        return await self._require_open(self._reader).follow_events(after, wanted, limit)

    async def list_findings(  # noqa: D102
        self, *, include_cleared: bool = False, limit: int = 1000, marker: str | None = None
    ) -> tuple[Finding, ...]:
        reader = self._require_open(self._reader)
        listing = reader.list_findings if include_cleared else reader.list_open_findings
        return await listing(limit, marker)

    async def find_finding(self, finding_id: str) -> Finding | None:  # noqa: D102
        return await self._require_open(self._reader).find_finding(finding_id)

    async def list_cordons(self) -> tuple[Cordon, ...]:  # noqa: D102
        return await self._require_open(self._reader).list_cordons()

    async def list_instances(  # noqa: D102
        self, host: str, node: str, wanted: RowsWanted = EVERY_ROW
    ) -> Page[Instance]:
        return await self._require_open(self._nova).list_instances(host, node, wanted)

    async def list_migrations(  # noqa: D102
        self, host: str, node: str, wanted: RowsWanted = EVERY_ROW
    ) -> Page[Migration]:
        return await self._require_open(self._nova).list_migrations(host, node, wanted)

    async def list_pci_devices(  # noqa: D102
        self, compute_node_id: int, wanted: RowsWanted = EVERY_ROW
    ) -> Page[PciDevice]:
        return await self._require_open(self._nova).list_pci_devices(compute_node_id, wanted)

    async def list_block_devices(  # noqa: D102
        self, instance_uuid: str
    ) -> tuple[BlockDevice, ...]:
        return await self._require_open(self._nova).list_block_devices(instance_uuid)

    async def list_services(self, host: str) -> tuple[Service, ...]:  # noqa: D102
        return await self._require_open(self._reader).list_services(host)

    async def foreign_writes(self) -> object:  # noqa: D102
        return await self._require_open(self._writer).run(Transactions.foreign_writes)

    async def accept_boot(self) -> None:  # noqa: D102
        await self._require_open(self._writer).run(accept_boot)

    async def list_compute_nodes(self, host: str) -> tuple[ComputeNode, ...]:  # noqa: D102
        return await self._require_open(self._reader).list_compute_nodes(host)

    async def prune(self, *, before: datetime) -> int:  # noqa: D102
        reader, writer = self._require_open(self._reader), self._require_open(self._writer)
        now_us = self._now_us()
        gone = await writer.run(partial(forget_findings, before=before, now_us=now_us))
        marker = ""
        while ids := await reader.list_ended_claims(before, PRUNE_SLICE, marker):
            gone += await writer.run(partial(forget_claims, ids=ids, before=before))
            marker = ids[-1]
        return gone

    async def forget_events(self, *, before: datetime) -> int:  # noqa: D102
        reader, writer = self._require_open(self._reader), self._require_open(self._writer)
        now, gone, marker = self._clock.now(), 0, 0
        while old := await reader.list_old_events(before, now, PRUNE_SLICE, marker):
            gone += await writer.run(partial(forget_events, sequences=old))
            marker = old[-1]
        return gone

    def statistics(self) -> StoreStatistics:  # noqa: D102
        if self._writer is None or self._reader is None:
            return self._statistics
        return replace(
            self._writer.statistics(),
            unreadable_claims=self._reader.unreadable_claims,
            unreadable_cordons=self._reader.unreadable_cordons,
        )

    def _take_possession(self, opening: Opening) -> tuple[Possession, Projection]:
        with told_as_store_error(self._path):
            try:
                possession = self._take(opening)
                return possession, _look_at(possession, self._release)
            except BaseException:
                self._let_go()
                raise

    def _require_open(self, part: T | None) -> T:
        if part is None:
            raise StoreError(f"The store {self._path} is not open", path=str(self._path))
        return part

    def _now_us(self) -> int:
        return microseconds(self._clock.now())


def _look_at(possession: Possession, release: str) -> Projection:
    connection = possession.transactions.connection
    with connection.begin():
        return Projection.reflect(connection, possession.database, release=release)


def _opened(possession: Possession) -> Opened:
    transactions, aside = possession.transactions, possession.set_aside
    return Opened(
        generation=transactions.position.generation,
        epoch=transactions.owner.epoch,
        ledger=transactions.owner.ledger,
        sequence=transactions.position.sequence,
        set_aside=None if aside is None else str(aside),
        rebuilt_claims=possession.rebuilt_claims,
        rebuilt_cordons=possession.rebuilt_cordons,
        unreadable_cordons=possession.unreadable_cordons,
        taken_from=transactions.arrival.taken_from,
        rebooted_from=transactions.arrival.rebooted_from,
        booted_at=transactions.arrival.booted_at,
    )
