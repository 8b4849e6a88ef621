"""What travels over HTTP beyond the objects themselves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    Cordon,
    CordonCause,
    CordonKind,
    Device,
    DeviceRequest,
    Event,
    Finding,
    Holder,
    Host,
    Inventory,
    PciFunction,
    Placement,
    Pool,
    Usage,
)
from innkeeper.objects.base import Name, PciAddress
from innkeeper.objects.claim import Seconds

EXAMPLE_ID = "6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11"


class View(BaseModel):
    """An answer, or what is asked; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# -- what is asked ---------------------------------------------------------------------------


class ClaimOrder(ClaimSpec):
    """A claim, how long to wait for room, and the process that it ends with."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "claim_id": EXAMPLE_ID,
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
    )


class BatchOrder(View):
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


class RenewOrder(View):
    """A new length for the lease; null keeps the one that it has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"lease_seconds": 600}]})

    lease_seconds: Seconds | None = None


class CordonOrder(View):
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


Limit = Annotated[int, Field(ge=1, le=1000)]
"""The most entries of one page."""


class ClaimQuery(View):
    """Which claims."""

    state: Annotated[list[ClaimState], Field(min_length=1, max_length=4)] = [
        ClaimState.PENDING,
        ClaimState.CONFIRMED,
    ]
    instance_uuid: UUID | None = None
    limit: Limit = 100
    marker: UUID | None = None


class DeviceQuery(View):
    """Which devices; all when nothing is said."""

    free: bool | None = None
    """True: those that could be claimed now; false: the others."""
    held_by: UUID | None = None
    """Those of one claim, by its id or its instance."""


class UncordonQuery(View):
    """Which of two cordons around one device."""

    cause: CordonCause | None = None


class FindingQuery(View):
    """Which findings."""

    cleared: bool = False
    limit: Limit = 100
    marker: Annotated[str, Field(max_length=64)] | None = None


class EventQuery(View):
    """Which history entries."""

    after: Annotated[int, Field(ge=0, le=2**53)] = 0
    claim_id: UUID | None = None
    instance_uuid: UUID | None = None
    limit: Limit = 100


# -- what is answered ------------------------------------------------------------------------


class Condition(View):
    """Whether the daemon lives, or is ready."""

    status: Literal["ok"] = "ok"


class ServiceView(View):
    """The daemon that answers, and what the caller may do there."""

    version: str
    node: str
    role: str
    state_directory: str
    started_at: datetime
    host_root: str | None
    """Where the host is read from; null for a simulated one."""


class HostView(View):
    """The host, what of it may be handed out, and how much is held."""

    node: str
    generation: int
    host: Host
    inventory: Inventory
    usage: Usage
    pools: tuple[Pool, ...]
    cordons: tuple[Cordon, ...] = ()


class DeviceState(StrEnum):
    """How a PCI function stands to claims; the first that is true of it."""

    HELD = "held"
    """By a claim."""
    NOT_ADMITTED = "not_admitted"
    """The operator's words do not offer it, or the host itself uses it."""
    WITHHELD = "withheld"
    """Offered, but not now: cordoned, dirty, or in use by somebody without a claim."""
    BARRED = "barred"
    """Its PF or one of its VFs is held or withheld: they are one piece of hardware."""
    FREE = "free"


class DeviceView(View):
    """One PCI function, and whether it could be claimed now."""

    function: PciFunction
    state: DeviceState
    claimable: bool
    reason: str | None
    """Why it is not claimable, in words for people."""
    claim_id: UUID | None = None
    """The claim that holds it."""
    barred_by: PciAddress | None = None
    """The PF, or the first VF, that bars it."""
    cordons: tuple[Cordon, ...] = ()
    """Those around it, its cell or its host: who, when and why; a dirty device has one, too."""
    device: Device | None = None
    """What requests are matched against: tags, identity, why withheld; null when it is not admitted."""


class DeviceList(View):
    """PCI functions of the host, by address."""

    devices: tuple[DeviceView, ...]


class PoolList(View):
    """Claimable devices alike, counted, in the order in which they are given out."""

    pools: tuple[Pool, ...]


class AliasView(View):
    """One of the operator's names for devices."""

    name: str
    stands_for: DeviceRequest
    """What one of it asks for."""
    fit: int | None
    """How many of it would fit now; null when the search bound was reached before it was known."""


class AliasList(View):
    """The operator's names for devices, in alphabetical order."""

    aliases: tuple[AliasView, ...]


class CordonList(View):
    """All that takes no new claims, by kind and subject."""

    cordons: tuple[Cordon, ...]


class ClaimList(View):
    """One page of claims, by id."""

    claims: tuple[Claim, ...]
    next_marker: UUID | None
    """The marker of the next page; null at the end."""


class Problem(BaseModel):
    """A refusal (RFC 9457); beside these members stand the numbers that it speaks of."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:innkeeper:error:no_fit",
                    "title": "No fit",
                    "status": 409,
                    "detail": "vcpus: asked for 64, free are 12",
                    "code": "no_fit",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str


class BatchResult(View):
    """One order's claim, or why there is none."""

    claim: Claim | None = None
    problem: dict[str, Any] | None = None


class BatchAnswer(View):
    """One result for each order, in their order."""

    results: tuple[BatchResult, ...]


class FitAnswer(View):
    """Where it would be placed, and how many of its kind would fit."""

    placement: Placement
    count: int | None
    """Null when the search bound was reached before it was known."""


class FindingList(View):
    """One page of findings, by id."""

    findings: tuple[Finding, ...]
    next_marker: str | None


class EventList(View):
    """One page of history, in the order in which it became durable."""

    events: tuple[Event, ...]
    next_after: int
    """Ask again with this for what comes later."""
