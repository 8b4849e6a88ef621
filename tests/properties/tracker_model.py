"""What claims and moves mean, in a dictionary and a hundred lines of Python that nobody would ship.

Each method does what the tracker should do, or raises what it should refuse with. Room is not the
model's affair: who asks it to place something knows that it fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from innkeeper.errors import (
    AlreadyReleased,
    InstanceClaimed,
    MoveConflict,
    NoLease,
    NotArrived,
    NotPending,
    UnknownClaim,
    UnknownMove,
)
from innkeeper.objects import (
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    Departure,
    MoveState,
    Request,
    Side,
)
from innkeeper.requests.updating import updated

PENDING_SECONDS = 600


@dataclass
class Part:
    """Which end of which move."""

    id: UUID
    side: Side
    state: MoveState
    is_settled_later: bool


@dataclass
class Held:
    """One live claim."""

    request: Request
    instance: UUID | None
    state: ClaimState
    expires_at: datetime | None
    lease: float | None
    move: Part | None = None

    @property
    def is_arriving(self) -> bool:
        return self.is_moving and self.move is not None and self.move.side is Side.DESTINATION

    @property
    def is_moving(self) -> bool:
        return self.move is not None and self.move.state.open


@dataclass
class TrackerModel:
    """The live claims by id, those that ended with their last move, and how each move ended."""

    now: Callable[[], datetime]
    claims: dict[UUID, Held] = field(default_factory=dict)
    spent: dict[UUID, Part | None] = field(default_factory=dict)
    outcomes: dict[UUID, MoveState] = field(default_factory=dict)

    def fork(self) -> Self:
        """One that goes on by itself."""
        return replace(
            self,
            claims=deepcopy(self.claims),
            spent=deepcopy(self.spent),
            outcomes=dict(self.outcomes),
        )

    # -- asking --------------------------------------------------------------------------------

    def require_place(self, spec: ClaimSpec) -> None:
        """Raises what forbids it, whatever room there is."""
        ends = [held for held in self.claims.values() if held.instance == spec.instance_uuid]
        if spec.instance_uuid is None or (not ends and spec.move is None):
            return
        resident = next((held for held in ends if not held.is_arriving), None)
        if spec.move is None:
            raise InstanceClaimed("")
        if spec.move.source is not None:
            if ends:
                raise InstanceClaimed("")
            return
        if resident is None:
            raise UnknownClaim("")
        if resident.is_moving or resident.state is ClaimState.PENDING:
            raise MoveConflict("")

    def place(self, claim_id: UUID, spec: ClaimSpec) -> None:
        lease = spec.lease_seconds
        until = self.now() + timedelta(seconds=lease or PENDING_SECONDS)
        held = Held(spec.request, spec.instance_uuid, ClaimState.PENDING, until, lease)
        if spec.move is not None:
            later = spec.move.kind.is_settled_later
            held.move = Part(spec.move.id, Side.DESTINATION, MoveState.CLAIMED, later)
            if spec.move.source is None:
                source = self._resident(spec.instance_uuid)
                source.move = Part(spec.move.id, Side.SOURCE, MoveState.CLAIMED, later)
        self.claims[claim_id] = held

    def depart(self, claim_id: UUID, departure: Departure) -> None:
        held = self._find(claim_id)
        if held.is_moving or held.state is ClaimState.PENDING:
            raise MoveConflict("")
        later = departure.kind.is_settled_later
        held.move = Part(departure.id, Side.SOURCE, MoveState.CLAIMED, later)

    def update(self, claim_id: UUID, change: ClaimUpdate) -> None:
        held = self._find(claim_id)
        if held.is_moving:
            raise MoveConflict("")
        held.request = updated(held.request, change)

    def renew(self, claim_id: UUID, seconds: float | None) -> None:
        held = self._find(claim_id)
        held_lease = seconds or held.lease
        if held_lease is None and held.state is ClaimState.CONFIRMED:
            raise NoLease("")
        held.lease = held_lease
        held.expires_at = self.now() + timedelta(seconds=held_lease or PENDING_SECONDS)

    def confirm(self, claim_id: UUID) -> None:
        held = self._find(claim_id)
        if held.state is ClaimState.CONFIRMED:
            return
        lease = held.lease
        held.expires_at = self.now() + timedelta(seconds=lease) if lease else None
        held.state = ClaimState.CONFIRMED
        if held.is_arriving and held.move is not None:
            arrived = MoveState.ARRIVED if held.move.is_settled_later else MoveState.CONFIRMED
            self._tell(held.move.id, arrived)

    # -- ending --------------------------------------------------------------------------------

    def abort(self, claim_id: UUID) -> None:
        if self._find(claim_id).state is not ClaimState.PENDING:
            raise NotPending("")
        self.release(claim_id)

    def release(self, claim_id: UUID) -> None:
        """One claim; the other end of its move, if it is here, goes on alone."""
        held = self._find(claim_id)
        if held.move is None or not held.is_moving:
            self._end(claim_id)
            return
        others = [it for it in self._ends(held.move.id) if it != claim_id]
        if held.is_arriving or not others:
            self._tell(held.move.id, MoveState.FAILED)
        elif self.claims[others[0]].state is ClaimState.PENDING:
            raise MoveConflict("")
        else:
            self._tell(held.move.id, MoveState.CONFIRMED)
        self._end(claim_id)

    def release_instance(self, instance: UUID) -> None:
        """All that it holds."""
        ids = [claim_id for claim_id, held in self.claims.items() if held.instance == instance]
        if not ids:
            raise UnknownClaim("")
        for claim_id in ids:
            move = self.claims[claim_id].move
            if move is not None and move.state.open:
                self._tell(move.id, MoveState.FAILED)
            self._end(claim_id)

    def lapse(self, claim_id: UUID) -> None:
        held = self.claims[claim_id]
        if held.is_arriving or held.instance is None:
            self.release(claim_id)
        else:
            self.release_instance(held.instance)

    def settle(self, move_id: UUID, outcome: MoveState) -> None:
        moves = {it: self.claims[it].move for it in self._ends(move_id)}
        if move_id in self.outcomes or not moves:
            self._require_outcome(move_id, outcome)
            return
        sides = {move.side: it for it, move in moves.items() if move is not None}
        arriving = sides.get(Side.DESTINATION)
        confirmed = outcome is MoveState.CONFIRMED
        if confirmed and arriving and self.claims[arriving].state is ClaimState.PENDING:
            raise NotArrived("")
        self._tell(move_id, outcome)
        leaving = sides.get(Side.SOURCE if confirmed else Side.DESTINATION)
        if leaving is not None:
            self._end(leaving)

    def _require_outcome(self, move_id: UUID, outcome: MoveState) -> None:
        """A claim knows its last move only."""
        last = [*self.spent.values(), *(held.move for held in self.claims.values())]
        if not any(move is not None and move.id == move_id for move in last):
            raise UnknownMove("")
        if self.outcomes[move_id] is not outcome:
            raise MoveConflict("")

    # -- by the way ----------------------------------------------------------------------------

    def _find(self, claim_id: UUID) -> Held:
        if claim_id in self.spent:
            raise AlreadyReleased("")
        return self.claims[claim_id]

    def _resident(self, instance: UUID | None) -> Held:
        ends = (held for held in self.claims.values() if held.instance == instance)
        return next(held for held in ends if not held.is_arriving)

    def _ends(self, move_id: UUID) -> list[UUID]:
        found = self.claims.items()
        return [it for it, held in found if held.move is not None and held.move.id == move_id]

    def _tell(self, move_id: UUID, state: MoveState) -> None:
        for claim_id in self._ends(move_id):
            move = self.claims[claim_id].move
            if move is not None:
                move.state = state
        if not state.open:
            self.outcomes[move_id] = state

    def _end(self, claim_id: UUID) -> None:
        self.spent[claim_id] = self.claims.pop(claim_id).move
