"""The outermost layer of the application: names the request, and turns every failure into a problem."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Final
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from innkeeper.api.problems import problem_response
from innkeeper.errors import Draining, InnkeeperError, InternalError

log = structlog.get_logger(__name__)
_access: Final = logging.getLogger(__name__)
"""The same logger, asked whether it is worth putting an entry together."""

#: What a caller may call its request: no room for anything that a log would choke on.
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Front:
    """Answers for the application when it fails; says nothing of the inside to the caller."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; lifespan messages pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        await self._answer(exchange, scope, receive)
        if _access.isEnabledFor(logging.DEBUG):
            log.debug("request", method=scope["method"], path=scope["path"], status=exchange.status)

    async def _answer(self, exchange: _Exchange, scope: Scope, receive: Receive) -> None:
        try:
            await self._app(_as_get(scope), receive, exchange.send)
        except ClientDisconnect:
            log.debug("caller gone", path=scope["path"])
        except asyncio.CancelledError:
            # The server cuts short what is still running after the time to drain: the end of a
            # request is the end of its task, so nobody above waits for the cancellation.
            await exchange.refuse(Draining("the daemon stopped before this was done"), receive)
        except InnkeeperError as refusal:
            await exchange.refuse(refusal, receive)
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            await exchange.refuse(_bug(exchange.request_id), receive)


class _Exchange:
    """One request's name, and how far its answer is."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.request_id = _request_id(scope)
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"].append((b"x-request-id", self.request_id.encode()))
        await self._send(message)

    async def refuse(self, error: InnkeeperError, receive: Receive) -> None:
        """Answer with the problem, unless an answer has begun already."""
        if self.status is None:
            await problem_response(error)(self._scope, receive, self.send)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid4().hex


def _as_get(scope: Scope) -> Scope:
    """HEAD is GET without the body (RFC 9110, 9.3.2); the server leaves the body out."""
    if scope["method"] != "HEAD":
        return scope
    return {**scope, "method": "GET", "bodiless": True}


def _bug(request_id: str) -> InternalError:
    return InternalError(
        f"innkeeper failed at this; its log says more under request id {request_id}",
        request_id=request_id,
    )
