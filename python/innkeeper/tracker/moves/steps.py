"""The steps of a move, each as the next forms of the claims that it changes; nothing is written here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from innkeeper.objects import (
    Claim,
    ClaimState,
    Departure,
    EventKind,
    Move,
    MoveSpec,
    MoveState,
    Origin,
    Side,
)
from innkeeper.tracker.changes import Change

OUTCOMES: Final = {
    MoveState.CONFIRMED: EventKind.MOVE_CONFIRMED,
    MoveState.REVERTED: EventKind.MOVE_REVERTED,
    MoveState.FAILED: EventKind.MOVE_FAILED,
}
"""How a move ends, and what the history says then."""


def ended(claim: Claim, kind: EventKind, outcome: MoveState = MoveState.FAILED) -> Change:
    """The end of a claim; one that is pending is aborted, whatever ends it.

    A move that it is one end of ends with it.
    """
    pending = claim.state is ClaimState.PENDING
    if pending and kind is EventKind.RELEASED:
        kind = EventKind.ABORTED
    state = ClaimState.ABORTED if pending else ClaimState.RELEASED
    update = {"state": state, "expires_at": None, "move": _in_state(claim.move, outcome)}
    return Change(claim.model_copy(update=update), kind, _details(claim.move))


def moved_to(spec: MoveSpec, node: str, resident: Claim | None) -> Move:
    """What the claim on the destination says of the move."""
    return Move(
        id=spec.id,
        kind=spec.kind,
        side=Side.DESTINATION,
        source=spec.source or node,
        destination=node,
        state=MoveState.CLAIMED,
        origin=spec.origin if resident is None else _origin(resident),
    )


def _origin(resident: Claim) -> Origin:
    return Origin(claim_id=resident.id, request=resident.request, placement=resident.placement)


def departing(claim: Claim, departure: Departure) -> Change:
    """The source is told: what it has stays held until the move is settled."""
    move = Move(
        id=departure.id,
        kind=departure.kind,
        side=Side.SOURCE,
        source=claim.node,
        destination=departure.destination,
        state=MoveState.CLAIMED,
    )
    return Change(claim.model_copy(update={"move": move}), EventKind.DEPARTING, _details(move))


def arrived(claim: Claim, source: Claim | None, expires_at: datetime | None) -> list[Change]:
    """The instance runs on the destination; the move may be over with that."""
    assert claim.move is not None
    state = MoveState.ARRIVED if claim.move.kind.is_settled_later else MoveState.CONFIRMED
    update = {
        "state": ClaimState.CONFIRMED,
        "expires_at": expires_at,
        "move": _in_state(claim.move, state),
    }
    there = Change(claim.model_copy(update=update), EventKind.ARRIVED, _details(claim.move))
    return [there] if source is None else [there, _told(source, state, EventKind.ARRIVED)]


def settled(source: Claim | None, destination: Claim | None, outcome: MoveState) -> list[Change]:
    """One end is given back, the other stays; either may be on another host."""
    kind = OUTCOMES[outcome]
    stays, leaves = (source, destination)
    if outcome is MoveState.CONFIRMED:
        stays, leaves = (destination, source)
    left = [] if leaves is None else [ended(leaves, kind, outcome)]
    return left if stays is None else [*left, _told(stays, outcome, kind)]


def given_up(destination: Claim, source: Claim | None, kind: EventKind) -> list[Change]:
    """The claim on the destination ends before the move was settled: that fails it."""
    left = ended(destination, kind)
    if source is None:
        return [left]
    return [left, _told(source, MoveState.FAILED, EventKind.MOVE_FAILED)]


def _told(claim: Claim, state: MoveState, kind: EventKind) -> Change:
    """A claim stays, and knows how far its move is."""
    move = _in_state(claim.move, state)
    return Change(claim.model_copy(update={"move": move}), kind, _details(claim.move))


def _in_state(move: Move | None, state: MoveState) -> Move | None:
    """The move as far as this; one that ended before stays as it is."""
    if move is None or not move.state.open:
        return move
    # Where the instance stays, nobody asks any more what it had elsewhere.
    forgotten = {"origin": None} if state is MoveState.CONFIRMED else {}
    return move.model_copy(update={"state": state, **forgotten})


def _details(move: Move | None) -> dict[str, Any]:
    if move is None or not move.state.open:
        return {}
    return about(move)


def about(move: Move) -> dict[str, Any]:
    """What the history says of a move."""
    return {
        "move": str(move.id),
        "kind": move.kind.value,
        "source": move.source,
        "destination": move.destination,
    }
