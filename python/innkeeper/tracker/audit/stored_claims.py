"""Claims as the store has them, of which only those are parsed that are not as they are known.

Known is a text that was found to say what a claim in the register says: as long as both are the same,
nobody reads it again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from anyio.lowlevel import checkpoint

from innkeeper.errors import StoreCorrupt
from innkeeper.objects import Claim, Placement
from innkeeper.store.base import ClaimDigest, Store
from innkeeper.store.digests import digest_of_claim

PAGE: Final = 1000
OVERLAP: Final = timedelta(minutes=1)
"""Before the moment that was looked at last: an older moment may be written after it."""
IN_A_TURN: Final = 32
"""Claims that are looked at before others get their turn: less than a millisecond."""


@dataclass(frozen=True, slots=True)
class _Known:
    claim: Claim
    digest: bytes


@dataclass(slots=True)
class Look:
    """What one look at the store found."""

    placements: dict[UUID, Placement | None] = field(default_factory=dict)
    """Of the claims that were looked at; null where the store has no live claim, or none that can be
    read."""
    examined: int = 0
    """Records of which the text was compared."""


class StoredClaims:
    """Follows what the store has of one node's claims."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[UUID, _Known] = {}
        self._damaged: set[UUID] = set()
        """Read again until they make sense, since the store counts them until then."""

    def placements(self) -> dict[UUID, Placement]:
        """Of every claim that is stored as it is known."""
        return {claim_id: known.claim.placement for claim_id, known in self._known.items()}

    async def look_at_all(self, held: Mapping[UUID, Claim], changing: Set[UUID]) -> Look:
        """At every record; `held` are the claims of the register, of which some are `changing`.

        Raises:
            StoreError
        """
        look = await self._look(held, changing, None)
        gone = (self._known.keys() | held.keys()) - look.placements.keys() - changing
        for claim_id in gone:
            self._known.pop(claim_id, None)
            look.placements[claim_id] = None
        return look

    async def look_at_changes(
        self, held: Mapping[UUID, Claim], changing: Set[UUID], since: datetime
    ) -> Look:
        """At records of that moment or later, and at claims that are not known as they are now.

        A claim that left the register is taken for one that the store has not.

        Raises:
            StoreError
        """
        look = await self._look(held, changing, since - OVERLAP)
        for claim_id in self._known.keys() - held.keys():
            del self._known[claim_id]
            look.placements[claim_id] = None
        for claim_id, claim in held.items():
            known = self._known.get(claim_id)
            is_known = known is not None and known.claim is claim
            if not is_known and claim_id not in look.placements and claim_id not in changing:
                look.placements[claim_id] = await self._read(claim_id, claim, None)
        return look

    async def _look(
        self, held: Mapping[UUID, Claim], changing: Set[UUID], since: datetime | None
    ) -> Look:
        look = Look()
        async for one in self._digests(since):
            look.examined += 1
            if look.examined % IN_A_TURN == 0:
                await checkpoint()
            if one.id not in changing:
                look.placements[one.id] = await self._placement(one, held.get(one.id))
        return look

    async def _digests(self, since: datetime | None) -> AsyncIterator[ClaimDigest]:
        marker, read = None, self._store.list_claim_digests
        while page := await read(since=since, limit=PAGE, marker=marker):
            for one in page:
                yield one
            marker = page[-1].id

    async def _placement(self, stored: ClaimDigest, held: Claim | None) -> Placement | None:
        is_damaged = stored.id in self._damaged
        if held is not None and not is_damaged and self._is_known(held, stored.digest):
            return held.placement
        return await self._read(stored.id, held, stored.digest)

    def _is_known(self, held: Claim, digest: bytes) -> bool:
        known = self._known.get(held.id)
        if known is not None and known.claim is held:
            return known.digest == digest
        if digest_of_claim(held) != digest:
            return False
        self._known[held.id] = _Known(held, digest)
        return True

    async def _read(
        self, claim_id: UUID, held: Claim | None, digest: bytes | None
    ) -> Placement | None:
        """Parsed; of a text that an older release wrote it is known from then on what it says."""
        self._known.pop(claim_id, None)
        try:
            stored = await self._store.find_claim(claim_id)
        except StoreCorrupt:
            self._damaged.add(claim_id)
            return None
        self._damaged.discard(claim_id)
        if stored is None or not stored.state.live:
            return None
        if held is not None and digest is not None and stored == held:
            self._known[claim_id] = _Known(held, digest)
        return stored.placement
