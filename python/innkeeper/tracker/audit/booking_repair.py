"""The ledger made to hold what is durable: a claim's booking is rebuilt without a restart."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from innkeeper.errors import InternalError, NotRepairable, StoreCorrupt
from innkeeper.objects import Claim, Finding, Placement
from innkeeper.tracker.audit.repairing import Plan
from innkeeper.tracker.convert import placement_object
from innkeeper.tracker.lapses import Cause
from innkeeper.tracker.parts import Parts


class BookingRepair:
    """Takes a claim over as it is stored.

    What has gone from the store while its claim lives is stored again: a record that is missing is no sign
    that its holder is gone.
    """

    kinds = frozenset({"booked_not_stored", "stored_not_booked", "placement_differs"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        claim_id = _claim_of(finding)
        try:
            stored = await self._parts.store.find_claim(claim_id)
        except StoreCorrupt as damage:
            self._require_known(claim_id, damage)
            return self._as_known(claim_id, "its stored record is damaged")
        if stored is None:
            return self._as_known(claim_id, "it is not in the store")
        return self._as_stored(stored)

    def _as_stored(self, stored: Claim) -> Plan | None:
        booked = self._booked(stored.id)
        if not stored.state.live:
            return None if booked is None else self._refuse_ended(stored)
        if booked is None:
            return self._book(stored)
        return None if booked == stored.placement else self._rebook(stored, booked)

    def _refuse_ended(self, stored: Claim) -> Plan | None:
        """A stored end is no sign of its own: ends are written by this process, and this one was not."""
        raise NotRepairable(
            f"claim {stored.id} is stored as {stored.state} and still held here; when its instance is "
            f"gone, `innkeeper release {stored.id}` gives back what it holds",
            claim_id=str(stored.id),
            state=stored.state,
        )

    def _book(self, stored: Claim) -> Plan:
        booking = [(str(stored.id), stored.placement)]
        return Plan(
            f"claim {stored.id} is booked as it is stored",
            claims=(stored,),
            begin=partial(self._parts.ledger.restore, booking),
            landed=partial(self._follow, stored),
            lost=partial(self._unbook, stored.id),
        )

    def _rebook(self, stored: Claim, booked: Placement) -> Plan:
        return Plan(
            f"claim {stored.id} holds what is stored of it",
            claims=(stored,),
            begin=partial(self._settle, stored.id, stored.placement),
            landed=partial(self._follow, stored),
            lost=partial(self._settle, stored.id, booked),
        )

    def _require_known(self, claim_id: UUID, damage: StoreCorrupt) -> None:
        if self._known(claim_id) is None:
            raise NotRepairable(
                f"{damage.message}, and nothing else tells what it holds", claim_id=str(claim_id)
            ) from damage

    def _known(self, claim_id: UUID) -> Claim | None:
        known = self._parts.register.find(claim_id)
        return known if known is not None and known.id == claim_id else None

    def _as_known(self, claim_id: UUID, why: str) -> Plan | None:
        """By the claim's last durable form, which the register has of every claim that lives."""
        known, booked = self._known(claim_id), self._booked(claim_id)
        if known is None:
            return None if booked is None else self._leaked(claim_id, why)
        before = known.placement if booked is None else booked
        return Plan(
            f"claim {claim_id} is stored again as it was last written, since {why}",
            claims=(known,),
            begin=partial(self._hold, claim_id, known.placement),
            lost=partial(self._hold, claim_id, before),
        )

    def _leaked(self, claim_id: UUID, why: str) -> Plan:
        """Nobody was ever told of this booking: there is no claim that it could be of."""
        return Plan(
            f"the booking of claim {claim_id} is given back, since {why} and no such claim lives here",
            landed=partial(self._unbook, claim_id),
        )

    # -- the ledger --------------------------------------------------------------------------

    def _booked(self, claim_id: UUID) -> Placement | None:
        placement = self._parts.ledger.placement(str(claim_id))
        return None if placement is None else placement_object(placement)

    def _hold(self, claim_id: UUID, placement: Placement) -> None:
        if self._booked(claim_id) is None:
            self._parts.ledger.restore([(str(claim_id), placement)])
        else:
            self._settle(claim_id, placement)

    def _settle(self, claim_id: UUID, placement: Placement) -> None:
        self._parts.ledger.settle(str(claim_id), placement)
        self._parts.line.serve()

    def _unbook(self, claim_id: UUID) -> None:
        self._parts.ledger.unbook(str(claim_id))
        self._parts.line.serve()

    def _follow(self, claim: Claim) -> None:
        """As after a start: its time may have ended, and its process may be gone."""
        self._parts.follow(claim)
        if claim.process is not None:
            self._parts.due.add(claim.id, Cause.START)


def _claim_of(finding: Finding) -> UUID:
    if finding.claim_id is None:
        raise InternalError(f"finding {finding.id} is of a booking and names no claim")
    return finding.claim_id
