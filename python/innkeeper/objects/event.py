"""What happened, in the order in which it became durable."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
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


class Event(VersionedObject):
    """One entry of history."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": "first",
        "1.1": NewValues("kind", "cordoned", "uncordoned"),
        "1.2": NewValues("kind", "updated"),
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
