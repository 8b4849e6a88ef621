"""Moves: what is under way, and how each ends here."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from innkeeper.api.answers import answer, unchanged
from innkeeper.api.declare import answers, tagged_answers
from innkeeper.api.move_views import MoveList, MoveView, move_page, move_view
from innkeeper.api.orders import MoveQuery
from innkeeper.api.parts import operator, parts_of, reader

router: Final = APIRouter(prefix="/v1/moves", tags=["moves"])


@router.get("", responses=tagged_answers(MoveList))
async def list_moves(request: Request, query: Annotated[MoveQuery, Query()]) -> Response:
    """One page of the moves that are open and that this host is part of."""
    await reader(request)
    parts = parts_of(request)
    tag = f'"{parts.tracker.edition}"'
    page = move_page(parts.tracker.moving(), limit=query.limit, marker=query.marker)
    return unchanged(request, tag) or answer(page, tag=tag)


@router.get("/{move_id}", responses=answers(MoveView))
async def show_move(request: Request, move_id: UUID) -> Response:
    """One move, also after it ended, for as long as its claims are remembered."""
    await reader(request)
    return answer(move_view(await parts_of(request).tracker.find_move(move_id)))


@router.post("/{move_id}/confirm", responses=answers(MoveView))
async def confirm(request: Request, move_id: UUID) -> Response:
    """The instance stays where it arrived: the source gives back what it has."""
    caller = await operator(request)
    claims = await parts_of(request).tracker.confirm_move(move_id, by=caller.holder)
    return answer(move_view(claims))


@router.post("/{move_id}/revert", responses=answers(MoveView))
async def revert(request: Request, move_id: UUID) -> Response:
    """The instance goes back, or never left: the destination gives back what it has."""
    caller = await operator(request)
    claims = await parts_of(request).tracker.revert_move(move_id, by=caller.holder)
    return answer(move_view(claims))


@router.post("/{move_id}/fail", responses=answers(MoveView))
async def fail(request: Request, move_id: UUID) -> Response:
    """As a revert, of a move that did not work."""
    caller = await operator(request)
    claims = await parts_of(request).tracker.fail_move(move_id, by=caller.holder)
    return answer(move_view(claims))
