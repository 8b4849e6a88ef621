"""Connections that read: given work, they do it aside, and the event loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio.to_thread
from anyio import CancelScope, CapacityLimiter
from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine

T = TypeVar("T")


class Reads(Protocol):
    """A few connections of which none ever waits for a write."""

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What the work reads; the caller's cancellation waits until its connection is free again.

        Raises:
            SQLAlchemyError, OSError: as the driver says it.
        """
        ...

    async def at_one_moment(self, work: Callable[[Connection], T]) -> T:
        """Likewise, where all statements of the work have to see the same moment."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...


class FileReads:
    """Of a SQLite database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def run(self, work: Callable[[Connection], T]) -> T:  # noqa: D102
        with CancelScope(shield=True):
            async with self._engine.connect() as connection:
                answer = await connection.run_sync(work)
        return answer

    async def at_one_moment(self, work: Callable[[Connection], T]) -> T:  # noqa: D102
        def begun(connection: Connection) -> T:
            # The driver begins none for what only reads.
            connection.exec_driver_sql("BEGIN")
            return work(connection)

        return await self.run(begun)

    async def close(self) -> None:  # noqa: D102
        await self._engine.dispose()


class ServerReads:
    """Of a database server, in threads: as many as there are connections.

    Each piece of work is one transaction, and one moment: see `server_engines`.
    """

    def __init__(self, engine: Engine, connections: int) -> None:
        self._engine = engine
        self._limiter = CapacityLimiter(connections)

    async def run(self, work: Callable[[Connection], T]) -> T:  # noqa: D102
        def connected() -> T:
            with self._engine.connect() as connection:
                return work(connection)

        # A thread cannot be cancelled, and so whoever waits for it is not.
        return await anyio.to_thread.run_sync(connected, limiter=self._limiter)

    async def at_one_moment(self, work: Callable[[Connection], T]) -> T:  # noqa: D102
        return await self.run(work)

    async def close(self) -> None:  # noqa: D102
        await anyio.to_thread.run_sync(self._engine.dispose)
