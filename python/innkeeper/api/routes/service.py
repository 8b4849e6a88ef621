"""The daemon itself: whether it lives, whether it is ready, who it is."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from innkeeper import __version__
from innkeeper.api.answers import answer
from innkeeper.api.declare import answers
from innkeeper.api.parts import parts_of, reader
from innkeeper.api.views import Condition, ServiceView
from innkeeper.errors import Draining

router: Final = APIRouter(tags=["service"])


@router.get("/livez", responses=answers(Condition))
async def live() -> Response:
    """Whether the daemon answers at all."""
    return answer(Condition())


@router.get("/readyz", responses=answers(Condition))
async def ready(request: Request) -> Response:
    """Whether claims may be asked for."""
    parts = parts_of(request)
    if not parts.tracker.ready:
        raise Draining("the daemon is stopping and takes no new claims")
    return answer(Condition())


@router.get("/v1", responses=answers(ServiceView))
async def describe(request: Request) -> Response:
    """Which daemon answers, and what the caller may do there."""
    caller = await reader(request)
    parts = parts_of(request)
    view = ServiceView(
        version=__version__,
        node=parts.node,
        role=caller.role.name.lower(),
        state_directory=str(parts.state_directory),
        started_at=parts.tracker.started_at,
        host_root=parts.host_root,
    )
    return answer(view)
