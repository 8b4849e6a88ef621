"""A call to do something soon; calls that come before it is done are one."""

from __future__ import annotations

import anyio


class Bell:
    """Rung by many, answered by one."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._rung.set()

    async def wait(self) -> None:
        """Until it is rung, or at once when it was since the last answer."""
        await self._rung.wait()
        self._rung = anyio.Event()
