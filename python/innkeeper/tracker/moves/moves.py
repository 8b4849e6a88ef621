"""A move between two claims: begun on the destination, told to the source, settled on both.

Source and destination may be one host, which is what a resize does where it can; then every step
changes both claims in one change set. On two hosts each is told by whoever moves the instance; both
hold what they hold until they are told the outcome, so nothing depends on when that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from innkeeper.errors import (
    BadRequest,
    MoveConflict,
    NotArrived,
    UnknownMove,
)
from innkeeper.objects import (
    Claim,
    ClaimState,
    Departure,
    Holder,
    MoveState,
    Side,
)
from innkeeper.tracker.changes import Changes
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.moves.rules import require_movable, require_own_move
from innkeeper.tracker.moves.steps import departing, settled
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.register import source_first


class Moves:
    """Tells the source, and settles what arrived."""

    def __init__(self, parts: Parts, claims: Claims, changes: Changes) -> None:
        self._parts = parts
        self._claims = claims
        self._changes = changes

    async def depart(self, ref: UUID, departure: Departure, *, by: Holder) -> Claim:
        """The instance is to move away: its claim stays until the move is settled.

        Said twice is said once.

        Raises:
            BadRequest: the destination is this node; a claim with a move does both there.
            MoveConflict: it is in another move, the move is another instance's, or its instance is not
                built yet.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        if departure.destination == self._parts.node:
            raise BadRequest(
                f"the destination is this node, {self._parts.node}: a claim with a move marks the "
                "claim that the instance has here by itself"
            )
        async with self._claims.turn((await self._claims.find(ref)).id) as claim:
            if _is_told(claim, departure):
                return claim
            require_movable(claim)
            require_own_move(self._parts, departure.id, claim.instance_uuid)
            return (await self._changes.write([departing(claim, departure)], by=by))[0]

    async def settle(self, move_id: UUID, outcome: MoveState, *, by: Holder) -> tuple[Claim, ...]:
        """End what is here of a move; the claims as they are then, the source first.

        Confirmed, the source gives back what it has and the destination keeps it; reverted or failed it
        is the other way round. The same outcome again changes nothing.

        Raises:
            UnknownMove: no claim here is, or was, part of it.
            MoveConflict: it ended in another way.
            NotArrived: confirmed before the instance arrived.
            OutcomeUnknown, StoreError
        """
        ends = self._parts.register.of_move(move_id)
        if not any(claim.is_moving for claim in ends):
            return await self._settled_before(move_id, outcome)
        async with self._claims.together(ends[0].id):
            ends = self._parts.register.of_move(move_id)
            open_ends = [claim for claim in ends if claim.is_moving]
            if not open_ends:
                return await self._settled_before(move_id, outcome)
            source, destination = _end(open_ends, Side.SOURCE), _end(open_ends, Side.DESTINATION)
            if outcome is MoveState.CONFIRMED:
                _require_arrived(destination)
            changed = await self._changes.write(settled(source, destination, outcome), by=by)
        return tuple(sorted(changed, key=source_first))

    async def _settled_before(self, move_id: UUID, outcome: MoveState) -> tuple[Claim, ...]:
        ends = await self.find(move_id)
        was = _outcome(ends)
        if was is not outcome:
            raise MoveConflict(
                f"move {move_id} was {was} and cannot be {outcome} any more",
                move_id=str(move_id),
                state=was,
            )
        return ends

    async def find(self, move_id: UUID) -> tuple[Claim, ...]:
        """The claims here that are or were an end of it, the source first.

        Raises:
            UnknownMove, StoreError
        """
        live = self._parts.register.of_move(move_id)
        ends = (*live, *await self._parts.store.find_ended_of_move(move_id))
        if not ends:
            raise UnknownMove(
                f"no claim on this host is or was part of move {move_id}; `innkeeper moves` lists those "
                "that are open",
                move_id=str(move_id),
            )
        return tuple(sorted(ends, key=source_first))


def _is_told(claim: Claim, departure: Departure) -> bool:
    """Whether the same was said before."""
    move = claim.move
    if move is None or not move.is_departing:
        return False
    return (move.id, move.kind, move.destination) == (
        departure.id,
        departure.kind,
        departure.destination,
    )


def _require_arrived(destination: Claim | None) -> None:
    """Of a destination elsewhere its own host knows."""
    if destination is not None and destination.state is ClaimState.PENDING:
        raise NotArrived(
            f"the instance has not arrived on claim {destination.id}: confirm that claim when it runs "
            "there, or revert the move",
            claim_id=str(destination.id),
        )


def _end(claims: Iterable[Claim], side: Side) -> Claim | None:
    return next((one for one in claims if one.move is not None and one.move.side is side), None)


def _outcome(ends: Iterable[Claim]) -> MoveState:
    return next(claim.move.state for claim in ends if claim.move is not None)
