"""The host, its devices and pools, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from innkeeper import objects
from innkeeper.api.answers import answer, answer_large, unchanged
from innkeeper.api.bodies import read_model
from innkeeper.api.declare import answers, asks, tagged_answers
from innkeeper.api.device_views import device_views
from innkeeper.api.parts import ApiParts, parts_of, reader
from innkeeper.api.views import DeviceList, FitAnswer, HostView, PoolList

router: Final = APIRouter(prefix="/v1", tags=["host"])


@router.get("/host", responses=tagged_answers(HostView))
async def show_host(request: Request) -> Response:
    """The host, what of it may be handed out, and how much is held."""
    await reader(request)
    parts = parts_of(request)
    tag = _host_tag(parts)
    view = host_view(parts)
    return unchanged(request, tag) or await answer_large(lambda: view, tag=tag)


@router.get("/devices", responses=tagged_answers(DeviceList))
async def list_devices(request: Request) -> Response:
    """Every PCI function; for those that cannot be claimed, why."""
    await reader(request)
    parts = parts_of(request)
    tag = _host_tag(parts)
    # Taken here, on the loop, where nothing changes it meanwhile.
    seen = parts.tracker.host.functions, parts.tracker.device_holders(), parts.config
    return unchanged(request, tag) or await answer_large(
        lambda: DeviceList(devices=device_views(*seen)), tag=tag
    )


@router.get("/pools", responses=tagged_answers(PoolList))
async def list_pools(request: Request) -> Response:
    """Claimable devices alike in product, cell and kind."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}"'
    return unchanged(request, tag) or answer(PoolList(pools=parts.tracker.pools()), tag=tag)


@router.post(
    "/fit",
    responses=answers(FitAnswer),
    openapi_extra=asks(objects.Request),
)
async def fit(request: Request) -> Response:
    """Where it would be placed now, or every reason why not; nothing changes."""
    await reader(request)
    parts = parts_of(request)
    asked = await read_model(request, objects.Request)
    placement = parts.tracker.fit(asked)
    count = await anyio.to_thread.run_sync(parts.tracker.count, asked)
    return answer(FitAnswer(placement=placement, count=count))


def host_view(parts: ApiParts) -> HostView:
    """The host at this moment."""
    tracker = parts.tracker
    return HostView(
        node=parts.node,
        generation=tracker.generation,
        host=tracker.host,
        inventory=tracker.inventory,
        usage=tracker.usage(),
        pools=tracker.pools(),
    )


def _host_tag(parts: ApiParts) -> str:
    """Each observation is news too, and so are new words of the operator."""
    tracker = parts.tracker
    return f'"{tracker.edition}-{"-".join(_marks(parts))}"'


def _marks(parts: ApiParts) -> Iterator[str]:
    observed = parts.tracker.host.observed_at
    yield observed.isoformat() if observed else "0"
    yield f"{hash(parts.config.devices) & 0xFFFF:x}"
