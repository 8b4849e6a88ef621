"""A claim that runs gets more or less, where it is.

What it held and what it is to hold are both held until it is known which of them is durable.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from innkeeper.errors import Draining
from innkeeper.objects import Claim, ClaimUpdate, EventKind, Holder, Placement, Request
from innkeeper.requests.updating import updated
from innkeeper.tracker.changes import event_of
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.convert import object_reasons, placement_object
from innkeeper.tracker.moves.rules import require_settled
from innkeeper.tracker.parts import Parts


class Updates:
    """Writes claims with other amounts."""

    def __init__(self, parts: Parts, claims: Claims) -> None:
        self._parts = parts
        self._claims = claims

    async def update(self, ref: UUID, change: ClaimUpdate, *, by: Holder) -> Claim:
        """Give a live claim other amounts; asking for what it has already changes nothing.

        Less of every guest cell is always granted; more is decided at once, also past those who wait
        for room.

        Raises:
            BadRequest: see `updated`.
            NoFit: every reason; it holds what it held.
            MoveConflict: it is one end of a move that is not settled.
            UnknownClaim, AlreadyReleased, Draining, OutcomeUnknown, StoreError
        """
        claim_id = (await self._claims.find(ref)).id
        async with self._parts.register.turn(claim_id):
            claim = await self._claims.find_live(claim_id)
            require_settled(claim)
            request = updated(claim.request, change)
            if request == claim.request:
                return claim
            self._require_open()
            return await self._write(claim, request, self._join(claim, request), by)

    def _require_open(self) -> None:
        if self._parts.draining:
            raise Draining(
                "the daemon is stopping and gives no claim more or less; ask again when it is back"
            )

    def _join(self, claim: Claim, request: Request) -> Placement:
        """Hold both in the ledger; what the claim has of devices is not asked for again."""
        bare = request.model_copy(update={"devices": ()})
        resolved = self._parts.with_overhead(bare)
        with self._parts.searches, object_reasons(bare, resolved):
            return placement_object(self._parts.ledger.update(str(claim.id), resolved))

    async def _write(
        self, claim: Claim, request: Request, placement: Placement, by: Holder
    ) -> Claim:
        now = self._parts.clock.now()
        changed = claim.model_copy(
            update={"request": request, "placement": placement, "updated_at": now}
        )
        event = event_of(EventKind.UPDATED, changed, by).model_copy(
            update={"details": _differences(claim.request, request)}
        )
        with self._changing(claim, changed):
            await self._parts.writer.write(
                [changed],
                [event],
                landed=partial(self._landed, changed),
                lost=partial(self._settle, claim),
            )
        return changed

    @contextmanager
    def _changing(self, claim: Claim, changed: Claim) -> Iterator[None]:
        self._parts.leaving.shrink(claim, changed)
        try:
            yield
        finally:
            self._parts.leaving.forget([claim])

    def _landed(self, claim: Claim) -> None:
        self._parts.follow(claim)
        self._settle(claim)

    def _settle(self, claim: Claim) -> None:
        """It holds what this form of it says, and somebody may have waited for the rest."""
        self._parts.ledger.settle(str(claim.id), claim.placement)
        self._parts.line.serve()


def _differences(before: Request, after: Request) -> dict[str, int | None]:
    """What the history says: each amount that is another one, as it was and as it is."""
    found: dict[str, int | None] = {}
    for name in ClaimUpdate.model_fields:
        was, now = getattr(before, name), getattr(after, name)
        if was != now:
            found |= {f"{name}_before": was, name: now}
    return found
