"""The host, its devices and pools, and what would fit."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper import objects
from innkeeper.api.answers import answer, answer_large, unchanged
from innkeeper.api.bodies import read_model
from innkeeper.api.declare import answers, asks, tagged_answers
from innkeeper.api.device_views import DeviceSurvey, chosen
from innkeeper.api.orders import DeviceQuery
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
async def list_devices(request: Request, query: Annotated[DeviceQuery, Query()]) -> Response:
    """Every PCI function, or those that are free, or those of one claim; for the rest, why not."""
    await reader(request)
    parts = parts_of(request)
    tag = _host_tag(parts)
    holder = await _holder(parts, query)
    # Taken here, on the loop, where nothing changes it meanwhile.
    survey = survey_of(parts)
    return unchanged(request, tag) or await answer_large(
        lambda: DeviceList(devices=chosen(survey.views(), free=query.free, holder=holder)), tag=tag
    )


async def _holder(parts: ApiParts, query: DeviceQuery) -> UUID | None:
    """The claim whose devices are wanted. Raises UnknownClaim."""
    return None if query.held_by is None else (await parts.tracker.find(query.held_by)).id


@router.get("/pools", responses=tagged_answers(PoolList))
async def list_pools(request: Request) -> Response:
    """Claimable devices alike in product, cell, kind, parent and tags."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}-{parts.words_mark}"'
    return unchanged(request, tag) or answer(PoolList(pools=parts.tracker.pools()), tag=tag)


@router.post(
    "/fit",
    responses=answers(FitAnswer),
    openapi_extra=asks(objects.Request),
)
async def fit(request: Request) -> Response:
    """Where it would be placed now and how often, or every reason why not; nothing changes."""
    await reader(request)
    parts = parts_of(request)
    asked = await read_model(request, objects.Request)
    placement = parts.tracker.fit(asked)
    tally = await anyio.to_thread.run_sync(parts.tracker.tally, asked)
    return answer(FitAnswer(placement=placement, count=tally.times, stopped_by=tally.stopped_by))


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
        cordons=tracker.cordons(),
        booted_at=tracker.booted_at,
    )


def survey_of(parts: ApiParts) -> DeviceSurvey:
    """What is known of the host's functions at this moment."""
    tracker = parts.tracker
    return DeviceSurvey(
        functions=tracker.host.functions,
        inventory=tracker.inventory,
        holders=tracker.device_holders(),
        cordons=tracker.cordons(),
        rules=tracker.rules,
    )


def _host_tag(parts: ApiParts) -> str:
    """Each observation is news too, and so are new words of the operator."""
    observed = parts.tracker.host.observed_at
    seen = observed.isoformat() if observed else "0"
    return f'"{parts.tracker.edition}-{seen}-{parts.words_mark}"'
