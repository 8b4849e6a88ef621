"""The service's record in Nova's tables."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.bodies import read_model
from innkeeper.api.declare import answers, asks
from innkeeper.api.orders import ServiceOrder
from innkeeper.api.parts import admin, parts_of, reader
from innkeeper.api.views import ServiceNodeView, ServiceRecordView
from innkeeper.tracker.nova.service_record import ServiceState

router: Final = APIRouter(prefix="/v1/service", tags=["service"])


@router.get("", responses=answers(ServiceRecordView))
async def show(request: Request) -> Response:
    """Whether the service is up by Nova's rule, its last heartbeat, and what was said of it."""
    await reader(request)
    return answer(_view(await parts_of(request).tracker.show_service()))


@router.put("", responses=answers(ServiceRecordView), openapi_extra=asks(ServiceOrder))
async def force_down(request: Request) -> Response:
    """Have others take the service for down whatever it reports, or go by its heartbeat again."""
    caller = await admin(request)
    order = await read_model(request, ServiceOrder)
    tracker = parts_of(request).tracker
    state = await tracker.force_service_down(forced=order.forced_down, by=caller.holder)
    return answer(_view(state))


def _view(state: ServiceState) -> ServiceRecordView:
    service = state.service
    return ServiceRecordView(
        host=service.host or "",
        binary=service.binary or "",
        version=service.version,
        up=state.is_up,
        last_seen_up=service.last_seen_up,
        report_count=service.report_count,
        disabled=service.disabled,
        disabled_reason=service.disabled_reason,
        forced_down=service.forced_down,
        nodes=tuple(
            ServiceNodeView(name=node.hypervisor_hostname or "", uuid=node.uuid)
            for node in state.nodes
        ),
    )
