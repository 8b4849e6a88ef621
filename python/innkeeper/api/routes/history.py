"""What happened."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.declare import answers
from innkeeper.api.orders import EventQuery
from innkeeper.api.parts import parts_of, reader
from innkeeper.api.views import EventList

router: Final = APIRouter(prefix="/v1", tags=["history"])


@router.get("/events", responses=answers(EventList))
async def list_events(request: Request, query: Annotated[EventQuery, Query()]) -> Response:
    """One page of history, later than `after`."""
    await reader(request)
    parts = parts_of(request)
    events = await parts.tracker.list_events(
        after=query.after,
        claim_id=query.claim_id,
        instance_uuid=query.instance_uuid,
        limit=query.limit,
    )
    last = events[-1].sequence if events else None
    return answer(EventList(events=events, next_after=query.after if last is None else last))
