"""Paged reads, on connections of their own: they see what is durable and never wait for a write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import structlog
from anyio.lowlevel import checkpoint
from sqlalchemy import Column, Connection, Row, Select, Table, select

from innkeeper.errors import StoreCorrupt
from innkeeper.objects import Claim, ClaimState, ComputeNode, Cordon, Event, Finding, Service
from innkeeper.objects.event import EventFilter
from innkeeper.store.address import Place
from innkeeper.store.base import ClaimDigest, HistoryPage, Recorded
from innkeeper.store.digests import bytes_of, digest_of
from innkeeper.store.faults import told_as_store_error
from innkeeper.store.history import of_wanted, old_events, require_kept, standing
from innkeeper.store.nova.projection import Projection
from innkeeper.store.reads import Reads
from innkeeper.store.rows import is_damaged, microseconds, parse_body, read_cordon
from innkeeper.store.tables import batches, claims, cordons, events, findings

log = structlog.get_logger(__name__)

T = TypeVar("T")

_LIVE: Final = frozenset(state for state in ClaimState if state.live)

ROWS_IN_A_TURN: Final = 64
"""Rows parsed before other tasks get their turn: less than a millisecond."""


class Reader:
    """Reads one node's rows; a row whose text is damaged is left out of lists, and logged once."""

    def __init__(self, reads: Reads, path: Place, node: str, projection: Projection) -> None:
        self._projection = projection
        self._reads = reads
        self._path = path
        self._node = node
        self._unreadable: dict[str, set[str]] = {
            kind: set() for kind in ("claim", "event", "finding", "cordon")
        }

    @property
    def unreadable_claims(self) -> tuple[str, ...]:
        """Ids of the claims that were met and could not be read."""
        return tuple(sorted(self._unreadable["claim"]))

    @property
    def unreadable_cordons(self) -> tuple[str, ...]:
        """Kind, subject and cause of the cordons that were met and of which these make no sense."""
        return tuple(sorted(self._unreadable["cordon"]))

    async def close(self) -> None:
        """Let go of all connections."""
        await self._reads.close()

    async def find_claim(self, claim_id: UUID) -> Claim | None:
        """One claim by its id.

        Raises:
            StoreCorrupt: it is there and its record is damaged.
        """
        query = self._select(claims, claims.c.id).where(claims.c.id == str(claim_id))
        rows = await self._fetch(query)
        found = await self._parse(rows, self._read_claim)
        if rows and not found:
            raise StoreCorrupt(
                f"Claim {claim_id} is stored in {self._path}, but its record is damaged",
                claim_id=str(claim_id),
            )
        return found[0] if found else None

    async def list_claims(
        self,
        states: frozenset[ClaimState] | None,
        instance_uuid: UUID | None,
        limit: int,
        marker: UUID | None,
    ) -> tuple[Claim, ...]:
        """Claims by ascending id."""
        query = self._select(claims, claims.c.id).limit(limit)
        if states is not None:
            query = _of_states(query, states)
        if instance_uuid is not None:
            query = query.where(claims.c.instance_uuid == str(instance_uuid))
        return await self._page(query, claims.c.id, str(marker or ""), self._read_claim)

    async def list_claim_digests(
        self, since: datetime | None, limit: int, marker: UUID | None
    ) -> tuple[ClaimDigest, ...]:
        """Of live claims, by ascending id."""
        # As bytes: text that is no UTF-8 is a difference like any other.
        text = bytes_of(claims.c.body).label("text")
        query = select(claims.c.id.label("key"), text).where(claims.c.node == self._node)
        query = _of_states(query, _LIVE).limit(limit)
        if since is not None:
            query = query.where(claims.c.updated_us >= microseconds(since))
        return await self._page(query, claims.c.id, str(marker or ""), self._read_digest)

    async def find_ended_of_move(self, move_id: UUID) -> tuple[Claim, ...]:
        """Looked for in the texts: so rare a question is not worth an index that every write keeps."""
        query = self._select(claims, claims.c.id).where(
            claims.c.live == 0, claims.c.body.contains(str(move_id))
        )
        found = await self._parse(await self._fetch(query.order_by(claims.c.id)), self._read_claim)
        return tuple(one for one in found if one.move is not None and one.move.id == move_id)

    async def list_events(self, after: int, wanted: EventFilter, limit: int) -> tuple[Event, ...]:
        """Events by ascending sequence."""
        query = of_wanted(self._select(events, events.c.sequence).limit(limit), wanted)
        return await self._page(query, events.c.sequence, after, self._read_event)

    async def follow_events(
        self, after: int | None, wanted: EventFilter, limit: int
    ) -> HistoryPage:
        """The next of all events later than `after`, of one moment with what is forgotten.

        Raises:
            EventsForgotten: some of them are deleted, or `after` is later than the last one.
        """
        page = of_wanted(self._select(events, events.c.sequence), wanted)
        page = page.add_columns(events.c.generation).where(events.c.sequence > (after or 0))
        page = page.order_by(events.c.sequence).limit(limit)
        (ledger,), rows = await self._fetch_together(standing(self._node), page)
        oldest = ledger.forgotten + 1
        if after is None:
            return HistoryPage((), ledger.sequence, oldest)
        require_kept(after, ledger.sequence, ledger.forgotten)
        through = rows[-1].key if len(rows) == limit else ledger.sequence
        found = await self._parse(rows, self._read_recorded)
        return HistoryPage(tuple(found), through, oldest)

    async def list_open_findings(self, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """Findings that are not cleared, by ascending id."""
        query = self._select(findings, findings.c.id).where(findings.c.cleared_us.is_(None))
        return await self._page(query.limit(limit), findings.c.id, marker or "", self._read_finding)

    async def list_findings(self, limit: int, marker: str | None) -> tuple[Finding, ...]:
        """Findings by ascending id, cleared ones included."""
        query = self._select(findings, findings.c.id).limit(limit)
        return await self._page(query, findings.c.id, marker or "", self._read_finding)

    async def find_finding(self, finding_id: str) -> Finding | None:
        """One finding by its id; None too when its record is damaged."""
        query = self._select(findings, findings.c.id).where(findings.c.id == finding_id)
        found = await self._parse(await self._fetch(query), self._read_finding)
        return found[0] if found else None

    async def list_services(self, host: str) -> tuple[Service, ...]:
        """What Nova's tables say of the services of a host."""
        with told_as_store_error(self._path):
            page = await self._reads.run(
                lambda connection: self._projection.read_services(connection, host)
            )
        return page.objects

    async def list_compute_nodes(self, host: str) -> tuple[ComputeNode, ...]:
        """What Nova's tables say of the nodes of a host."""
        with told_as_store_error(self._path):
            page = await self._reads.run(
                lambda connection: self._projection.read_compute_nodes(connection, host)
            )
        return page.objects

    async def list_cordons(self) -> tuple[Cordon, ...]:
        """Every cordon: one that was left out would hand out what it is around."""
        c = cordons.c
        key = (c.kind + " " + c.subject + " (" + c.cause + ")").label("key")
        query = select(key, c.kind, c.subject, c.cause, c.body).where(c.node == self._node)
        rows = await self._fetch(query.order_by(c.kind, c.subject, c.cause))
        return tuple(await self._parse(rows, self._read_cordon))

    async def was_applied(self, change_set_id: UUID) -> bool:
        """Whether a batch of the last hour holds it."""
        query = select(batches.c.generation).where(
            batches.c.node == self._node, batches.c.change_sets.contains(str(change_set_id))
        )
        return bool(await self._fetch(query.limit(1)))

    async def list_ended_claims(self, before: datetime, limit: int, marker: str) -> list[str]:
        """Ids of tombstones that ended before then, ascending."""
        query = select(claims.c.id).where(
            claims.c.node == self._node,
            claims.c.live == 0,
            claims.c.id > marker,
            claims.c.updated_us < microseconds(before),
        )
        return [row.id for row in await self._fetch(query.order_by(claims.c.id).limit(limit))]

    async def list_old_events(
        self, before: datetime, now: datetime, limit: int, marker: int
    ) -> list[int]:
        """Sequences of events of before then that no live claim needs, ascending."""
        query = old_events(self._node, microseconds(before), microseconds(now))
        rows = await self._fetch(query.where(events.c.sequence > marker).limit(limit))
        return [row.sequence for row in rows]

    def _select(self, table: Table, key: Column[Any]) -> Select[Any]:
        return select(key.label("key"), table.c.body).where(table.c.node == self._node)

    async def _page(
        self,
        query: Select[Any],
        key: Column[Any],
        marker: object,
        read: Callable[[Row[Any]], T | None],
    ) -> tuple[T, ...]:
        """The next page.

        One without a single readable row is passed over, since an empty page means the end.
        """
        found: list[T] = []
        rows = await self._fetch(query.where(key > marker).order_by(key))
        while rows and not (found := await self._parse(rows, read)):
            rows = await self._fetch(query.where(key > rows[-1].key).order_by(key))
        return tuple(found)

    async def _fetch(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with told_as_store_error(self._path):
            return await self._reads.run(lambda connection: connection.execute(query).all())

    async def _fetch_together(self, *queries: Select[Any]) -> list[Sequence[Row[Any]]]:
        """The rows of several queries, all of one moment."""

        def work(connection: Connection) -> list[Sequence[Row[Any]]]:
            return [connection.execute(query).all() for query in queries]

        with told_as_store_error(self._path):
            return await self._reads.at_one_moment(work)

    async def _parse(
        self, rows: Sequence[Row[Any]], read: Callable[[Row[Any]], T | None]
    ) -> list[T]:
        found = []
        for start in range(0, len(rows), ROWS_IN_A_TURN):
            if start:
                await checkpoint()
            read_rows = map(read, rows[start : start + ROWS_IN_A_TURN])
            found += [parsed for parsed in read_rows if parsed is not None]
        return found

    def _read_claim(self, row: Row[Any]) -> Claim | None:
        claim = parse_body(Claim, row.body)
        if claim is None:
            self._note_unreadable("claim", row)
        elif self._unreadable["claim"]:
            # It was written again since.
            self._unreadable["claim"].discard(str(row.key))
        return claim

    def _read_digest(self, row: Row[Any]) -> ClaimDigest | None:
        try:
            return ClaimDigest(UUID(row.key), digest_of(row.text))
        except (ValueError, TypeError, AttributeError):
            self._note_unreadable("claim", row)
            return None

    def _read_event(self, row: Row[Any]) -> Event | None:
        event = parse_body(Event, row.body)
        if event is None:
            self._note_unreadable("event", row)
            return None
        return event.model_copy(update={"sequence": row.key})

    def _read_recorded(self, row: Row[Any]) -> Recorded | None:
        event = self._read_event(row)
        return None if event is None else Recorded(event, row.generation)

    def _read_finding(self, row: Row[Any]) -> Finding | None:
        finding = parse_body(Finding, row.body)
        if finding is None:
            self._note_unreadable("finding", row)
        return finding

    def _read_cordon(self, row: Row[Any]) -> Cordon | None:
        cordon = read_cordon(row._asdict())
        if cordon is None:
            self._note_unreadable("cordon", row)
        elif is_damaged(cordon):
            log.error("cordon in force by name alone", id=str(row.key), path=str(self._path))
        return cordon

    def _note_unreadable(self, kind: str, row: Row[Any]) -> None:
        key = str(row.key)
        if key not in self._unreadable[kind]:
            self._unreadable[kind].add(key)
            log.error("stored record unreadable", kind=kind, id=key, path=str(self._path))


def _of_states(query: Select[Any], states: frozenset[ClaimState]) -> Select[Any]:
    """Also by `live` where that decides, for then an index gives them in order."""
    if all(state.live for state in states):
        query = query.where(claims.c.live == 1)
    elif not any(state.live for state in states):
        query = query.where(claims.c.live == 0)
    return query.where(claims.c.state.in_(sorted(states)))
