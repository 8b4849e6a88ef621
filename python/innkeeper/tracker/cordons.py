"""The operator's hand: what takes no new claims, by whom and why.

A cordon holds from the moment in which it is durable, and is gone when its end is. The marks of
devices that a claim leaves dirty are written with the claim's own end (see `dirt`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from uuid import uuid4

import anyio

from innkeeper.errors import OutcomeUnknown
from innkeeper.objects import ChangeSet, Event, EventKind, Holder
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.tracker.cordon_table import Key, key_of
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.subjects import require_subject, spelled
from innkeeper.tracker.sync import refresh
from innkeeper.tracker.writing import Step


class Cordons:
    """Puts cordons around things and lifts them, one after the other."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._turn = anyio.Lock()
        self._in_doubt: set[Key] = set()
        self.kept_off: Callable[[Cordon], AbstractAsyncContextManager[None]] = _nothing_runs
        """Keeps clean commands off a device whose dirt is being lifted."""

    def list_cordons(self) -> tuple[Cordon, ...]:
        """Those that are not lifted, by kind, subject and cause."""
        return self._parts.cordons.durable

    async def cordon(self, kind: CordonKind, subject: str, *, reason: str, by: Holder) -> Cordon:
        """Keep new claims off; saying it again with the same reason changes nothing.

        Another reason replaces the first. Those who hold it keep it.

        Raises:
            UnknownSubject: the host has no such thing; the message says what there is.
            OutcomeUnknown: it, or an earlier word on it, may or may not be durable; ask again.
            StoreError: nothing was written.
        """
        subject = require_subject(self._parts, kind, subject)
        async with self._turn:
            standing = self._parts.cordons.find(kind, subject, CordonCause.OPERATOR)
            if standing is not None and standing.reason == reason:
                return standing
            of_device = kind is CordonKind.DEVICE
            placed = Cordon(
                kind=kind,
                subject=subject,
                reason=reason,
                by=by,
                at=self._parts.clock.now(),
                identity=self._parts.offer.admission.identity(subject) if of_device else None,
            )
            await self._write([placed], [cordon_event(EventKind.CORDONED, placed, by)])
            return placed

    async def uncordon(
        self,
        kind: CordonKind,
        subject: str,
        *,
        by: Holder,
        reason: str | None = None,
        cause: CordonCause | None = None,
    ) -> Cordon | None:
        """Let new claims come again; null when nothing keeps them off.

        Of a device that is both cordoned and dirty the first call lifts the cordon, and only a second
        one, or `cause`, gives it out without its having been cleaned.

        Raises:
            UnknownSubject: the host has no such thing, and no cordon is around it.
            Conflict: the device's clean command runs and cannot be killed.
            OutcomeUnknown: it, or an earlier word on it, may or may not be durable; ask again.
            StoreError: nothing was written.
        """
        async with self._turn:
            standing = self._find(kind, subject, cause)
            if standing is None:
                require_subject(self._parts, kind, subject)
                return None
            if standing.cause is CordonCause.DIRTY:
                async with self.kept_off(standing):
                    return await self._lift(standing, by, reason)
            return await self._lift(standing, by, reason)

    async def lift_dirt(self, cordon: Cordon) -> None:
        """The device is clean; nothing happens when an operator was first.

        Raises:
            StoreError: it stays dirty.
        """
        async with self._turn:
            standing = self._parts.cordons.find(cordon.kind, cordon.subject, cordon.cause)
            if standing == cordon:
                await self._lift(standing, None, "cleaned")

    async def follow_hardware(self) -> None:
        """A device's cordon is named by the address that the device has now.

        Raises:
            StoreError: it is named by the old one until the next observation; it holds all the same.
        """
        async with self._turn:
            moved = self._moved()
            if not moved:
                return
            lifted_at = self._parts.clock.now()
            kept = {key_of(new) for _, new in moved}
            gone = [
                old.model_copy(update={"lifted_at": lifted_at})
                for old, _ in moved
                if key_of(old) not in kept
            ]
            await self._write([*gone, *(new for _, new in moved)], [])

    def _moved(self) -> list[tuple[Cordon, Cordon]]:
        """Old and new name; a name that another cordon keeps is not taken from it."""
        found = [
            (cordon, cordon.model_copy(update={"subject": place}))
            for cordon in self._parts.cordons.durable
            if cordon.kind is CordonKind.DEVICE
            and cordon.identity is not None
            and (place := self._parts.offer.admission.place_of(cordon))
            not in (None, cordon.subject)
        ]
        leaving = {key_of(old) for old, _ in found}
        taken = {key_of(cordon) for cordon in self._parts.cordons.durable} - leaving
        return [(old, new) for old, new in found if key_of(new) not in taken]

    def _find(self, kind: CordonKind, subject: str, cause: CordonCause | None) -> Cordon | None:
        """By its name or identity, or the address where its hardware is now; the operator's before dirt."""
        names = {subject, spelled(kind, subject)}
        causes = (CordonCause.OPERATOR, CordonCause.DIRTY) if cause is None else (cause,)
        for wanted in causes:
            for cordon in self._parts.cordons.durable:
                called = (cordon.kind, cordon.cause) == (kind, wanted)
                if called and not names.isdisjoint(self._names_of(cordon)):
                    return cordon
        return None

    def _names_of(self, cordon: Cordon) -> Iterator[str]:
        yield cordon.subject
        if cordon.kind is CordonKind.DEVICE:
            place = self._parts.offer.admission.place_of(cordon)
            yield from filter(None, (cordon.identity, place))

    async def _lift(self, standing: Cordon, by: Holder | None, reason: str | None) -> Cordon:
        lifted = standing.model_copy(update={"lifted_at": self._parts.clock.now()})
        await self._write([lifted], [cordon_event(EventKind.UNCORDONED, lifted, by, reason)])
        return lifted

    async def _write(self, cordons: Sequence[Cordon], events: Sequence[Event]) -> None:
        keys = {key_of(cordon) for cordon in cordons}
        self._require_settled(keys)
        self._in_doubt |= keys
        change_set = ChangeSet(
            id=uuid4(),
            node=self._parts.node,
            cordons=tuple(cordons),
            events=tuple(events),
            records=self._parts.writer.rows.of_cordons(cordons),
        )
        landed, lost = partial(self._landed, cordons), partial(self._settle, keys)
        await self._parts.writer.write_step(Step(change_set, landed, lost))

    def _require_settled(self, keys: Iterable[Key]) -> None:
        for kind, subject, _ in self._in_doubt.intersection(keys):
            raise OutcomeUnknown(
                f"an earlier word on {kind} {subject} may or may not be durable; ask again",
                kind=kind.value,
                subject=subject,
            )

    def _settle(self, keys: Iterable[Key]) -> None:
        self._in_doubt -= set(keys)

    def _landed(self, cordons: Sequence[Cordon]) -> None:
        self._settle(key_of(cordon) for cordon in cordons)
        self._parts.cordons.keep(cordons)
        if refresh(self._parts):
            self._parts.line.serve()


def _nothing_runs(_cordon: Cordon) -> AbstractAsyncContextManager[None]:
    return nullcontext()


def cordon_event(
    kind: EventKind, cordon: Cordon, by: Holder | None, reason: str | None = None
) -> Event:
    """The history entry of a cordon that was placed or lifted."""
    details = {
        "kind": cordon.kind.value,
        "subject": cordon.subject,
        "cause": cordon.cause.value,
        "reason": reason or cordon.reason,
    }
    at = cordon.lifted_at or cordon.at
    return Event(at=at, kind=kind, claim_id=cordon.claim_id, by=by, details=details)
