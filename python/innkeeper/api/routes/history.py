"""Audits and their findings, and what happened."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.declare import answers
from innkeeper.api.orders import EventQuery, FindingQuery
from innkeeper.api.parts import operator, parts_of, reader
from innkeeper.api.views import EventList, FindingList
from innkeeper.objects import AuditReport

router: Final = APIRouter(prefix="/v1", tags=["history"])


@router.post("/audits", responses=answers(AuditReport))
async def run_audit(request: Request) -> Response:
    """Compare ledger, store and host now."""
    await operator(request)
    parts = parts_of(request)
    return answer(await parts.tracker.audit())


@router.get("/findings", responses=answers(FindingList))
async def list_findings(request: Request, query: Annotated[FindingQuery, Query()]) -> Response:
    """One page of what audits found; with `cleared`, also what is gone by now."""
    await reader(request)
    parts = parts_of(request)
    findings = await parts.tracker.list_findings(
        include_cleared=query.cleared, limit=query.limit, marker=query.marker
    )
    full = len(findings) == query.limit
    return answer(FindingList(findings=findings, next_marker=findings[-1].id if full else None))


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
