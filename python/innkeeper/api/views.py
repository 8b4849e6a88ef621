"""What is answered over HTTP beyond the objects themselves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from innkeeper.objects import (
    Claim,
    Cordon,
    Device,
    DeviceRequest,
    Event,
    Finding,
    Host,
    Inventory,
    Misfit,
    PciFunction,
    Placement,
    Pool,
    Usage,
)
from innkeeper.objects.base import PciAddress


class View(BaseModel):
    """An answer; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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


class ServiceNodeView(View):
    """One node of the service, as Nova's tables name it."""

    name: str
    uuid: str


class ServiceRecordView(View):
    """What programs that read Nova's tables see of the service."""

    host: str
    binary: str
    version: int
    up: bool
    """By Nova's rule: not forced down, and seen within a minute."""
    last_seen_up: datetime | None
    """Of its last heartbeat; null before the first."""
    report_count: int
    disabled: bool
    disabled_reason: str | None
    forced_down: bool
    nodes: tuple[ServiceNodeView, ...]


class HostView(View):
    """The host, what of it may be handed out, and how much is held."""

    node: str
    generation: int
    host: Host
    inventory: Inventory
    usage: Usage
    pools: tuple[Pool, ...]
    cordons: tuple[Cordon, ...] = ()
    booted_at: datetime | None = None
    """When the host was first seen on its present boot; claims that were written last before then are of
    an earlier one. Null: none is."""


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
    booted_at: datetime | None = None
    """As that of the host."""


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
    """Where it would be placed, how many of its kind would fit, and what ends that."""

    placement: Placement
    count: int | None
    """One after another, at most 10,000; null when the search bound was reached before it was known."""
    stopped_by: tuple[Misfit, ...] = ()
    """Why one more would not fit: what runs out first. Empty at the most, and where `count` is null."""


class RepairView(View):
    """What mends a finding."""

    finding: Finding
    """As it is now: cleared, unless this was a dry run."""
    repair: str | None
    """What was done, or would be; null when the difference is gone by itself."""
    dry_run: bool


class FindingList(View):
    """One page of findings, by id."""

    findings: tuple[Finding, ...]
    next_marker: str | None


class WatchedEvent(View):
    """One event of a stream; its token goes on after it."""

    type: Literal["event"] = "event"
    token: str
    generation: int | None
    """The ledger's, after the change that it tells of; null of events that older releases wrote."""
    event: Event


class SnapshotView(View):
    """Everything that holds at one moment, and the token that goes on from there."""

    type: Literal["snapshot"] = "snapshot"
    node: str
    token: str
    generation: int
    cordons: tuple[Cordon, ...]
    findings: tuple[Finding, ...]
    """The open ones, by id."""
    claims: tuple[Claim, ...]
    """The live ones, by id."""


class EventList(View):
    """One page of history, in the order in which it became durable."""

    events: tuple[Event, ...]
    next_after: int
    """Ask again with this for what comes later."""
