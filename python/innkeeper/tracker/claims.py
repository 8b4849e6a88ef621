"""What happens to a claim after it was placed: confirmed, renewed, ended.

An end is written first and unbooked after, so nobody gets a device whose release could still be lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import anyio.to_thread

from innkeeper.errors import AlreadyReleased, NoLease, NotPending, UnknownClaim
from innkeeper.objects import Claim, ClaimState, Event, EventKind, Holder, Process
from innkeeper.objects.cordon import Cordon
from innkeeper.tracker.cordons import cordon_event
from innkeeper.tracker.dirt import dirt_of
from innkeeper.tracker.lapses import Cause
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.processes import tie_again
from innkeeper.tracker.sync import refresh_marks


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claim ends: its last state and the history entry that says why."""

    state: ClaimState
    kind: EventKind


ABORT = Ending(ClaimState.ABORTED, EventKind.ABORTED)
RELEASE = Ending(ClaimState.RELEASED, EventKind.RELEASED)
PROCESS_ENDED = Ending(ClaimState.RELEASED, EventKind.PROCESS_ENDED)


class Claims:
    """Takes placed claims through the rest of their lives."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def unbook(self, claims: Sequence[Claim]) -> None:
        """Give back what these hold in memory, and let those who wait have it."""
        for claim in claims:
            self._parts.ledger.unbook(str(claim.id))
            self._parts.register.forget_instance(claim.instance_uuid, claim.id)
        self._parts.line.serve()

    async def find(self, ref: UUID) -> Claim:
        """A live claim by its id or instance, or a tombstone by its id.

        Raises:
            UnknownClaim: neither is known.
        """
        claim = self._parts.register.find(ref) or await self._parts.store.find_claim(ref)
        if claim is None:
            raise UnknownClaim(
                f"no claim has the id {ref}, and no instance of that id holds one; "
                "`innkeeper claims` lists what there is",
                ref=str(ref),
            )
        return claim

    async def confirm(self, ref: UUID, *, by: Holder) -> Claim:
        """The instance was built: the claim stays until it is released, or its lease ends.

        Confirming twice is confirming once.

        Raises:
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        claim_id = (await self.find(ref)).id
        async with self._parts.register.turn(claim_id):
            claim = await self.find_live(claim_id)
            if claim.state is ClaimState.CONFIRMED:
                return claim
            lease = claim.lease_seconds
            return await self._change(
                claim,
                EventKind.CONFIRMED,
                by,
                state=ClaimState.CONFIRMED,
                expires_at=later(self._parts.clock.now(), lease) if lease else None,
            )

    async def renew(self, ref: UUID, *, by: Holder, lease_seconds: float | None) -> Claim:
        """Start the lease, or the time to confirm, anew; a new lease length replaces the old.

        Raises:
            NoLease: confirmed without a lease and none is given.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        claim_id = (await self.find(ref)).id
        async with self._parts.register.turn(claim_id):
            claim = await self.find_live(claim_id)
            lease = lease_seconds or claim.lease_seconds
            if lease is None and claim.state is ClaimState.CONFIRMED:
                raise NoLease(
                    f"claim {claim.id} is confirmed and has no lease: it never lapses, "
                    "there is nothing to renew",
                    claim_id=str(claim.id),
                )
            return await self._change(
                claim,
                EventKind.RENEWED,
                by,
                lease_seconds=lease,
                expires_at=later(
                    self._parts.clock.now(), lease or self._parts.config.claims.pending_timeout
                ),
            )

    async def abort(self, ref: UUID, *, by: Holder) -> Claim:
        """End a claim whose instance was not built.

        Raises:
            NotPending: it is confirmed; release it.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        claim_id = (await self.find(ref)).id
        async with self._parts.register.turn(claim_id):
            claim = await self.find_live(claim_id)
            if claim.state is not ClaimState.PENDING:
                raise NotPending(
                    f"claim {claim.id} is {claim.state}, only a pending one can be aborted; "
                    "release it instead",
                    claim_id=str(claim.id),
                    state=claim.state,
                )
            return (await self.end([claim], ABORT, by=by))[0]

    async def release(self, ref: UUID, *, by: Holder) -> Claim:
        """Give back what the claim holds; a pending one is aborted.

        Raises:
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        claim_id = (await self.find(ref)).id
        async with self._parts.register.turn(claim_id):
            claim = await self.find_live(claim_id)
            pending = claim.state is ClaimState.PENDING
            return (await self.end([claim], ABORT if pending else RELEASE, by=by))[0]

    async def end_due(self, claim_id: UUID, cause: Cause) -> None:
        """End a claim that nobody ends; not when it was confirmed or renewed meanwhile.

        Raises:
            OutcomeUnknown, StoreError, HostUnreadable: it is still held; try again.
        """
        async with self._parts.register.turn(claim_id):
            claim = self._parts.register.find(claim_id)
            if claim is None:
                return
            match cause:
                case Cause.TIME:
                    await self._lapse(claim)
                case Cause.PROCESS:
                    await self.end([claim], PROCESS_ENDED, by=None)
                case Cause.CALLER if claim.state is ClaimState.PENDING:
                    await self.end([claim], ABORT, by=None)
                case Cause.START if claim.process is not None:
                    await self._watch_again(claim, claim.process)

    async def _lapse(self, claim: Claim) -> None:
        """Its time may have changed since the alarm rang, or ended: a confirmed claim has none."""
        if claim.expires_at is None:
            return
        if claim.expires_at > self._parts.clock.now():
            self._parts.expiries.arm(claim)
        else:
            await self.end([claim], Ending(_end_of(claim), EventKind.LAPSED), by=None)

    async def _watch_again(self, claim: Claim, process: Process) -> None:
        tied = await anyio.to_thread.run_sync(tie_again, process)
        if tied is None:
            await self.end([claim], PROCESS_ENDED, by=None)
        else:
            self._parts.processes.watch(claim.id, tied.take())

    async def find_live(self, claim_id: UUID) -> Claim:
        """A claim that still holds something, in its turn.

        Raises:
            UnknownClaim, AlreadyReleased
        """
        claim = self._parts.register.find(claim_id)
        if claim is None:
            claim = await self.find(claim_id)
        require_live(claim)
        return claim

    async def _change(self, claim: Claim, kind: EventKind, by: Holder, **new: object) -> Claim:
        changed = claim.model_copy(update={"updated_at": self._parts.clock.now(), **new})
        event = event_of(kind, changed, by)
        landed = partial(self._parts.follow, changed)
        await self._parts.writer.write([changed], [event], landed=landed)
        return changed

    async def end(self, claims: Sequence[Claim], how: Ending, *, by: Holder | None) -> list[Claim]:
        """Write the end of claims, then free what they held.

        Devices that they leave dirty are marked before: whoever gets the ledger next finds them so.
        """
        update = {"state": how.state, "updated_at": self._parts.clock.now(), "expires_at": None}
        ended = [claim.model_copy(update=update) for claim in claims]
        events = [event_of(how.kind, claim, by) for claim in ended]
        dirt = dirt_of(self._parts, ended)
        events += [cordon_event(EventKind.CORDONED, cordon, by) for cordon in dirt]
        self._parts.cordons.expect(dirt)
        with self._leaving(ended):
            await self._parts.writer.write(
                ended,
                events,
                cordons=dirt,
                landed=partial(self._ended, ended, dirt),
                lost=partial(self._parts.cordons.forget, dirt),
            )
        return ended

    @contextmanager
    def _leaving(self, claims: Sequence[Claim]) -> Iterator[None]:
        self._parts.leaving.end(claims)
        try:
            yield
        finally:
            self._parts.leaving.forget(claims)

    def _ended(self, claims: Sequence[Claim], dirt: Sequence[Cordon]) -> None:
        for claim in claims:
            self._parts.follow(claim)
        self._parts.cordons.keep(dirt)
        refresh_marks(self._parts)
        self.unbook(claims)
        self._look_at_what_was_kept(claims)

    def _look_at_what_was_kept(self, claims: Sequence[Claim]) -> None:
        """A device that only its holder kept follows the host now."""
        held = (device.address for claim in claims for device in claim.placement.devices)
        if any(map(self._parts.offer.is_kept, held)):
            self._parts.look_due.ring()


def _end_of(claim: Claim) -> ClaimState:
    pending = claim.state is ClaimState.PENDING
    return ClaimState.ABORTED if pending else ClaimState.RELEASED


def event_of(kind: EventKind, claim: Claim, by: Holder | None) -> Event:
    """The history entry of what just happened to a claim."""
    return Event(
        at=claim.updated_at,
        kind=kind,
        claim_id=claim.id,
        instance_uuid=claim.instance_uuid,
        by=by,
    )


def require_live(claim: Claim) -> None:
    """Raises AlreadyReleased for a tombstone."""
    if not claim.state.live:
        raise AlreadyReleased(
            f"claim {claim.id} was {claim.state} at {claim.updated_at:%Y-%m-%d %H:%M:%S} UTC; "
            "its id is spent, use a new one",
            claim_id=str(claim.id),
            state=claim.state,
        )


def later(now: datetime, seconds: float) -> datetime:
    """The time so many seconds after `now`."""
    return now + timedelta(seconds=seconds)
