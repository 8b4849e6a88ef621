"""Counts for Prometheus."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from innkeeper.api.declare import PROBLEM
from innkeeper.api.metrics import CONTENT_TYPE, metrics_text
from innkeeper.api.parts import parts_of, reader

router: Final = APIRouter(tags=["service"])

_TEXT: Final = {
    "description": "Prometheus' text format.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}


@router.get("/metrics", responses={200: _TEXT, "default": PROBLEM})
async def metrics(request: Request) -> Response:
    """What the daemon counts, in Prometheus' text format; docs/reference/metrics.md names all of it."""
    await reader(request)
    parts = parts_of(request)
    return Response(metrics_text(parts.tracker, parts.node), media_type=CONTENT_TYPE)
