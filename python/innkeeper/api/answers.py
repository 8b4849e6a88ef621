"""Objects as answers: encoded once, straight to bytes, and not at all when the caller has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio.to_thread
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

JSON_TYPE: Final = "application/json"


def answer(body: BaseModel, status: int = 200, *, tag: str | None = None) -> Response:
    """The object as JSON."""
    headers = {"ETag": tag} if tag else None
    return Response(body.model_dump_json().encode(), status, headers, JSON_TYPE)


async def answer_large(build: Callable[[], BaseModel], *, tag: str) -> Response:
    """The same for what may take milliseconds to encode: in a thread, so that claims go on."""
    body = await anyio.to_thread.run_sync(lambda: build().model_dump_json().encode())
    return Response(body, 200, {"ETag": tag}, JSON_TYPE)


def unchanged(request: Request, tag: str) -> Response | None:
    """304 when the caller already has the answer that this tag stands for (RFC 9110, 13.1.2)."""
    known = request.headers.get("if-none-match")
    if known is None or not _matches(known, tag):
        return None
    return Response(status_code=304, headers={"ETag": tag})


def _matches(known: str, tag: str) -> bool:
    tags = (one.strip().removeprefix("W/") for one in known.split(","))
    return any(one in ("*", tag) for one in tags)
