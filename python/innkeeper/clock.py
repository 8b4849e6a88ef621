"""Time, handed to whoever needs it, so that tests own it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

import anyio


class Clock(Protocol):
    """Wall time for records, monotonic time for deadlines, and sleep."""

    def now(self) -> datetime:
        """The wall time, UTC, microseconds kept."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a virtual clock returns when its time has been moved on."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:  # noqa: D102
        return datetime.now(UTC)  # noqa: TID251 - the one place where time is read

    def monotonic(self) -> float:  # noqa: D102
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:  # noqa: D102
        await anyio.sleep(seconds)
