"""Moves as they are answered: what the claims here that are their ends say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from innkeeper.api.views import View
from innkeeper.objects import Claim, MoveKind, MoveState


class MoveView(View):
    """One move, as far as this host is part of it."""

    id: UUID
    kind: MoveKind
    instance_uuid: UUID | None
    source: str
    destination: str
    state: MoveState
    claims: tuple[Claim, ...]
    """The ends that are on this host, the source first; one that ended is a tombstone."""


class MoveList(View):
    """One page of open moves, by id."""

    moves: tuple[MoveView, ...]
    next_marker: UUID | None
    """The marker of the next page; null at the end."""


def move_view(claims: Sequence[Claim]) -> MoveView:
    """The move that these are ends of, one or both."""
    claim = claims[0]
    assert claim.move is not None
    return MoveView(
        id=claim.move.id,
        kind=claim.move.kind,
        instance_uuid=claim.instance_uuid,
        source=claim.move.source,
        destination=claim.move.destination,
        state=claim.move.state,
        claims=tuple(claims),
    )


def move_page(claims: Iterable[Claim], *, limit: int, marker: UUID | None) -> MoveList:
    """Some of the moves that these are ends of, after `marker`."""
    by_move: dict[UUID, list[Claim]] = {}
    for claim in claims:
        if claim.move is not None:
            by_move.setdefault(claim.move.id, []).append(claim)
    after = [key for key in sorted(by_move) if marker is None or key > marker]
    page = tuple(move_view(by_move[key]) for key in after[:limit])
    return MoveList(moves=page, next_marker=page[-1].id if len(after) > limit else None)
