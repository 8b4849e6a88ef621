"""What a caller asks for, before anything is booked, and what the history says of it after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID, uuid4

from innkeeper.errors import BadRequest
from innkeeper.objects import Claim, ClaimSpec, Departure, Event, EventKind
from innkeeper.tracker.changes import Change, event_of
from innkeeper.tracker.convert import fingerprint
from innkeeper.tracker.moves.steps import about, departing
from innkeeper.tracker.processes import TiedProcess
from innkeeper.tracker.reasons import in_short


@dataclass(frozen=True, slots=True)
class Ask:
    """What a caller said, with the id that the claim has or will have."""

    spec: ClaimSpec
    id: UUID
    fingerprint: str

    @classmethod
    def of(cls, spec: ClaimSpec) -> Self:
        """A caller's words; who names no id gets a new one."""
        return cls(spec, spec.claim_id or uuid4(), fingerprint(spec))


def claimed(claim: Claim) -> Event:
    """What the history says of a new claim."""
    details = about(claim.move) if claim.move is not None else {}
    return event_of(EventKind.CLAIMED, claim, claim.holder, in_short(claim.placement) | details)


def leaving(claims: Iterable[Claim], sources: Iterable[Claim | None]) -> list[Change]:
    """The claims here that instances are to leave for these, each told so."""
    found = []
    for claim, source in zip(claims, sources, strict=True):
        if source is not None and claim.move is not None:
            departure = Departure(id=claim.move.id, kind=claim.move.kind, destination=claim.node)
            change = departing(source, departure)
            told = change.claim.model_copy(update={"updated_at": claim.created_at})
            found.append(replace(change, claim=told))
    return found


def require_possible(
    spec: ClaimSpec,
    source: Claim | None,
    *,
    wait_seconds: float | None,
    tied: TiedProcess | None,
) -> None:
    """What a move cannot have: it is confirmed when the instance has arrived, and its source does not wait."""
    if spec.move is not None and tied is not None:
        raise BadRequest(
            "a claim with a move is confirmed when its instance has arrived: leave `pid` out"
        )
    if source is not None and wait_seconds is not None:
        raise BadRequest(
            "a resize within the host does not wait for room, since nothing could be done with the "
            "instance meanwhile: leave `wait_seconds` out and ask again"
        )


def require_distinct(asks: Sequence[Ask]) -> None:
    """Raises BadRequest for the id of a claim, or of a move, that stands twice."""
    seen: set[UUID] = set()
    for ask in asks:
        if ask.id in seen:
            raise BadRequest(f"claim id {ask.id} stands twice in one call", claim_id=str(ask.id))
        seen.add(ask.id)
    moves: set[UUID] = set()
    for move in (ask.spec.move for ask in asks if ask.spec.move is not None):
        if move.id in moves:
            raise BadRequest(f"move id {move.id} stands twice in one call", move_id=str(move.id))
        moves.add(move.id)
