"""Audits and their findings, and what happened."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.declare import answers
from innkeeper.api.parts import Operator, Parts, Reader
from innkeeper.api.views import EventList, EventQuery, FindingList, FindingQuery
from innkeeper.objects import AuditReport

router: Final = APIRouter(prefix="/v1", tags=["history"])


@router.post("/audits", responses=answers(AuditReport))
async def run_audit(parts: Parts, _: Operator) -> Response:
    """Compare ledger, store and host now."""
    return answer(await parts.tracker.audit())


@router.get("/findings", responses=answers(FindingList))
async def list_findings(
    parts: Parts, _: Reader, query: Annotated[FindingQuery, Query()]
) -> Response:
    """One page of what audits found; with `cleared`, also what is gone by now."""
    findings = await parts.tracker.list_findings(
        include_cleared=query.cleared, limit=query.limit, marker=query.marker
    )
    full = len(findings) == query.limit
    return answer(FindingList(findings=findings, next_marker=findings[-1].id if full else None))


@router.get("/events", responses=answers(EventList))
async def list_events(parts: Parts, _: Reader, query: Annotated[EventQuery, Query()]) -> Response:
    """One page of history, later than `after`."""
    events = await parts.tracker.list_events(
        after=query.after,
        claim_id=query.claim_id,
        instance_uuid=query.instance_uuid,
        limit=query.limit,
    )
    last = events[-1].sequence if events else None
    return answer(EventList(events=events, next_after=query.after if last is None else last))
