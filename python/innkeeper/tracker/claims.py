"""What happens to a claim after it was placed: confirmed, renewed, ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import anyio.to_thread

from innkeeper.errors import AlreadyReleased, MoveConflict, NoLease, NotPending, UnknownClaim
from innkeeper.objects import Claim, ClaimState, EventKind, Holder, MoveState, Process
from innkeeper.tracker.changes import Change, Changes
from innkeeper.tracker.lapses import Cause
from innkeeper.tracker.moves.steps import arrived, ended, given_up, settled
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.processes import tie_again


class Claims:
    """Takes placed claims through the rest of their lives."""

    def __init__(self, parts: Parts, changes: Changes) -> None:
        self._parts = parts
        self._changes = changes

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
        """The instance was built, or has arrived: the claim stays until it is released, or its lease ends.

        Confirming twice is confirming once; after a boot it says that the instance runs again.

        Raises:
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        async with self.turn((await self.find(ref)).id) as claim:
            before = claim.is_of_earlier_boot(self._parts.booted_at)
            if claim.state is ClaimState.CONFIRMED and not before:
                return claim
            lease = claim.lease_seconds
            expires_at = later(self._parts.clock.now(), lease) if lease else None
            if claim.is_arriving:
                changes = arrived(claim, self._other_end(claim), expires_at)
            else:
                update = {"state": ClaimState.CONFIRMED, "expires_at": expires_at}
                changes = [Change(claim.model_copy(update=update), EventKind.CONFIRMED)]
            return (await self._changes.write(changes, by=by))[0]

    async def renew(self, ref: UUID, *, by: Holder, lease_seconds: float | None) -> Claim:
        """Start the lease, or the time to confirm, anew; a new lease length replaces the old.

        Raises:
            NoLease: confirmed without a lease and none is given.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        async with self.turn((await self.find(ref)).id) as claim:
            lease = lease_seconds or claim.lease_seconds
            if lease is None and claim.state is ClaimState.CONFIRMED:
                raise NoLease(
                    f"claim {claim.id} is confirmed and has no lease: it never lapses, "
                    "there is nothing to renew",
                    claim_id=str(claim.id),
                )
            seconds = lease or self._parts.config.claims.pending_timeout
            update = {
                "lease_seconds": lease,
                "expires_at": later(self._parts.clock.now(), seconds),
            }
            change = Change(claim.model_copy(update=update), EventKind.RENEWED)
            return (await self._changes.write([change], by=by))[0]

    async def abort(self, ref: UUID, *, by: Holder) -> Claim:
        """End a claim whose instance was not built, or did not arrive.

        Raises:
            NotPending: it is confirmed; release it.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        async with self.turn((await self.find(ref)).id) as claim:
            if claim.state is not ClaimState.PENDING:
                raise NotPending(
                    f"claim {claim.id} is {claim.state}, only a pending one can be aborted; "
                    "release it instead",
                    claim_id=str(claim.id),
                    state=claim.state,
                )
            return await self._end(claim, EventKind.ABORTED, by=by)

    async def release(self, ref: UUID, *, by: Holder) -> Claim:
        """Give back what the claim holds; a pending one is aborted.

        By its instance all that this holds here is given back, both ends of a move too.

        Raises:
            MoveConflict: the instance is still on this claim, and moves within the host.
            UnknownClaim, AlreadyReleased, OutcomeUnknown, StoreError
        """
        async with self.turn((await self.find(ref)).id) as claim:
            if ref == claim.instance_uuid:
                return await self._end_instance(claim, EventKind.RELEASED, by=by)
            return await self._end(claim, EventKind.RELEASED, by=by)

    async def end_due(self, claim_id: UUID, cause: Cause) -> None:
        """End a claim that nobody ends; not when it was confirmed or renewed meanwhile.

        Raises:
            OutcomeUnknown, StoreError, HostUnreadable: it is still held; try again.
        """
        async with self.together(claim_id):
            claim = self._parts.register.find(claim_id)
            if claim is None:
                return
            match cause:
                case Cause.TIME:
                    await self._lapse(claim)
                case Cause.PROCESS:
                    await self._end_instance(claim, EventKind.PROCESS_ENDED, by=None)
                case Cause.CALLER if claim.state is ClaimState.PENDING:
                    await self._end(claim, EventKind.ABORTED, by=None)
                case Cause.START if claim.process is not None:
                    await self._watch_again(claim, claim.process)

    async def _lapse(self, claim: Claim) -> None:
        """Its time may have changed since the alarm rang, or ended: a confirmed claim has none."""
        if claim.expires_at is None:
            return
        if claim.expires_at > self._parts.clock.now():
            self._parts.expiries.arm(claim)
        elif claim.is_arriving:
            await self._end(claim, EventKind.LAPSED, by=None)
        else:
            await self._end_instance(claim, EventKind.LAPSED, by=None)

    async def _watch_again(self, claim: Claim, process: Process) -> None:
        tied = await anyio.to_thread.run_sync(tie_again, process)
        if tied is None:
            await self._end_instance(claim, EventKind.PROCESS_ENDED, by=None)
        else:
            self._parts.processes.watch(claim.id, tied.take())

    async def _end(self, claim: Claim, kind: EventKind, *, by: Holder | None) -> Claim:
        """One claim ends; the other end of its move, if it is here, goes on alone."""
        other = self._other_end(claim)
        if claim.is_arriving:
            changes = given_up(claim, other, kind)
        elif other is None:
            changes = [ended(claim, kind)]
        else:
            _require_arrived(claim, other)
            changes = settled(claim, other, MoveState.CONFIRMED)
        return (await self._changes.write(changes, by=by))[0]

    async def _end_instance(self, claim: Claim, kind: EventKind, *, by: Holder | None) -> Claim:
        """Everything that the instance holds here."""
        others = [one for one in self._companions(claim.id) if one.id != claim.id]
        changes = [ended(one, kind) for one in (claim, *others)]
        return (await self._changes.write(changes, by=by))[0]

    @asynccontextmanager
    async def turn(self, claim_id: UUID) -> AsyncIterator[Claim]:
        """A live claim in its turn, together with whatever else its instance holds here.

        Raises:
            UnknownClaim, AlreadyReleased, OutcomeUnknown
        """
        async with self.together(claim_id):
            yield await self.find_live(claim_id)

    def together(self, claim_id: UUID) -> AbstractAsyncContextManager[None]:
        """The turns of all claims that the instance has here."""
        return self._parts.register.turns(partial(self._ids_together, claim_id))

    def _ids_together(self, claim_id: UUID) -> frozenset[UUID]:
        return frozenset((claim_id, *(claim.id for claim in self._companions(claim_id))))

    def _companions(self, claim_id: UUID) -> tuple[Claim, ...]:
        claim = self._parts.register.find(claim_id)
        if claim is None or claim.instance_uuid is None:
            return ()
        return self._parts.register.of_instance(claim.instance_uuid)

    def _other_end(self, claim: Claim) -> Claim | None:
        """The claim here at the other end of the move that this one is in."""
        if claim.move is None or not claim.is_moving:
            return None
        ends = self._parts.register.of_move(claim.move.id)
        return next((one for one in ends if one.id != claim.id), None)

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


def _require_arrived(source: Claim, destination: Claim) -> None:
    """The claim that the instance is still on does not go alone."""
    if destination.state is ClaimState.PENDING and destination.move is not None:
        raise MoveConflict(
            f"instance {source.instance_uuid} is still on claim {source.id} and moves to claim "
            f"{destination.id}: revert move {destination.move.id} first, or release by the instance's "
            "uuid what it holds on both",
            claim_id=str(source.id),
            move_id=str(destination.move.id),
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
