"""A claim: a durable booking with a holder."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from innkeeper.objects.base import Amount, Name, PciAddress, VersionedObject
from innkeeper.objects.history import Added
from innkeeper.objects.move import Move, MoveSpec
from innkeeper.objects.request import Mebibytes, Placement, Request, VCpus

Seconds = Annotated[float, Field(gt=0, le=366 * 86_400, allow_inf_nan=False)]


class ClaimState(StrEnum):
    """Pending and confirmed claims hold what they hold; aborted and released ones are tombstones."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    ABORTED = "aborted"
    RELEASED = "released"

    @property
    def live(self) -> bool:
        """Whether a claim in this state holds its placement."""
        return self in (ClaimState.PENDING, ClaimState.CONFIRMED)


class AfterUse(StrEnum):
    """What has to happen with a device, after a claim that held it, before it may be had again."""

    CLEAN = "clean"
    """Its `clean` command succeeds."""
    ONE_TIME_USE = "one_time_use"
    """An operator says that it is clean."""


class Holder(VersionedObject):
    """Who holds a claim and what for."""

    project: Name = "default"
    user: Name = "unknown"
    reason: Name | None = None


class Process(VersionedObject):
    """A process that a claim is tied to; pid and start time together name it within one boot."""

    pid: Annotated[int, Field(strict=True, ge=1)]
    start_ticks: Amount
    """Field 22 of /proc/PID/stat: clock ticks after boot."""
    boot_id: str


class ClaimSpec(VersionedObject):
    """All that a caller says when asking for a claim."""

    VERSION = "1.1"
    HISTORY = {"1.0": "first", "1.1": Added("move")}

    claim_id: UUID | None = None
    instance_uuid: UUID | None = None
    name: Name | None = None
    request: Request
    holder: Holder = Holder()
    lease_seconds: Seconds | None = None
    move: MoveSpec | None = None
    """The claim is the destination of a move of the instance."""


class ClaimUpdate(VersionedObject):
    """What a claim that runs is to have instead; null leaves it as it is."""

    vcpus: VCpus | None = None
    """Of an instance with a topology: spread evenly over its guest cells."""
    memory_mib: Mebibytes | None = None
    """Likewise."""
    disk_mib: Mebibytes | None = None


class Claim(VersionedObject):
    """A durable booking; changed only by writing its next form."""

    VERSION = "1.2"
    HISTORY = {"1.0": "first", "1.1": Added("after_use"), "1.2": Added("move")}

    id: UUID
    node: Name
    state: ClaimState
    instance_uuid: UUID | None = None
    name: Name | None = None
    holder: Holder
    request: Request
    placement: Placement
    fingerprint: str
    """SHA-256 over the words that it was made with, in hex: the same id with other words is a conflict.
    An update leaves it, so who repeats the first call finds the claim as it is now."""
    lease_seconds: Seconds | None = None
    process: Process | None = None
    created_at: datetime
    updated_at: datetime
    after_use: dict[PciAddress, AfterUse] = {}
    """By address, what the entries of its devices said when it was made; of the others nothing."""
    expires_at: datetime | None = None
    """When it lapses by itself; null for a confirmed claim without a lease."""
    move: Move | None = None
    """The move that it is, or last was, one end of."""

    def is_of_earlier_boot(self, booted_at: datetime | None) -> bool:
        """Whether nobody touched it since then, when the host was first seen on its present boot."""
        return booted_at is not None and self.state.live and self.updated_at < booted_at

    @property
    def is_moving(self) -> bool:
        """Whether it is one end of a move that is not settled."""
        return self.move is not None and self.move.state.open

    @property
    def is_arriving(self) -> bool:
        """Whether it is held beside what its instance has elsewhere, or has here already."""
        return self.move is not None and self.move.is_arriving
