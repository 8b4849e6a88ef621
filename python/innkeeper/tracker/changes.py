"""The next forms of claims made durable: one change set for all that belongs together.

An end is written first and unbooked after, so nobody gets a device whose release could still be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from innkeeper.objects import Claim, Event, EventKind, Holder
from innkeeper.objects.cordon import Cordon
from innkeeper.tracker.cordons import cordon_event
from innkeeper.tracker.devices.dirt import dirt_of
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.reasons import reasons
from innkeeper.tracker.sync import refresh_marks


@dataclass(frozen=True, slots=True)
class Change:
    """The next form of a claim, and what the history says of it."""

    claim: Claim
    kind: EventKind
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of claims, as what belongs into one change set and what is to follow in memory."""

    claims: tuple[Claim, ...]
    events: tuple[Event, ...]
    cordons: tuple[Cordon, ...]
    """Devices that they leave dirty."""
    begin: Callable[[], None]
    """Just before its rows are made: what is given back does not count there any more."""
    landed: Callable[[], None]
    lost: Callable[[], None]


class Changes:
    """Writes them, and frees what ended."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def write(self, changes: Sequence[Change], *, by: Holder | None) -> tuple[Claim, ...]:
        """All of them or none; the claims in their new form.

        Devices that ended claims leave dirty are marked with them: whoever gets the ledger next finds
        them so. To be called in the claims' turn.

        Raises:
            OutcomeUnknown: what they hold stays held.
            StoreError: nothing was written.
        """
        claims, events, dirt = self._composed(changes, by)
        ended = [claim for claim in claims if not claim.state.live]
        if dirt:
            self._parts.cordons.expect(dirt)
        with self._leaving(ended):
            await self._parts.writer.write(
                claims,
                events,
                cordons=dirt,
                landed=partial(self._landed, claims, ended, dirt),
                lost=partial(self._parts.cordons.forget, dirt),
            )
        return claims

    def _composed(
        self, changes: Sequence[Change], by: Holder | None
    ) -> tuple[tuple[Claim, ...], tuple[Event, ...], tuple[Cordon, ...]]:
        """The claims in their new form, the history, and the devices that those leave dirty that ended."""
        now = self._parts.clock.now()
        claims = tuple(one.claim.model_copy(update={"updated_at": now}) for one in changes)
        dirt = dirt_of(self._parts, [claim for claim in claims if not claim.state.live])
        told = [
            event_of(one.kind, claim, by, one.details)
            for one, claim in zip(changes, claims, strict=True)
        ]
        told += [cordon_event(EventKind.CORDONED, cordon, by) for cordon in dirt]
        return claims, tuple(told), dirt

    def ending(self, change: Change, *, by: Holder | None) -> Ending:
        """The end of a claim for a change set that has more in it; nothing happens until it begins."""
        claims, events, dirt = self._composed([change], by)
        return Ending(
            claims=claims,
            events=events,
            cordons=dirt,
            begin=partial(self._begin_end, claims, dirt),
            landed=partial(self._end_landed, claims, dirt),
            lost=partial(self._end_lost, claims, dirt),
        )

    def _begin_end(self, claims: Sequence[Claim], dirt: Sequence[Cordon]) -> None:
        self._parts.cordons.expect(dirt)
        self._parts.leaving.end(claims)

    def _end_landed(self, claims: Sequence[Claim], dirt: Sequence[Cordon]) -> None:
        self._parts.leaving.forget(claims)
        self._landed(claims, claims, dirt)

    def _end_lost(self, claims: Sequence[Claim], dirt: Sequence[Cordon]) -> None:
        self._parts.leaving.forget(claims)
        self._parts.cordons.forget(dirt)

    @contextmanager
    def _leaving(self, claims: Sequence[Claim]) -> Iterator[None]:
        self._parts.leaving.end(claims)
        try:
            yield
        finally:
            self._parts.leaving.forget(claims)

    def _landed(
        self, claims: Sequence[Claim], ended: Sequence[Claim], dirt: Sequence[Cordon]
    ) -> None:
        for claim in claims:
            self._parts.follow(claim)
        if ended:
            self._parts.cordons.keep(dirt)
            refresh_marks(self._parts)
            self.unbook(ended)
            self._look_at_what_was_kept(ended)

    def unbook(self, claims: Sequence[Claim]) -> None:
        """Give back what these hold in memory, and let those who wait have it."""
        for claim in claims:
            self._parts.ledger.unbook(str(claim.id))
            self._parts.register.forget_instance(claim.instance_uuid, claim.id)
        self._parts.line.serve()

    def _look_at_what_was_kept(self, claims: Sequence[Claim]) -> None:
        """A device that only its holder kept follows the host now."""
        held = (device.address for claim in claims for device in claim.placement.devices)
        if any(map(self._parts.offer.is_kept, held)):
            self._parts.look_due.ring()


def event_of(
    kind: EventKind, claim: Claim, by: Holder | None, details: Mapping[str, Any] | None = None
) -> Event:
    """The history entry of what just happened to a claim."""
    return Event(
        at=claim.updated_at,
        kind=kind,
        claim_id=claim.id,
        instance_uuid=claim.instance_uuid,
        by=by,
        details=reasons(kind, claim, by) | dict(details or {}),
    )
