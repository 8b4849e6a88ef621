"""Claims and change sets to write."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimState,
    Cordon,
    CordonCause,
    CordonKind,
    Event,
    EventKind,
    Finding,
    Holder,
    Placement,
    Request,
    Severity,
)

NODE = "host"
START = datetime(2026, 1, 1, tzinfo=UTC)
_change_sets = count(1)


def made_claim(number: int, state: ClaimState = ClaimState.PENDING, **words: Any) -> Claim:
    """A claim whose id and times follow from its number."""
    at = START + timedelta(seconds=number)
    form: dict[str, Any] = {
        "id": UUID(int=0xC1 << 96 | number),
        "node": NODE,
        "state": state,
        "holder": Holder(project="p", user="u"),
        "request": Request(vcpus=1, memory_mib=64),
        "placement": Placement(vcpus=1, memory_mib=64, cpus="0-3"),
        "fingerprint": f"{number:064x}",
        "created_at": at,
        "updated_at": at,
    }
    return Claim(**{**form, **words})


def made_event(claim: Claim, kind: EventKind = EventKind.CLAIMED, **details: Any) -> Event:
    return Event(
        at=claim.updated_at,
        kind=kind,
        claim_id=claim.id,
        instance_uuid=claim.instance_uuid,
        by=claim.holder,
        details=details,
    )


def made_finding(name: str, cleared_at: datetime | None = None) -> Finding:
    return Finding(
        id=name,
        kind="device_missing",
        severity=Severity.ERROR,
        subject=name,
        message=f"{name} is gone",
        first_seen=START,
        last_seen=START,
        cleared_at=cleared_at,
    )


def made_cordon(
    subject: str = "0000:41:00.0", kind: CordonKind = CordonKind.DEVICE, **words: Any
) -> Cordon:
    form: dict[str, Any] = {"reason": "smells", "by": Holder(user="ann"), "at": START}
    return Cordon(kind=kind, subject=subject, **{"cause": CordonCause.OPERATOR, **form, **words})


def change_set(*claims: Claim, events: Sequence[Event] | None = None, **parts: Any) -> ChangeSet:
    """A change set of these claims, each with its event unless told otherwise."""
    given = [made_event(claim) for claim in claims] if events is None else events
    form: dict[str, Any] = {"id": UUID(int=0xC5 << 96 | next(_change_sets)), "node": NODE}
    return ChangeSet(**{**form, "claims": claims, "events": tuple(given), **parts})
