"""The change sets of the power-loss test, each recognisable whole or half, and their model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from innkeeper.objects import (
    ChangeSet,
    Claim,
    ClaimState,
    Event,
    EventKind,
    Finding,
    Holder,
    Placement,
    Request,
    Severity,
)

NODE = "host"
WAVES = (1, 1, 3, 1, 8, 1, 2, 16, 1, 5, 1, 1, 12, 1)
"""How many steps wait together, wave by wave."""
STEPS = sum(WAVES)
START = datetime(2026, 1, 1, tzinfo=UTC)


def change_set_id(step: int) -> UUID:
    return UUID(int=0xC5 << 96 | step)


def claim_of(step: int) -> Claim:
    """Every third step ends the claim of the step before; the others make one."""
    ending = step % 3 == 2
    at = START + timedelta(seconds=step)
    return Claim(
        id=UUID(int=0xC1 << 96 | (step - 1 if ending else step)),
        node=NODE,
        state=ClaimState.RELEASED if ending else ClaimState.PENDING,
        holder=Holder(reason=f"step {step} " + "x" * (step * 37 % 200)),
        request=Request(vcpus=1),
        placement=Placement(vcpus=1, cpus="0-7"),
        fingerprint=f"{step:064x}",
        created_at=at,
        updated_at=at,
    )


def change_set_of(step: int) -> ChangeSet:
    """A claim, two events and a finding: any of them alone would be half a step."""
    claim = claim_of(step)
    kind = EventKind.CLAIMED if claim.state.live else EventKind.RELEASED
    event = Event(at=claim.updated_at, kind=kind, claim_id=claim.id)
    return ChangeSet(
        id=change_set_id(step),
        node=NODE,
        claims=(claim,),
        events=tuple(
            event.model_copy(update={"details": {"step": step, "part": part}}) for part in (1, 2)
        ),
        findings=(finding_of(step),),
    )


def finding_of(step: int) -> Finding:
    at = START + timedelta(seconds=step)
    return Finding(
        id=f"{step:06d}",
        kind="step",
        severity=Severity.NOTICE,
        subject=str(step),
        message=f"step {step} " + "y" * (step * 401 % 9000),
        first_seen=at,
        last_seen=at,
    )


def claims_after(steps: Iterable[int]) -> dict[UUID, Claim]:
    """What stands when these steps, in this order, are durable."""
    return {claim.id: claim for claim in map(claim_of, steps)}
