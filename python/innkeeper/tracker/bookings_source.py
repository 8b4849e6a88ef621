"""Ledger, store and host compared: every claim is booked as it is stored, and the host has it all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

import anyio.to_thread

from innkeeper import _core
from innkeeper.objects import Claim, ClaimState
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.comparing import Comparison
from innkeeper.tracker.parts import Parts

LIVE: Final = frozenset({ClaimState.PENDING, ClaimState.CONFIRMED})
PAGE: Final = 1000


class BookingsSource:
    """Reads stored claims in pages and compares them with a snapshot of the ledger."""

    kinds = frozenset(
        {
            *("booked_not_stored", "stored_not_booked", "placement_differs", "oversubscribed"),
            *("device_missing", "cpu_missing", "cell_missing", "counter_missing"),
        }
    )

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102
        with self._parts.register.watch() as changing:
            stored = [(claim.id, claim) async for claim in self._stored_claims()]
            snapshot = self._parts.ledger.snapshot()
        bookings = [(str(claim_id), claim.placement) for claim_id, claim in stored]
        differences = await anyio.to_thread.run_sync(snapshot.audit, bookings)
        remarks = [
            _remark(difference)
            for difference in differences
            if difference.claim_id is None or UUID(difference.claim_id) not in changing
        ]
        left_out = frozenset(map(str, changing))
        return Comparison(remarks, examined=len(stored), left_out=left_out)

    async def _stored_claims(self) -> AsyncIterator[Claim]:
        marker = None
        while page := await self._parts.store.list_claims(states=LIVE, limit=PAGE, marker=marker):
            for claim in page:
                yield claim
            marker = page[-1].id


def _remark(difference: _core.Difference) -> Remark:
    return Remark(
        difference.kind,
        difference.subject,
        difference.message,
        booked=difference.booked,
        observed=difference.observed,
        claim_id=UUID(difference.claim_id) if difference.claim_id else None,
    )
