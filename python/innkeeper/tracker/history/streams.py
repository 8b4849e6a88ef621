"""History as it becomes durable, to any number of watchers.

A watcher is told what the store holds, in the order of its sequence and page by page: it is asked for the
next one when it has taken the last, so one that is slow lags behind and holds no memory here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from typing import Final
from uuid import UUID

import anyio

from innkeeper.errors import Draining, TooManyWatching
from innkeeper.objects import Event
from innkeeper.objects.event import EventFilter
from innkeeper.store.base import HistoryPage
from innkeeper.tracker.history.tokens import Token, parse_token, require_ledger
from innkeeper.tracker.parts import Parts

PAGE: Final = 256
"""Events read at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as a watcher gets it."""

    token: Token
    """Where to go on once it is taken."""
    generation: int | None
    """The ledger's, after the change set that holds it; null of events that older releases wrote."""
    event: Event


@dataclass(frozen=True, slots=True, eq=False)
class StreamPage:
    """The next events, and where to go on after them."""

    entries: tuple[Entry, ...]
    token: Token


class Streams:
    """Opens streams, as many as the operator allows."""

    def __init__(self, parts: Parts, ledger: UUID) -> None:
        self._parts = parts
        self._ledger = ledger
        self._pages = _Pages(parts, ledger)
        self._open = 0

    def __len__(self) -> int:
        return self._open

    @asynccontextmanager
    async def open(self, after: str | None, wanted: EventFilter) -> AsyncIterator[Stream]:
        """What comes after a token; without one, what comes from now on.

        Raises:
            BadRequest: it is no token.
            EventsForgotten: what comes after it is not all there, or it is another ledger's.
            TooManyWatching: as many are open as may be.
            Draining: the tracker is stopping.
            StoreError: history cannot be read.
        """
        if self._parts.draining:
            raise Draining("the daemon is stopping; go on with the same token when it is back")
        self._require_place()
        self._open += 1
        try:
            yield await self._begin(after, wanted)
        finally:
            self._open -= 1

    def _require_place(self) -> None:
        most = self._parts.config.events.max_watchers
        if self._open >= most:
            raise TooManyWatching(
                f"{self._open} are watching already, the most that `events.max_watchers` allows; "
                "go on with the same token later",
                watching=self._open,
            )

    async def _begin(self, after: str | None, wanted: EventFilter) -> Stream:
        """Look at once whether it can be gone on from there."""
        if after is None:
            first = await self._pages.end()
            return Stream(self._parts, self._pages, wanted, first.token)
        token = parse_token(after, self._ledger)
        require_ledger(token, self._ledger)
        await self._pages.read(token.sequence, wanted)
        return Stream(self._parts, self._pages, wanted, token)


class Stream:
    """One watcher's way through history."""

    def __init__(self, parts: Parts, pages: _Pages, wanted: EventFilter, token: Token) -> None:
        self._parts = parts
        self._pages = pages
        self._wanted = wanted
        self.token = token
        """Where it goes on."""

    async def next_page(self, *, patience: float = inf) -> StreamPage | None:
        """The next events; one without any when none came for so many seconds; null at the end.

        It ends when the tracker drains: what it was not told it gets by its token.

        Raises:
            EventsForgotten: it was so slow that history is forgotten before it got there.
            StoreError: history cannot be read.
        """
        deadline = anyio.current_time() + patience
        news = self._parts.writer.news
        while not self._parts.draining:
            heard = news.count
            page = await self._pages.read(self.token.sequence, self._wanted)
            self.token = page.token
            if page.entries:
                return page
            with anyio.CancelScope(deadline=deadline) as waiting:
                await news.wait_beyond(heard)
            if waiting.cancelled_caught:
                return page
        return None


class _Pages:
    """Reads for all watchers, one at a time; those who follow side by side share what was read."""

    def __init__(self, parts: Parts, ledger: UUID) -> None:
        self._parts = parts
        self._ledger = ledger
        self._turn = anyio.Lock()
        self._asked: tuple[int, EventFilter] | None = None
        self._last: StreamPage | None = None

    async def end(self) -> StreamPage:
        """Where history ends now."""
        return self._page(await self._parts.store.follow_events(after=None))

    async def read(self, after: int, wanted: EventFilter) -> StreamPage:
        """The next events after that; history never changes, so a page that has some stays good."""
        async with self._turn:
            if self._last is not None and self._asked == (after, wanted):
                return self._last
            store = self._parts.store
            page = self._page(await store.follow_events(after=after, wanted=wanted, limit=PAGE))
            if page.entries:
                self._asked, self._last = (after, wanted), page
            return page

    def _page(self, page: HistoryPage) -> StreamPage:
        entries = (
            Entry(Token(self._ledger, one.event.sequence or 0), one.generation, one.event)
            for one in page.events
        )
        return StreamPage(tuple(entries), Token(self._ledger, page.through))
