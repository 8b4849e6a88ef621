"""What is asked over HTTP beyond the objects themselves: bodies and parameters."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from innkeeper.objects import ClaimSpec, ClaimState, CordonCause, CordonKind, EventKind, Holder
from innkeeper.objects.base import Name
from innkeeper.objects.claim import Seconds
from innkeeper.objects.event import EventFilter


class Asked(BaseModel):
    """A body or parameters; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- bodies ----------------------------------------------------------------------------------


class ClaimOrder(ClaimSpec):
    """A claim, how long to wait for room, and the process that it ends with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "claim_id": "6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11",
                    "name": "db-1",
                    "request": {"vcpus": 4, "memory_mib": 8192, "disk_mib": 40_960},
                    "holder": {"project": "shop", "reason": "database"},
                    "wait_seconds": 30,
                }
            ]
        }
    )

    wait_seconds: Seconds | None = None
    """Wait for room at most so long; null answers at once."""
    pid: Annotated[int, Field(strict=True, ge=1, le=2**22)] | None = None
    """Confirm at once, and release when this process ends. It must be the peer's own or another of
    its user, unless the peer is an admin."""

    def spec(self, asking: Holder) -> ClaimSpec:
        """The claim itself; who does not say whose it is means oneself."""
        return owned_spec(self, asking)


def owned_spec(spec: ClaimSpec, asking: Holder) -> ClaimSpec:
    """The spec with the peer's user where the caller named none."""
    holder = spec.holder
    if "user" not in holder.model_fields_set:
        holder = Holder(project=holder.project, user=asking.user, reason=holder.reason)
    return ClaimSpec(
        claim_id=spec.claim_id,
        instance_uuid=spec.instance_uuid,
        name=spec.name,
        request=spec.request,
        holder=holder,
        lease_seconds=spec.lease_seconds,
        move=spec.move,
    )


class BatchOrder(Asked):
    """Many claims in one call: `all` or none of them, or `each` by itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "mode": "all",
                    "orders": [
                        {"name": "web-1", "request": {"vcpus": 2, "memory_mib": 4096}},
                        {"name": "web-2", "request": {"vcpus": 2, "memory_mib": 4096}},
                    ],
                }
            ]
        }
    )

    orders: Annotated[tuple[ClaimSpec, ...], Field(min_length=1, max_length=1000)]
    mode: Literal["all", "each"] = "all"


class RenewOrder(Asked):
    """A new length for the lease; null keeps the one that it has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lease_seconds": 600}]})

    lease_seconds: Seconds | None = None


class CordonOrder(Asked):
    """What takes no new claims from now on, and why; those that hold it keep it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "device", "subject": "0000:3b:00.1", "reason": "link flaps"},
                {"kind": "cell", "subject": "1", "reason": "memory is being replaced"},
            ]
        }
    )

    kind: CordonKind
    subject: Name | None = None
    """The cell's id, the CPU's number, or the device's address; of the host nothing."""
    reason: Name


class AuditOrder(Asked):
    """How much is compared."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"full": True}]}
    )

    full: Annotated[bool, Field(strict=True)] = False
    """Everything, and not only what changed since the audit before."""


class ServiceOrder(Asked):
    """What an admin says of the service."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [{"forced_down": True}]}
    )

    forced_down: Annotated[bool, Field(strict=True)]
    """Whether others are to take it for down whatever it reports."""


# -- parameters ------------------------------------------------------------------------------

Limit = Annotated[int, Field(ge=1, le=1000)]
"""The most entries of one page."""


class ClaimQuery(Asked):
    """Which claims."""

    state: Annotated[list[ClaimState], Field(min_length=1, max_length=4)] = [
        ClaimState.PENDING,
        ClaimState.CONFIRMED,
    ]
    instance_uuid: UUID | None = None
    limit: Limit = 100
    marker: UUID | None = None


class MoveQuery(Asked):
    """Which open moves."""

    limit: Limit = 100
    marker: UUID | None = None


class DeviceQuery(Asked):
    """Which devices; all when nothing is said."""

    free: bool | None = None
    """True: those that could be claimed now; false: the others."""
    held_by: UUID | None = None
    """Those of one claim, by its id or its instance."""


class UncordonQuery(Asked):
    """Which of two cordons around one device."""

    cause: CordonCause | None = None


class FindingQuery(Asked):
    """Which findings."""

    cleared: bool = False
    limit: Limit = 100
    marker: Annotated[str, Field(max_length=64)] | None = None


class RepairQuery(Asked):
    """Whether it is only to be said what would be done."""

    dry_run: bool = False


class EventQuery(Asked):
    """Which history entries, and whether to go on as they come."""

    after: Annotated[str, Field(max_length=80)] | None = None
    """The token, or the sequence, of the last one that is known."""
    kind: Annotated[list[EventKind], Field(min_length=1, max_length=64)] | None = None
    claim_id: UUID | None = None
    instance_uuid: UUID | None = None
    ref: UUID | None = None
    """A claim's id, or an instance's."""
    limit: Limit = 100
    """Of one page; a stream has no end."""
    watch: bool = False
    """A stream, whatever the caller says that it accepts."""

    def wanted(self) -> EventFilter:
        """Those for which all of this holds."""
        return EventFilter(
            kinds=None if self.kind is None else frozenset(self.kind),
            claim_id=self.claim_id,
            instance_uuid=self.instance_uuid,
            ref=self.ref,
        )
