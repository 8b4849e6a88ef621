"""What all connections of one server share: limits, the date, and who is still there."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import format_datetime
from typing import Final

import anyio
from uvicorn.server import ServerState

from innkeeper.clock import Clock


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may take; times in seconds, sizes in bytes."""

    head_seconds: float = 5.0
    body_seconds: float = 10.0
    idle_seconds: float = 75.0
    linger_seconds: float = 1.0
    """How long a caller that was refused may take to read why."""
    head_bytes: int = 32 * 1024
    connections: int = 2048
    """More than may wait for room at once, so that there is always a way to look and to release."""


DEFAULT_LIMITS: Final = Limits()


class Connections(ServerState):
    """uvicorn's record of open connections and running requests; nothing here polls."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        super().__init__()
        self.limits = limits
        self._clock = clock
        self._dated_until = -1.0
        self._none_left = anyio.Event()

    def renew_date(self) -> None:
        """Let answers carry the date of this second (RFC 9110, 6.6.1)."""
        moment = self._clock.monotonic()
        if moment >= self._dated_until:
            date = format_datetime(self._clock.now(), usegmt=True)
            self.default_headers = [(b"date", date.encode())]
            self._dated_until = moment + 1

    def closed(self) -> None:
        """A connection is gone."""
        if not self.connections:
            self._none_left.set()

    async def wait_none(self) -> None:
        """Until the last one is gone."""
        while self.connections:
            self._none_left = anyio.Event()
            await self._none_left.wait()
