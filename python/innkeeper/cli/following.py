"""Following a daemon's history past its restarts and ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from innkeeper.api.views import SnapshotView, WatchedEvent
from innkeeper.cli.client import Client
from innkeeper.cli.exits import say
from innkeeper.cli.wire import Query
from innkeeper.errors import (
    Draining,
    EventsForgotten,
    StoreError,
    TooManyConnections,
    TooManyWatching,
    Unreachable,
)

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 10.0
"""Seconds before it is tried again; each time twice as long as before."""

PASSING: Final = (Draining, StoreError, TooManyConnections, TooManyWatching, Unreachable)
"""Refusals after which it is tried again, once it has worked."""


class Following:
    """All that happens after a token, however often the daemon goes and comes."""

    def __init__(self, client: Client, after: str | None, wanted: Query) -> None:
        self._client = client
        self._after = after
        self._wanted = wanted
        self._pause = FIRST_PAUSE
        self._reached = self._lost = False

    def entries(self) -> Iterator[WatchedEvent | SnapshotView]:
        """Events, each once; a snapshot where history in between is forgotten.

        Raises:
            Unreachable: nobody answers, and nobody did before.
            InnkeeperError: it is refused for good.
        """
        while True:
            try:
                yield from self._listen()
            except EventsForgotten as refusal:
                say(f"innkeeper: {refusal.message}")
                yield self._begin_anew()
                continue
            except PASSING as error:
                self._bear(error)
            time.sleep(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _listen(self) -> Iterator[WatchedEvent]:
        for heard in self._client.watch(self._after, self._wanted):
            self._reached, self._lost, self._pause = True, False, FIRST_PAUSE
            event = heard.event()
            # Taken before it is handed on: what is handed on is not asked for again.
            self._after = heard.token or self._after
            if event is not None:
                yield event

    def _begin_anew(self) -> SnapshotView:
        snapshot = self._client.snapshot()
        self._after = snapshot.token
        return snapshot

    def _bear(self, error: Exception) -> None:
        if not self._reached:
            raise error
        if not self._lost:
            say(f"innkeeper: {error}; it is tried again until it works")
        self._lost = True
