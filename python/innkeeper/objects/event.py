"""What happened, in the order in which it became durable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from innkeeper.objects.base import Amount, VersionedObject
from innkeeper.objects.claim import Holder
from innkeeper.objects.history import NewValues


class EventKind(StrEnum):
    """The kinds of history entries."""

    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    RENEWED = "renewed"
    ABORTED = "aborted"
    LAPSED = "lapsed"
    RELEASED = "released"
    PROCESS_ENDED = "process_ended"
    STARTED = "started"
    SET_ASIDE = "set_aside"
    FOUND = "found"
    CLEARED = "cleared"
    CORDONED = "cordoned"
    UNCORDONED = "uncordoned"
    UPDATED = "updated"
    DEPARTING = "departing"
    """Its instance is to move away."""
    ARRIVED = "arrived"
    """Its instance moved here."""
    MOVE_CONFIRMED = "move_confirmed"
    MOVE_REVERTED = "move_reverted"
    MOVE_FAILED = "move_failed"
    ADOPTED = "adopted"
    """Made of rows, or of what runs, without anybody having asked for it."""
    REPAIRED = "repaired"
    REBOOTED = "rebooted"
    """The host started anew since the daemon ran last."""
    TAKEN_OVER = "taken_over"
    """The ledger was another machine's, and an operator gave it to this one."""
    DEVICES_CHANGED = "devices_changed"
    """The device table is another one."""
    FORCED_DOWN = "forced_down"
    """Others are to take the service for down, or no longer: details say which."""
    SERVICE_RETURNED = "service_returned"
    """Somebody deleted the row of the service, and its heartbeat brought it back."""


class Event(VersionedObject):
    """One entry of history."""

    VERSION = "1.3"
    HISTORY = {
        "1.0": "first",
        "1.1": NewValues("kind", "cordoned", "uncordoned"),
        "1.2": NewValues("kind", "updated"),
        "1.3": NewValues(
            "kind",
            *("departing", "arrived", "move_confirmed", "move_reverted", "move_failed"),
            *("adopted", "repaired", "rebooted", "taken_over", "devices_changed"),
            *("forced_down", "service_returned"),
        ),
    }

    sequence: Amount | None = None
    """Given by the store at commit, without a reader ever seeing a later one first."""
    at: datetime
    kind: EventKind
    claim_id: UUID | None = None
    instance_uuid: UUID | None = None
    by: Holder | None = None
    """Who did it; null when innkeeper did it by itself."""
    details: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; those for which all of this holds."""

    kinds: frozenset[EventKind] | None = None
    claim_id: UUID | None = None
    instance_uuid: UUID | None = None
    ref: UUID | None = None
    """A claim's id, or an instance's: either will do."""


EVERY_EVENT: Final = EventFilter()
