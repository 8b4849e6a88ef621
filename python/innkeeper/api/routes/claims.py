"""Claims: asked for, confirmed, renewed, given back."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer, unchanged
from innkeeper.api.bodies import read_model, read_model_or_default
from innkeeper.api.declare import answers, asks, tagged_answers
from innkeeper.api.disconnect import unless_gone
from innkeeper.api.orders import BatchOrder, ClaimOrder, ClaimQuery, RenewOrder, owned_spec
from innkeeper.api.parts import ApiParts, operator, parts_of, reader
from innkeeper.api.problems import problem_document
from innkeeper.api.process_owner import require_tie_allowed
from innkeeper.api.views import BatchAnswer, BatchResult, ClaimList
from innkeeper.api.wrong_words import named_from
from innkeeper.errors import InnkeeperError
from innkeeper.objects import Claim, ClaimSpec, ClaimUpdate, Departure
from innkeeper.tracker import Placed

router: Final = APIRouter(prefix="/v1/claims", tags=["claims"])


@router.get("", responses=tagged_answers(ClaimList))
async def list_claims(request: Request, query: Annotated[ClaimQuery, Query()]) -> Response:
    """One page of claims; pending and confirmed ones when no state is named."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}"'
    return unchanged(request, tag) or answer(await _page(parts, query), tag=tag)


async def _page(parts: ApiParts, query: ClaimQuery) -> ClaimList:
    claims = await parts.tracker.list_claims(
        states=frozenset(query.state),
        instance_uuid=query.instance_uuid,
        limit=query.limit,
        marker=query.marker,
    )
    full = len(claims) == query.limit
    return ClaimList(
        claims=claims,
        next_marker=claims[-1].id if full else None,
        booted_at=parts.tracker.booted_at,
    )


@router.post(
    "", status_code=201, responses=answers(Claim, 201, 200), openapi_extra=asks(ClaimOrder)
)
async def place(request: Request) -> Response:
    """Claim room; 201 for a new claim, 200 when the same words made it before.

    The answer comes when the claim is durable. With `pid` it is confirmed at once.
    """
    caller = await operator(request)
    parts = parts_of(request)
    order = await read_model(request, ClaimOrder)
    if order.pid is not None:
        await require_tie_allowed(caller, order.pid)
    with named_from("request"):
        placed = await _place(request, parts, order, order.spec(caller.holder))
    return answer(placed.claim, 200 if placed.replayed else 201)


async def _place(request: Request, parts: ApiParts, order: ClaimOrder, spec: ClaimSpec) -> Placed:
    if order.wait_seconds is None:
        return await parts.tracker.place(spec, pid=order.pid)
    waiting = parts.tracker.place(spec, wait_seconds=order.wait_seconds, pid=order.pid)
    return await unless_gone(request, waiting)


@router.post("/batch", responses=answers(BatchAnswer), openapi_extra=asks(BatchOrder))
async def place_batch(request: Request) -> Response:
    """Many claims in one call; none of them waits or is tied to a process."""
    caller = await operator(request)
    parts = parts_of(request)
    order = await read_model(request, BatchOrder)
    specs = [owned_spec(spec, caller.holder) for spec in order.orders]
    placing = parts.tracker.place_all if order.mode == "all" else parts.tracker.place_each
    return answer(BatchAnswer(results=tuple(_result(one) for one in await placing(specs))))


def _result(outcome: Placed | InnkeeperError) -> BatchResult:
    if isinstance(outcome, InnkeeperError):
        return BatchResult(problem=problem_document(outcome))
    return BatchResult(claim=outcome.claim)


@router.get("/{ref}", responses=tagged_answers(Claim))
async def show_claim(request: Request, ref: UUID) -> Response:
    """One claim by its id, or a live one by its instance."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}"'
    claim = await parts.tracker.find(ref)
    return unchanged(request, tag) or answer(claim, tag=tag)


@router.patch("/{ref}", responses=answers(Claim), openapi_extra=asks(ClaimUpdate))
async def update(request: Request, ref: UUID) -> Response:
    """Other amounts for a claim that runs, where it is; what is not named stays."""
    caller = await operator(request)
    parts = parts_of(request)
    change = await read_model(request, ClaimUpdate)
    return answer(await parts.tracker.update(ref, change, by=caller.holder))


@router.post("/{ref}/confirm", responses=answers(Claim))
async def confirm(request: Request, ref: UUID) -> Response:
    """The instance was built, or has arrived: the claim stays until it is released, or its lease ends."""
    caller = await operator(request)
    parts = parts_of(request)
    return answer(await parts.tracker.confirm(ref, by=caller.holder))


@router.post("/{ref}/depart", responses=answers(Claim), openapi_extra=asks(Departure))
async def depart(request: Request, ref: UUID) -> Response:
    """The instance is to move to another host: the claim stays until the move is settled."""
    caller = await operator(request)
    parts = parts_of(request)
    departure = await read_model(request, Departure)
    return answer(await parts.tracker.depart(ref, departure, by=caller.holder))


@router.post("/{ref}/abort", responses=answers(Claim))
async def abort(request: Request, ref: UUID) -> Response:
    """The instance was not built; only while the claim is pending."""
    caller = await operator(request)
    parts = parts_of(request)
    return answer(await parts.tracker.abort(ref, by=caller.holder))


@router.post(
    "/{ref}/renew", responses=answers(Claim), openapi_extra=asks(RenewOrder, optional=True)
)
async def renew(request: Request, ref: UUID) -> Response:
    """Start the lease, or the time to confirm, anew."""
    caller = await operator(request)
    parts = parts_of(request)
    order = await read_model_or_default(request, RenewOrder)
    claim = await parts.tracker.renew(ref, by=caller.holder, lease_seconds=order.lease_seconds)
    return answer(claim)


@router.delete("/{ref}", responses=answers(Claim))
async def release(request: Request, ref: UUID) -> Response:
    """Give back what the claim holds; a pending one is aborted."""
    caller = await operator(request)
    parts = parts_of(request)
    return answer(await parts.tracker.release(ref, by=caller.holder))
