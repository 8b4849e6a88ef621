"""What happened."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.declare import answers, streams
from innkeeper.api.event_stream import EVENT_STREAM, EventStream
from innkeeper.api.orders import EventQuery
from innkeeper.api.parts import parts_of, reader
from innkeeper.api.snapshots import snapshot_answer
from innkeeper.api.views import EventList, SnapshotView, WatchedEvent

router: Final = APIRouter(prefix="/v1", tags=["history"])

EVENTS: Final = streams(answers(EventList), EVENT_STREAM, WatchedEvent)


@router.get("/events", responses=EVENTS)
async def list_events(request: Request, query: Annotated[EventQuery, Query()]) -> Response:
    """One page of history, later than `after`; or all that comes, as server-sent events.

    It is a stream for who accepts `text/event-stream`, and with `watch`. There `Last-Event-ID` goes
    before `after`, and without either it begins now.
    """
    await reader(request)
    tracker = parts_of(request).tracker
    if query.watch or EVENT_STREAM in request.headers.get("accept", ""):
        after = request.headers.get("last-event-id") or query.after
        return EventStream(tracker, after, query.wanted())
    events = await tracker.page_events(query.after, query.wanted(), limit=query.limit)
    last = events[-1].sequence if events else None
    return answer(EventList(events=events, next_after=_after(query) if last is None else last))


def _after(query: EventQuery) -> int:
    return int((query.after or "0").rpartition("-")[2])


@router.get("/snapshot", responses=answers(SnapshotView))
async def take_snapshot(request: Request) -> Response:
    """Live claims, open findings and cordons of one moment, and the token that goes on from there."""
    await reader(request)
    parts = parts_of(request)
    return snapshot_answer(parts.node, parts.tracker.snapshot())
