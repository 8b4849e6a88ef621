"""An instance on its way: what ties the claim on the destination to the one on the source."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from innkeeper.objects.base import Name, VersionedObject
from innkeeper.objects.request import Placement, Request


class MoveKind(StrEnum):
    """Why the instance moves, in the words of Nova's `migration_type`."""

    RESIZE = "resize"
    MIGRATION = "migration"
    """Cold: the same flavor elsewhere."""
    LIVE_MIGRATION = "live-migration"
    EVACUATION = "evacuation"
    """Its host is down: it is built anew."""

    @property
    def is_settled_later(self) -> bool:
        """Whether somebody confirms or reverts it once the instance has arrived."""
        return self in (MoveKind.RESIZE, MoveKind.MIGRATION)


class Side(StrEnum):
    """Which end of a move a claim is."""

    SOURCE = "source"
    DESTINATION = "destination"


class MoveState(StrEnum):
    """How far a move is; the last three are its end."""

    CLAIMED = "claimed"
    """Room is held on the destination; the instance is on the source."""
    ARRIVED = "arrived"
    """The instance is on the destination; what it had on the source is still held, for a revert."""
    CONFIRMED = "confirmed"
    """It stays on the destination."""
    REVERTED = "reverted"
    """It is, or stays, on the source."""
    FAILED = "failed"
    """It stays on the source, and nobody wanted it so."""

    @property
    def open(self) -> bool:
        """Whether both ends are still held."""
        return self in (MoveState.CLAIMED, MoveState.ARRIVED)


class Origin(VersionedObject):
    """What the instance has on its source, as the claim there says it."""

    claim_id: UUID | None = None
    request: Request
    placement: Placement


class MoveSpec(VersionedObject):
    """All that a caller says of the move that a claim is asked for."""

    id: UUID
    """The same on both hosts; Nova's `Migration.uuid`."""
    kind: MoveKind
    source: Name | None = None
    """The node that the instance leaves; null: this one, which a resize may."""
    origin: Origin | None = None
    """What it has there; looked up where the source is this node. Null: not known, as after a crash."""


class Departure(VersionedObject):
    """What the source is told of a move: its claim stays, and leaves when the move is confirmed."""

    id: UUID
    kind: MoveKind
    destination: Name


class Move(VersionedObject):
    """The move that a claim is one end of; kept with the claim, also when it ended."""

    id: UUID
    kind: MoveKind
    side: Side
    source: Name
    destination: Name
    state: MoveState
    origin: Origin | None = None
    """Of a claim on the destination: what the instance has on the source."""

    @property
    def is_arriving(self) -> bool:
        """Whether its claim holds room beside what the instance has elsewhere."""
        return self.side is Side.DESTINATION and self.state.open

    @property
    def is_departing(self) -> bool:
        """Whether its claim is given back once the move is confirmed."""
        return self.side is Side.SOURCE and self.state.open
