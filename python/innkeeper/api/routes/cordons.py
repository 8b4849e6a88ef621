"""The operator's hand: what takes no new claims."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer, unchanged
from innkeeper.api.bodies import read_model
from innkeeper.api.declare import answers, asks, tagged_answers
from innkeeper.api.orders import CordonOrder, UncordonQuery
from innkeeper.api.parts import ApiParts, operator, parts_of, reader
from innkeeper.api.views import CordonList
from innkeeper.errors import BadRequest, NotFound
from innkeeper.objects import Cordon, CordonCause, CordonKind

router: Final = APIRouter(prefix="/v1/cordons", tags=["cordons"])


@router.get("", responses=tagged_answers(CordonList))
async def list_cordons(request: Request) -> Response:
    """All that takes no new claims: who said so, when and why; dirty devices too."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}"'
    cordons = parts.tracker.cordons()
    return unchanged(request, tag) or answer(CordonList(cordons=cordons), tag=tag)


@router.post("", status_code=201, responses=answers(Cordon, 201), openapi_extra=asks(CordonOrder))
async def cordon(request: Request) -> Response:
    """Keep new claims off; those that hold it keep it. Another reason replaces the first."""
    caller = await operator(request)
    parts = parts_of(request)
    order = await read_model(request, CordonOrder)
    subject = _subject(parts, order)
    placed = await parts.tracker.cordon(order.kind, subject, reason=order.reason, by=caller.holder)
    return answer(placed, 201)


def _subject(parts: ApiParts, order: CordonOrder) -> str:
    if order.subject is not None:
        return order.subject
    if order.kind is CordonKind.HOST:
        return parts.node
    said = f"`subject` is missing: which {order.kind} is to be cordoned"
    raise BadRequest(said, errors=[{"path": "subject", "message": said}])


@router.delete("/{kind}/{subject:path}", responses=answers(Cordon))
async def uncordon(
    request: Request, kind: CordonKind, subject: str, query: Annotated[UncordonQuery, Query()]
) -> Response:
    """Let new claims come again.

    A device is named by its address, or by the identity that its cordon has: a card that was pulled may
    have left its address to another one. Of a device that is both cordoned and dirty this lifts the operator's cordon first; `cause=dirty`
    gives it out without its having been cleaned.
    """
    caller = await operator(request)
    parts = parts_of(request)
    lifted = await parts.tracker.uncordon(kind, subject, by=caller.holder, cause=query.cause)
    if lifted is None:
        was = "dirty" if query.cause is CordonCause.DIRTY else "cordoned"
        raise NotFound(
            f"{kind} {subject} is not {was}; `innkeeper cordons` lists what is",
            kind=str(kind),
            subject=subject,
        )
    return answer(lifted)
