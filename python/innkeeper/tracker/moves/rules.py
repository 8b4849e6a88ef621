"""What may move, and from where."""

from __future__ import annotations

from uuid import UUID

from innkeeper.errors import BadRequest, InstanceClaimed, MoveConflict, UnknownClaim
from innkeeper.objects import Claim, ClaimSpec, ClaimState, MoveKind
from innkeeper.tracker.parts import Parts


def require_settled(claim: Claim) -> None:
    """Raises MoveConflict for one end of an open move: what it may come back to stays what it is."""
    if claim.move is not None and claim.is_moving:
        raise MoveConflict(
            f"claim {claim.id} is in move {claim.move.id} from {claim.move.source} to "
            f"{claim.move.destination}: confirm or revert that one first",
            claim_id=str(claim.id),
            move_id=str(claim.move.id),
        )


def require_movable(claim: Claim) -> None:
    """Raises MoveConflict for a claim that is in a move, or whose instance is not built yet."""
    require_settled(claim)
    if claim.state is ClaimState.PENDING:
        raise MoveConflict(
            f"claim {claim.id} is pending: its instance is not built yet, so nothing can move",
            claim_id=str(claim.id),
        )


def require_own_move(parts: Parts, move_id: UUID, instance_uuid: UUID | None) -> None:
    """Raises MoveConflict for the id of a move of another instance: both would be settled as one."""
    for claim in parts.register.of_move(move_id):
        if claim.instance_uuid != instance_uuid:
            raise MoveConflict(
                f"move {move_id} is that of instance {claim.instance_uuid}; every move has an id of its own",
                claim_id=str(claim.id),
                move_id=str(move_id),
            )


def find_source(parts: Parts, spec: ClaimSpec) -> Claim | None:
    """The claim here that an instance is to leave for the one that is asked for; null if it is elsewhere.

    Raises:
        BadRequest: a move without an instance, or one that makes no sense within a host.
        UnknownClaim: the source is this node, and the instance has no claim here.
        InstanceClaimed: the source is another node, and the instance has a claim here.
        MoveConflict: see `require_movable` and `require_own_move`.
    """
    move = spec.move
    if move is None:
        return None
    if spec.instance_uuid is None:
        raise BadRequest("a move is an instance's: say its instance_uuid")
    require_own_move(parts, move.id, spec.instance_uuid)
    claims = parts.register.of_instance(spec.instance_uuid)
    resident = next((claim for claim in claims if not claim.is_arriving), None)
    if move.source not in (None, parts.node):
        _require_nothing_here(resident)
        return None
    if move.kind is not MoveKind.RESIZE:
        raise BadRequest(
            f"a {move.kind} goes to another host, and its source is this node, {parts.node}; only a "
            "resize may stay (an instance that is rebuilt where it is keeps its claim)"
        )
    if resident is None:
        raise UnknownClaim(
            f"instance {spec.instance_uuid} holds no claim on {parts.node} that it could be resized "
            "from; where it comes from another host, name that as the move's source",
            instance_uuid=str(spec.instance_uuid),
        )
    require_movable(resident)
    return resident


def _require_nothing_here(resident: Claim | None) -> None:
    if resident is not None:
        raise InstanceClaimed(
            f"instance {resident.instance_uuid} is to come from another host and holds claim "
            f"{resident.id} on this one; release that first, or leave the move's source out",
            instance_uuid=str(resident.instance_uuid),
            claim_id=str(resident.id),
        )
