"""What is kept out of new placements, by whom and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from innkeeper.objects.base import Name, VersionedObject
from innkeeper.objects.claim import Holder


class CordonKind(StrEnum):
    """What a cordon is around."""

    HOST = "host"
    CELL = "cell"
    CPU = "cpu"
    DEVICE = "device"


class CordonCause(StrEnum):
    """Why something takes no new claims."""

    OPERATOR = "operator"
    """Somebody said so."""
    DIRTY = "dirty"
    """The device's last holder is gone and its `clean` command has not succeeded yet, or it is given
    out once only."""


class Cordon(VersionedObject):
    """One thing that takes no new claims; those that hold it keep it.

    Kind, subject and cause together name it. The next form of a lifted one has `lifted_at`; its
    history is in the events.
    """

    kind: CordonKind
    subject: Name
    """The node's name, the cell's id, the CPU's number, or the device's address."""
    cause: CordonCause = CordonCause.OPERATOR
    reason: Name
    by: Holder | None = None
    """Null when innkeeper did it by itself."""
    at: datetime
    identity: str | None = None
    """Of a device: see `Device.identity`; the cordon follows the hardware to another address."""
    claim_id: UUID | None = None
    """Of a dirty device: the claim that held it last."""
    lifted_at: datetime | None = None
