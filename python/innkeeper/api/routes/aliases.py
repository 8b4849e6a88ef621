"""The operator's names for devices."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from innkeeper import objects
from innkeeper.api.answers import answer, unchanged
from innkeeper.api.declare import tagged_answers
from innkeeper.api.parts import ApiParts, parts_of, reader
from innkeeper.api.views import AliasList, AliasView
from innkeeper.objects import DeviceRequest
from innkeeper.requests.aliases import Aliases

router: Final = APIRouter(prefix="/v1/aliases", tags=["host"])


@router.get("", responses=tagged_answers(AliasList))
async def list_aliases(request: Request) -> Response:
    """Each name, what it stands for, and how many of it would fit now."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}-{parts.words_mark}"'
    return unchanged(request, tag) or answer(await _counted(parts), tag=tag)


async def _counted(parts: ApiParts) -> AliasList:
    aliases = parts.tracker.aliases
    views = [await _view(parts, aliases, name) for name in aliases.names]
    return AliasList(aliases=tuple(views))


async def _view(parts: ApiParts, aliases: Aliases, name: str) -> AliasView:
    asked = objects.Request(devices=(DeviceRequest(alias=name),))
    fit = await anyio.to_thread.run_sync(parts.tracker.count, asked)
    return AliasView(name=name, stands_for=aliases.resolve(asked).devices[0], fit=fit)
