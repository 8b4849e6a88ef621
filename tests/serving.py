"""The API around a tracker, on a real unix socket in the loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx

from innkeeper.api.access import AccessRules
from innkeeper.api.app import build_app
from innkeeper.api.connections import DEFAULT_LIMITS, Limits
from innkeeper.api.parts import ApiParts
from innkeeper.api.server import ApiServer
from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.service.listener import make_listener
from innkeeper.tracker import Tracker


@dataclass
class Served:
    """A served tracker and a client of it."""

    tracker: Tracker
    parts: ApiParts
    server: ApiServer
    path: Path
    client: httpx.AsyncClient

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which a test says what it likes."""
        return await asyncio.open_unix_connection(self.path)

    async def say(self, *said: bytes) -> bytes:
        """All that comes back until the server closes the connection."""
        reader, writer = await self.connect()
        try:
            for words in said:
                writer.write(words)
                await writer.drain()
            answer = await reader.read()
        finally:
            writer.close()
        return answer

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Until it holds, as the loop turns."""
        with anyio.fail_after(10):
            while not wanted():
                await anyio.lowlevel.checkpoint()


def api_parts(tracker: Tracker, config: Config, state: Path) -> ApiParts:
    """What the application needs to know beside the tracker."""
    access = AccessRules(config.access, SystemClock())
    return ApiParts(
        tracker=tracker,
        node="test",
        config=config,
        access=access,
        state_directory=state,
        host_root=None,
    )


def unix_client(path: Path) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=str(path), limits=httpx.Limits(max_connections=None))
    return httpx.AsyncClient(transport=transport, base_url="http://innkeeper", timeout=30)


@asynccontextmanager
async def serving(
    tracker: Tracker, directory: Path, *, config: Config, limits: Limits = DEFAULT_LIMITS
) -> AsyncIterator[Served]:
    """Serve a tracker that runs already."""
    parts = api_parts(tracker, config, directory)
    server = ApiServer(build_app(parts), SystemClock(), limits)
    listener = await asyncio.to_thread(make_listener, directory / "api.sock")
    await server.open(listener.socket)
    async with unix_client(listener.path) as client:
        try:
            yield Served(tracker, parts, server, listener.path, client)
        finally:
            await server.cut_short()


def problem_of(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem of a refusal, which must be this one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert problem["type"] == f"urn:innkeeper:error:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in response.text
    return problem


def peer_socket(path: Path) -> socket.socket:
    """A blocking connection, for threads."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(30)
    made.connect(str(path))
    return made
