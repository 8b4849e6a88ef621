"""Request bodies: read within limits, parsed straight from their bytes."""

from __future__ import annotations

from typing import Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from innkeeper.api.wrong_words import refusal_of
from innkeeper.errors import BadRequest, TooLarge

BODY_LIMIT: Final = 1024 * 1024
"""Bytes."""

M = TypeVar("M", bound=BaseModel)


async def read_model(request: Request, model: type[M]) -> M:
    """The body as such an object.

    Raises:
        TooLarge: more than `BODY_LIMIT`.
        BadRequest: it is no JSON, or not of this kind; the errors name each field.
    """
    body = await _read(request)
    if not body.strip():
        raise BadRequest(
            "the body is empty; /v1/openapi.json says what belongs there",
            errors=[{"path": "", "message": "empty"}],
        )
    return _parse(body, model)


async def read_model_or_default(request: Request, model: type[M]) -> M:
    """The same, where saying nothing means the defaults."""
    body = await _read(request)
    return _parse(body, model) if body.strip() else model()


def _parse(body: bytes, model: type[M]) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise refusal_of(error.errors(include_url=False, include_context=False), model) from error


async def _read(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > BODY_LIMIT:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise _too_large()
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large() -> TooLarge:
    return TooLarge(
        f"the body has more than {BODY_LIMIT} bytes; ask in several calls", limit=BODY_LIMIT
    )
