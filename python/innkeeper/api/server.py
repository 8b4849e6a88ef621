"""Listens on one unix socket; has no signal handlers and never polls."""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

import anyio
import uvicorn
from starlette.types import ASGIApp

from innkeeper.api.connections import DEFAULT_LIMITS, Connections, Limits
from innkeeper.api.protocol import PeerProtocol
from innkeeper.clock import Clock

BACKLOG: Final = 1024
FLUSH_SECONDS: Final = 1.0
"""How long a caller may take to read its last answer."""


class ApiServer:
    """Serves an application until it is drained."""

    def __init__(self, app: ASGIApp, clock: Clock, limits: Limits = DEFAULT_LIMITS) -> None:
        self._config = _uvicorn_config(app, limits)
        self._open = Connections(clock, limits)
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._open.connections)

    async def open(self, listener: socket.socket) -> None:
        """Accept connections from now on; the socket is this server's to close."""
        self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(self._connect, sock=listener, backlog=BACKLOG)

    def _connect(self) -> PeerProtocol:
        return PeerProtocol(self._config, self._open)

    async def drain(self) -> None:
        """Accept no more; return when every answer that was due has been given."""
        self._stop_accepting()
        for connection in self._connections():
            connection.shutdown()
        await self._open.wait_none()

    async def cut_short(self) -> None:
        """End every request now; each is told why, if it still can be."""
        self._stop_accepting()
        tasks = tuple(self._open.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for connection in self._connections():
            connection.transport.close()
        with anyio.move_on_after(FLUSH_SECONDS):
            await self._open.wait_none()
        for connection in self._connections():
            connection.transport.abort()
        await self._open.wait_none()

    def _stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()

    def _connections(self) -> tuple[PeerProtocol, ...]:
        return cast("tuple[PeerProtocol, ...]", tuple(self._open.connections))


def _uvicorn_config(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=PeerProtocol,
        loop="none",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(limits.idle_seconds),
    )
