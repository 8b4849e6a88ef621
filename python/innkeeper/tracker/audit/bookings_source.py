"""Ledger, store and host compared: every claim is booked as it is stored, and the host has it all.

A full audit looks at every record; the others at those that changed here, or at all when somebody else wrote
to the store, and at the whole ledger only when it may have come to differ from the host.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio.to_thread

from innkeeper import _core
from innkeeper.objects import ClaimState, Inventory, Placement, Quantity
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.audit.stored_claims import IN_A_TURN, Look, StoredClaims
from innkeeper.tracker.parts import Parts

LIVE: Final = frozenset({ClaimState.PENDING, ClaimState.CONFIRMED})
PAGE: Final = 1000

_PAUSE: Final = 0.0002
"""Seconds for which a thread lets go of the interpreter: one that lets go for no time often keeps it."""

_OF_CLAIMS: Final = frozenset({"booked_not_stored", "stored_not_booked", "placement_differs"})


@dataclass(frozen=True, slots=True)
class _Judged:
    """The host that the whole ledger was compared with last."""

    inventory: Inventory
    differed: bool


class BookingsSource:
    """Reads stored claims as far as it has to, and compares them with the ledger."""

    kinds = frozenset(
        {*_OF_CLAIMS, "oversubscribed", "device_missing", "cpu_missing", "cell_missing"}
        | {"counter_missing"}
    )

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stored = StoredClaims(parts.store)
        self._through: datetime | None = None
        """What changed before that moment was looked at."""
        self._judged: _Judged | None = None
        self._foreign: object = None
        """What the store said of writes of others before it was read."""
        self._good_at: int | None = None
        """The register's changes when all was in order; null when something was not, or was changing."""

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102
        began, foreign = self._parts.clock.now(), await self._parts.store.foreign_writes()
        since = None if full or foreign != self._foreign else self._through
        if since is not None and foreign is not None and self._is_as_it_was():
            return Comparison()
        changes = self._parts.register.changes
        comparison = await self._compare(since)
        self._through, self._foreign = began, foreign
        is_good = not (comparison.remarks or comparison.left_out)
        self._good_at = changes if is_good else None
        return comparison

    def _is_as_it_was(self) -> bool:
        """Whether what was in order then is what would be compared now."""
        register = self._parts.register
        with register.watch() as changing:
            is_same = not changing and register.changes == self._good_at
            return is_same and not self._must_look_at_all(self._parts.inventory, changing)

    async def _compare(self, since: datetime | None) -> Comparison:
        with self._parts.register.watch() as changing:
            held = {claim.id: claim for claim in self._parts.register}
            if since is None:
                look = await self._stored.look_at_all(held, changing)
            else:
                look = await self._stored.look_at_changes(held, changing, since)
            # Nothing is awaited from here to the end of the watch: all of one moment.
            snapshot, inventory = self._parts.ledger.snapshot(), self._parts.inventory
            is_whole = since is None or self._must_look_at_all(inventory, changing)
            booked = {} if is_whole else self._booked(look.placements)
        if is_whole:
            differences = await self._audit(snapshot, inventory, look)
        else:
            differences = _audit_of_some(booked, look)
        remarks = [_remark(one) for one in differences if _claim_of(one) not in changing]
        left_out = frozenset(map(str, changing))
        return Comparison(remarks, examined=look.examined, left_out=left_out)

    def _must_look_at_all(self, inventory: Inventory, changing: Set[UUID]) -> bool:
        """Claims only take what the host has, so it is asked for again when that is another.

        Also where more or fewer are booked than the register has: one of them was forgotten.
        """
        judged = self._judged
        if judged is None or judged.differed or judged.inventory is not inventory:
            return True
        booked, held = self._parts.ledger.usage().claims, len(self._parts.register)
        return abs(booked - held) > len(changing)

    def _booked(self, ids: Iterable[UUID]) -> dict[UUID, _core.Placement]:
        ledger = self._parts.ledger
        found = ((claim_id, ledger.placement(str(claim_id))) for claim_id in ids)
        return {claim_id: placement for claim_id, placement in found if placement is not None}

    async def _audit(
        self, snapshot: _core.Snapshot, inventory: Inventory, look: Look
    ) -> list[_core.Difference]:
        stored = self._stored.placements() | _those_there(look)
        differences = await anyio.to_thread.run_sync(snapshot.audit, _in_turns(stored))
        self._judged = _Judged(inventory, differed=bool(differences))
        return differences


def _in_turns(stored: Mapping[UUID, Placement]) -> Iterator[tuple[str, Placement]]:
    """For a thread: the core reads one after another, and others must get at the interpreter."""
    for number, (claim_id, placement) in enumerate(stored.items()):
        if number % IN_A_TURN == 0:
            time.sleep(_PAUSE)
        yield str(claim_id), placement


def _audit_of_some(booked: Mapping[UUID, _core.Placement], look: Look) -> list[_core.Difference]:
    """What the core says of these claims, on a host that has nothing: that is not asked."""
    none = Quantity(total=0)
    ledger = _core.Ledger(Inventory(vcpus=none, memory_mib=none, disk_mib=none))
    ledger.restore((str(claim_id), placement) for claim_id, placement in booked.items())
    stored = ((str(claim_id), placement) for claim_id, placement in _those_there(look).items())
    return [one for one in ledger.snapshot().audit(stored) if one.kind in _OF_CLAIMS]


def _those_there(look: Look) -> dict[UUID, Placement]:
    return {claim_id: one for claim_id, one in look.placements.items() if one is not None}


def _claim_of(difference: _core.Difference) -> UUID | None:
    return UUID(difference.claim_id) if difference.claim_id else None


def _remark(difference: _core.Difference) -> Remark:
    return Remark(
        difference.kind,
        difference.subject,
        difference.message,
        booked=difference.booked,
        observed=difference.observed,
        claim_id=_claim_of(difference),
    )
