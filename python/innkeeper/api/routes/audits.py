"""Audits, what they found, and what mends it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer
from innkeeper.api.bodies import read_model_or_default
from innkeeper.api.declare import answers, asks
from innkeeper.api.orders import AuditOrder, FindingQuery, RepairQuery
from innkeeper.api.parts import operator, parts_of, reader
from innkeeper.api.views import FindingList, RepairView
from innkeeper.objects import AuditReport, Finding

router: Final = APIRouter(prefix="/v1", tags=["audits"])

FindingId = Annotated[str, Path(max_length=64)]


@router.post(
    "/audits", responses=answers(AuditReport), openapi_extra=asks(AuditOrder, optional=True)
)
async def run_audit(request: Request) -> Response:
    """Compare ledger, store and host now: what changed since, or with `full` everything."""
    await operator(request)
    parts = parts_of(request)
    order = await read_model_or_default(request, AuditOrder)
    return answer(await parts.tracker.audit(full=order.full))


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


@router.get("/findings/{finding_id}", responses=answers(Finding))
async def get_finding(request: Request, finding_id: FindingId) -> Response:
    """One finding; also when it is gone, until it is forgotten."""
    await reader(request)
    return answer(await parts_of(request).tracker.find_finding(finding_id))


@router.post("/findings/{finding_id}/repair", responses=answers(RepairView))
async def repair(
    request: Request, finding_id: FindingId, query: Annotated[RepairQuery, Query()]
) -> Response:
    """Mend an open finding, if what it speaks of is still so; `dry_run` says what would be done."""
    caller = await operator(request)
    tracker = parts_of(request).tracker
    if query.dry_run:
        repaired = await tracker.preview_repair(finding_id)
    else:
        repaired = await tracker.repair(finding_id, by=caller.holder)
    view = RepairView(finding=repaired.finding, repair=repaired.words, dry_run=query.dry_run)
    return answer(view)
