"""uvicorn's HTTP protocol with the peer's credentials, limits, and deadlines for slow callers."""

from __future__ import annotations

import asyncio
import http
from enum import Enum
from functools import partial
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from innkeeper.api.connections import Connections
from innkeeper.api.peers import Peer, peer_of
from innkeeper.api.problems import (
    PROBLEM_TYPE,
    STATUS_BY_CODE,
    problem_headers,
    problem_json,
)
from innkeeper.errors import (
    BadRequest,
    Draining,
    HeadTooLarge,
    InnkeeperError,
    TooManyConnections,
    TooSlow,
)


class _Stage(Enum):
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"


class _Refused(Exception):
    """Stops the parser; the connection knows why."""


class _JoinedWrites:
    """The transport of one answer: head and body leave in one system call, and wake the caller once."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport = transport
        self._cycle = cycle
        self._head = b""
        self._begun = False

    def write(self, data: bytes) -> None:
        """Keep the head until the body comes; what stands before an answer goes at once."""
        if self._cycle.response_started and not self._begun:
            self._begun, self._head = True, data
            return
        self._transport.write(self._head + data)
        self._head = b""

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def flush(self) -> None:
        """An answer without a body ends with its head."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""


class PeerProtocol(HttpToolsProtocol):
    """One connection of the unix socket.

    Deadlines are armed only for requests that did not arrive whole, so that the common one costs
    nothing. A refusal on this level is a problem too, after which the connection is closed.
    """

    def __init__(self, config: Config, shared: Connections) -> None:
        super().__init__(config, shared, {}, asyncio.get_running_loop())
        self._shared = shared
        self._limits = shared.limits
        self._peer: Peer | None = None
        self._stage = _Stage.HEAD
        self._head_bytes = 0
        self._unfinished_bytes = 0
        self._refusal: InnkeeperError | None = None
        self._lingering = False
        self._deadline: asyncio.TimerHandle | None = None
        self._deadline_stage = _Stage.IDLE

    # -- the connection ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the peer's name; refuse it politely when there are too many."""
        super().connection_made(transport)
        self._peer = peer_of(transport.get_extra_info("socket"))
        if len(self.connections) > 2 * self._limits.connections:
            self.transport.abort()
        elif len(self.connections) > self._limits.connections:
            self._refuse(_too_many(self._limits.connections))
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching it."""
        self._disarm()
        super().connection_lost(exc)
        self._shared.closed()

    def data_received(self, data: bytes) -> None:
        """Parse, then see whether more has to come."""
        if self._lingering or self.transport.is_closing():
            return
        super().data_received(data)
        if self._stage is _Stage.HEAD:
            self._count_unfinished(len(data))
        self._watch()

    def _count_unfinished(self, size: int) -> None:
        """The parser hands on a name or value only when it is whole: until then its bytes count here."""
        self._unfinished_bytes += size
        if self._unfinished_bytes > self._limits.head_bytes:
            self._refuse(_head_too_large(self._limits.head_bytes))

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser stopped."""
        self._refuse(self._refusal or BadRequest(f"this is no HTTP/1.1 request: {msg}"))

    def shutdown(self) -> None:
        """Close when the answer that is due has been given; who is still asking is sent away."""
        if self._stage is _Stage.BODY:
            self._refuse(Draining("the daemon is stopping; ask again when it is back"))
        elif not self._lingering:
            super().shutdown()

    # -- the parser's news ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._stage, self._head_bytes, self._unfinished_bytes = _Stage.HEAD, 0, 0
        super().on_message_begin()
        self.scope["peer"] = self._peer  # type: ignore[typeddict-unknown-key]
        self.scope["hang_up"] = self.transport.abort  # type: ignore[typeddict-unknown-key]

    def on_url(self, url: bytes) -> None:
        """Part of the request target."""
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._head_bytes += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: the request can be answered from here on."""
        if self._head_bytes > self._limits.head_bytes:
            self._refusal = _head_too_large(self._limits.head_bytes)
            raise _Refused
        self._shared.renew_date()
        super().on_headers_complete()
        self._join_writes(self.cycle)
        self._stage = _Stage.BODY

    def on_message_complete(self) -> None:
        """The body is whole too."""
        self._stage = _Stage.IDLE
        super().on_message_complete()

    def _join_writes(self, cycle: RequestResponseCycle) -> None:
        joined = _JoinedWrites(self.transport, cycle)
        cycle.transport = cast("asyncio.Transport", joined)
        cycle.on_response = partial(self._answered, joined)

    def _answered(self, joined: _JoinedWrites) -> None:
        joined.flush()
        self.on_response_complete()

    # -- deadlines -----------------------------------------------------------------------------

    def _watch(self) -> None:
        """Arm the deadline of the stage that the connection is in, once for each stage."""
        if self._stage is self._deadline_stage or self._lingering:
            return
        self._disarm()
        if self._stage is not _Stage.IDLE:
            self._deadline = self.loop.call_later(self._seconds(), self._too_late)
            self._deadline_stage = self._stage

    def _seconds(self) -> float:
        head = self._stage is _Stage.HEAD
        return self._limits.head_seconds if head else self._limits.body_seconds

    def _too_late(self) -> None:
        seconds, stage = self._seconds(), self._stage
        self._disarm()
        if self.flow.read_paused:
            # Not the caller's delay: an earlier request of the same connection is being answered.
            self._watch()
            return
        what = "head" if stage is _Stage.HEAD else "body"
        self._refuse(
            TooSlow(f"the {what} of the request did not arrive in {seconds:g} s", seconds=seconds)
        )

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline, self._deadline_stage = None, _Stage.IDLE

    # -- refusals ------------------------------------------------------------------------------

    def _refuse(self, error: InnkeeperError) -> None:
        """Say why, unless that would fall into another answer, and close."""
        if self._lingering or self.transport.is_closing():
            return
        if self._may_speak():
            self.transport.write(_raw_problem(error))
        self._hang_up()

    def _hang_up(self) -> None:
        """Close so that the caller can read the refusal: what it is still sending is read and dropped.

        A socket that is closed with bytes unread resets, and the caller sees that instead.
        """
        self._lingering = True
        self._disarm()
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(self._limits.linger_seconds, self.transport.close)

    def _may_speak(self) -> bool:
        cycle: Any = self.cycle
        if cycle is None:
            return True
        done = self._stage is _Stage.HEAD and cycle.response_complete
        return done or (self._stage is _Stage.BODY and not cycle.response_started)


def _raw_problem(error: InnkeeperError) -> bytes:
    body = problem_json(error)
    status = STATUS_BY_CODE[error.code]
    headers = {
        "Content-Type": PROBLEM_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **problem_headers(error),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
    return f"{line}{head}\r\n".encode() + body


def _head_too_large(limit: int) -> HeadTooLarge:
    return HeadTooLarge(
        f"request line and headers have more than {limit} bytes together", limit=limit
    )


def _too_many(limit: int) -> TooManyConnections:
    return TooManyConnections(
        f"{limit} connections are open already, the most that are served; try again later",
        limit=limit,
    )
