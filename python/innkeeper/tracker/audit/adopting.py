"""A confirmed claim made of what is there already, whoever put it there."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    Event,
    EventKind,
    Finding,
    Placement,
)
from innkeeper.requests.strangers import Use
from innkeeper.tracker.audit.repairing import Plan
from innkeeper.tracker.convert import fingerprint
from innkeeper.tracker.devices.dirt import after_use
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import refresh


def adopted_claim(parts: Parts, spec: ClaimSpec, placement: Placement) -> Claim:
    """The claim that these words would have made, if they had been said, and placed so.

    Raises:
        ValueError: they name no claim id.
    """
    if spec.claim_id is None:
        raise ValueError("a claim that is adopted needs an id")
    now = parts.clock.now()
    return Claim(
        id=spec.claim_id,
        node=parts.node,
        state=ClaimState.CONFIRMED,
        instance_uuid=spec.instance_uuid,
        name=spec.name,
        holder=spec.holder,
        request=spec.request,
        placement=placement,
        fingerprint=fingerprint(spec),
        after_use=after_use(parts, placement),
        created_at=now,
        updated_at=now,
    )


def plan_adoption(
    parts: Parts, finding: Finding, claim: Claim, use: Use | None, words: str
) -> Plan:
    """Written with its history; `use` is what the instance was seen to use as a stranger, if it was."""
    adoption = _Adoption(parts, claim, use)
    event = Event(
        at=claim.created_at,
        kind=EventKind.ADOPTED,
        claim_id=claim.id,
        instance_uuid=claim.instance_uuid,
        details={"finding": finding.id, "name": claim.name or str(claim.instance_uuid)},
    )
    return Plan(
        words,
        claims=(claim,),
        events=(event,),
        begin=adoption.begin,
        landed=adoption.landed,
        lost=adoption.lost,
    )


@dataclass(frozen=True, slots=True)
class _Adoption:
    """What is there becomes a booking and is no stranger's; and back where that is not written."""

    parts: Parts
    claim: Claim
    use: Use | None

    def begin(self) -> None:
        # First what may be refused, as where a claim for it is being written.
        self.parts.register.reserve_instance(self.claim.instance_uuid, self.claim.id)
        if self.use is not None:
            self.parts.instances.claimed(self.use.instance.uuid)
        self.parts.ledger.restore([(str(self.claim.id), self.claim.placement)])

    def landed(self) -> None:
        self.parts.follow(self.claim)
        refresh(self.parts)

    def lost(self) -> None:
        # Reserved again before it is given back: the ledger may have been given a host without it.
        if self.use is not None:
            self.parts.instances.unclaimed(self.use)
            refresh(self.parts)
        self.parts.ledger.unbook(str(self.claim.id))
        self.parts.register.forget_instance(self.claim.instance_uuid, self.claim.id)
