"""Rows of `migrations`: the moves of which a claim here is one end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from innkeeper.objects import Claim, Migration, Move, MoveKind, MoveState, Side
from innkeeper.requests.nova_flavors import nova_flavor
from innkeeper.tracker.nova.booked import Booked
from innkeeper.tracker.nova.hosts import Hosts

_COLD: Final[Mapping[MoveState | tuple[Side, MoveState], str]] = {
    (Side.DESTINATION, MoveState.CLAIMED): "pre-migrating",
    (Side.SOURCE, MoveState.CLAIMED): "migrating",
    MoveState.ARRIVED: "finished",
    MoveState.CONFIRMED: "confirmed",
    MoveState.REVERTED: "reverted",
    MoveState.FAILED: "error",
}
_STATUSES: Final[Mapping[MoveKind, Mapping[MoveState | tuple[Side, MoveState], str]]] = {
    MoveKind.RESIZE: _COLD,
    MoveKind.MIGRATION: _COLD,
    MoveKind.LIVE_MIGRATION: {
        (Side.DESTINATION, MoveState.CLAIMED): "preparing",
        (Side.SOURCE, MoveState.CLAIMED): "running",
        MoveState.ARRIVED: "running",
        MoveState.CONFIRMED: "completed",
        MoveState.REVERTED: "cancelled",
        MoveState.FAILED: "failed",
    },
    MoveKind.EVACUATION: {
        MoveState.CLAIMED: "pre-migrating",
        MoveState.ARRIVED: "pre-migrating",
        (Side.DESTINATION, MoveState.CONFIRMED): "done",
        (Side.SOURCE, MoveState.CONFIRMED): "completed",
        MoveState.REVERTED: "failed",
        MoveState.FAILED: "failed",
    },
}
"""As the code paths of Nova 34 leave them; there is no list of them in Nova. By side where the two ends
write different words: the source of an evacuation comes last, when it has given back what it had."""


def status_of_move(move: Move) -> str:
    """Nova's word for how far a move is, as this end of it is the one that says so."""
    words = _STATUSES[move.kind]
    return words.get((move.side, move.state)) or words[move.state]


def migration_row(ends: Iterable[Claim], hosts: Hosts) -> Migration:
    """The row of one move from the claims here that are its ends: one, or both on one host.

    The destination's word goes before the source's. What only the other host knows is in a row that
    has to be made, and left alone in one that is there.
    """
    claim = max(ends, key=lambda end: end.move is not None and end.move.side is Side.DESTINATION)
    move = claim.move
    assert move is not None
    old, new = _flavor_ids(claim, move)
    row = Migration(
        uuid=str(move.id),
        instance_uuid=str(claim.instance_uuid),
        migration_type=move.kind.value,
        status=status_of_move(move),
        source_compute=hosts.of(move.source),
        source_node=move.source,
        dest_compute=hosts.of(move.destination),
        dest_node=move.destination,
        old_instance_type_id=old or 0,
        new_instance_type_id=new or 0,
        user_id=claim.holder.user,
        project_id=claim.holder.project,
        hidden=False,
        cross_cell_move=False,
    )
    unknown = {"old_instance_type_id": old, "new_instance_type_id": new}
    row.reset_changes([name for name, known in unknown.items() if known is None])
    return row


def _flavor_ids(claim: Claim, move: Move) -> tuple[int | None, int | None]:
    """Of the flavors before and after; null for one that this end does not know.

    Only a resize changes the flavor.
    """
    assert claim.instance_uuid is not None
    own = nova_flavor(claim.request).id
    other = own if move.kind is not MoveKind.RESIZE else None
    if move.side is Side.SOURCE:
        return own, other
    origin = Booked.elsewhere(claim.instance_uuid, move)
    return other if origin is None else origin.flavor.id, own
