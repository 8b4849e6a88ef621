"""What a tracker tells of what happened, and of where everything stands."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

from innkeeper.objects import Claim, Event, EventKind, Finding
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.event import EVERY_EVENT, EventFilter
from innkeeper.store.base import Opened
from innkeeper.tracker.audit.bookings_source import LIVE
from innkeeper.tracker.audit.findings import Findings
from innkeeper.tracker.history.streams import Entry, Stream, Streams
from innkeeper.tracker.history.tokens import Token, parse_token, require_ledger
from innkeeper.tracker.showing import Showing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything as of one moment, and the token of that moment: every later change is told after it.

    What was being written in that moment may be in it and be told after it, too.
    """

    token: Token
    generation: int
    claims: tuple[Claim, ...]
    """The live ones, by id."""
    findings: tuple[Finding, ...]
    cordons: tuple[Cordon, ...]


class Telling(Showing):
    """The side of a tracker that is listened to."""

    opened: Opened
    _findings: Findings
    _streams: Streams

    async def list_events(
        self,
        *,
        after: int = 0,
        claim_id: UUID | None = None,
        instance_uuid: UUID | None = None,
        limit: int = 100,
    ) -> tuple[Event, ...]:
        """What happened, in the order in which it became durable, as far as it is kept."""
        wanted = EventFilter(claim_id=claim_id, instance_uuid=instance_uuid)
        return await self._store.list_events(after=after, wanted=wanted, limit=limit)

    async def page_events(
        self, after: str | None, wanted: EventFilter, *, limit: int
    ) -> tuple[Event, ...]:
        """The same for a caller's words: after a sequence what is kept, after a token all there was.

        Raises:
            BadRequest: it is neither.
            EventsForgotten: not all that came after the token is there, or it is another ledger's.
        """
        token = parse_token(after or "0", self.opened.ledger)
        if str(token) != after:
            return await self._store.list_events(after=token.sequence, wanted=wanted, limit=limit)
        require_ledger(token, self.opened.ledger)
        page = await self._store.follow_events(after=token.sequence, wanted=wanted, limit=limit)
        return tuple(one.event for one in page.events)

    async def watch(
        self,
        after: Token | str | None = None,
        *,
        kinds: frozenset[EventKind] | None = None,
        claim_id: UUID | None = None,
        instance_uuid: UUID | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """Every event after a token as it becomes durable; without one, those from now on.

        Ends when the tracker drains. The token of an entry goes on after it, in a later process too.

        Raises:
            BadRequest, EventsForgotten, TooManyWatching, Draining, StoreError
        """
        wanted = EventFilter(kinds=kinds, claim_id=claim_id, instance_uuid=instance_uuid)
        async with self.stream(None if after is None else str(after), wanted) as stream:
            while (page := await stream.next_page()) is not None:
                for entry in page.entries:
                    yield entry

    def stream(
        self, after: str | None = None, wanted: EventFilter = EVERY_EVENT
    ) -> AbstractAsyncContextManager[Stream]:
        """The same page by page; see `Streams.open` for what it raises."""
        return self._streams.open(after, wanted)

    def snapshot(self) -> Snapshot:
        """Claims, findings and cordons of this moment."""
        writer, register = self._parts.writer, self._parts.register
        return Snapshot(
            token=Token(self.opened.ledger, writer.sequence),
            generation=writer.generation,
            claims=register.list_claims(
                states=LIVE, instance_uuid=None, limit=max(1, len(register)), marker=None
            ),
            findings=self._findings.every(),
            cordons=self._parts.cordons.durable,
        )
