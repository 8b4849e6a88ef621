"""Watchers of a daemon's history, as programs are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

STREAM = {"Accept": "text/event-stream"}


@dataclass
class Said:
    """One message of a stream; without data it is a sign of life."""

    id: str | None = None
    event: str | None = None
    data: Any = None
    comments: list[str] = field(default_factory=list)

    @property
    def sequence(self) -> int:
        return int(self.data["event"]["sequence"])


def read_message(lines: Iterable[str]) -> Said:
    """One message of its lines, as the HTML standard reads them."""
    said = Said()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            said.comments.append(value)
        elif name == "data":
            said.data = json.loads(value)
        elif name in ("id", "event"):
            setattr(said, name, value)
    return said


def messages(lines: Iterable[str]) -> Iterator[Said]:
    """Those that are whole."""
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
        else:
            yield read_message(block)
            block = []


async def _messages(response: httpx.Response) -> AsyncIterator[Said]:
    block: list[str] = []
    async for line in response.aiter_lines():
        if line:
            block.append(line)
        else:
            yield read_message(block)
            block = []


@asynccontextmanager
async def watching(
    client: httpx.AsyncClient, after: str | None = None, **query: Any
) -> AsyncIterator[AsyncIterator[Said]]:
    """A stream that was not refused."""
    words = query if after is None else {"after": after, **query}
    async with client.stream("GET", "/v1/events", params=words, headers=STREAM) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield _messages(response)


async def take(stream: AsyncIterator[Said], count: int) -> list[Said]:
    """The next so many events."""
    found: list[Said] = []
    async for said in stream:
        if said.data is not None:
            found.append(said)
        if len(found) == count:
            break
    return found
