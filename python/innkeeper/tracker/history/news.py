"""That something became durable, told to any number of tasks."""

from __future__ import annotations

import anyio


class News:
    """Rung by one, heard by many; costs nothing while nobody listens."""

    def __init__(self) -> None:
        self.count = 0
        """How often it was rung: who looked at something noted this before, and misses nothing after."""
        self._listening: anyio.Event | None = None

    def ring(self) -> None:
        """There is something new."""
        self.count += 1
        if self._listening is not None:
            self._listening.set()
            self._listening = None

    async def wait_beyond(self, count: int) -> None:
        """Until it was rung more often than that."""
        while self.count <= count:
            if self._listening is None:
                self._listening = anyio.Event()
            await self._listening.wait()
