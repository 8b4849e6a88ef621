"""What a tracker is asked to do: claims through their lives, and cordons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import anyio
import anyio.to_thread

from innkeeper.errors import InnkeeperError
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    Departure,
    Holder,
    MoveSpec,
    MoveState,
    Request,
)
from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.tracker.audit.bookings_source import LIVE
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.moves.moves import Moves
from innkeeper.tracker.placing import Placed, Placing
from innkeeper.tracker.processes import tie
from innkeeper.tracker.showing import Showing
from innkeeper.tracker.updates import Updates


class Acting(Showing):
    """The side of a tracker that changes what is held."""

    _claims: Claims
    _placing: Placing
    _moves: Moves
    _updates: Updates
    _cordons: Cordons

    # -- claims ------------------------------------------------------------------------------

    async def place(
        self, spec: ClaimSpec, *, wait_seconds: float | None = None, pid: int | None = None
    ) -> Placed:
        """Book and write one claim; see `Placing.place` for what it raises.

        With `pid` the claim is confirmed at once and ends when that process does.
        """
        if pid is None:
            return await self._placing.place(spec, wait_seconds=wait_seconds, tied=None)
        tied = await anyio.to_thread.run_sync(tie, pid)
        try:
            return await self._placing.place(spec, wait_seconds=wait_seconds, tied=tied)
        finally:
            tied.close()

    async def place_all(self, specs: Sequence[ClaimSpec]) -> tuple[Placed, ...]:
        """All of these in one change set, or none of them."""
        return await self._placing.place_all(specs)

    async def place_each(self, specs: Sequence[ClaimSpec]) -> tuple[Placed | InnkeeperError, ...]:
        """Each of these by itself, in order; they share what writes they can."""
        answers: list[Placed | InnkeeperError | None] = [None] * len(specs)

        async def place_one(index: int) -> None:
            try:
                answers[index] = await self.place(specs[index])
            except InnkeeperError as refusal:
                answers[index] = refusal

        async with anyio.create_task_group() as group:
            for index in range(len(specs)):
                group.start_soon(place_one, index)
        return tuple(answer for answer in answers if answer is not None)

    @asynccontextmanager
    async def claim(
        self,
        instance_uuid: UUID | None,
        request: Request,
        *,
        holder: Holder | None = None,
        wait_seconds: float | None = None,
        move: MoveSpec | None = None,
    ) -> AsyncIterator[Claim]:
        """Hold room while an instance is built, or moves here: confirmed on leaving, aborted on an exception."""
        holder = holder or Holder()
        spec = ClaimSpec(instance_uuid=instance_uuid, request=request, holder=holder, move=move)
        claim = (await self.place(spec, wait_seconds=wait_seconds)).claim
        try:
            yield claim
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._abort_if_pending(claim.id, holder)
            raise
        await self.confirm(claim.id, by=holder)

    async def _abort_if_pending(self, claim_id: UUID, by: Holder) -> None:
        claim = self._parts.register.find(claim_id)
        if claim is not None and claim.state is ClaimState.PENDING:
            await self.abort(claim_id, by=by)

    async def find(self, ref: UUID) -> Claim:
        """A claim by its id or its instance; tombstones by id. Raises UnknownClaim."""
        return await self._claims.find(ref)

    async def confirm(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.confirm`."""
        return await self._claims.confirm(ref, by=by)

    async def renew(self, ref: UUID, *, by: Holder, lease_seconds: float | None = None) -> Claim:
        """See `Claims.renew`."""
        return await self._claims.renew(ref, by=by, lease_seconds=lease_seconds)

    async def update(self, ref: UUID, change: ClaimUpdate, *, by: Holder) -> Claim:
        """See `Updates.update`."""
        return await self._updates.update(ref, change, by=by)

    async def abort(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.abort`."""
        return await self._claims.abort(ref, by=by)

    async def release(self, ref: UUID, *, by: Holder) -> Claim:
        """See `Claims.release`."""
        return await self._claims.release(ref, by=by)

    async def list_claims(
        self,
        *,
        states: frozenset[ClaimState] = LIVE,
        instance_uuid: UUID | None = None,
        limit: int = 100,
        marker: UUID | None = None,
    ) -> tuple[Claim, ...]:
        """Claims by ascending id, after `marker`; live ones come from memory."""
        source = self._parts.register.list_claims
        if states <= LIVE:
            return source(states=states, instance_uuid=instance_uuid, limit=limit, marker=marker)
        return await self._store.list_claims(
            states=states, instance_uuid=instance_uuid, limit=limit, marker=marker
        )

    # -- moves ---------------------------------------------------------------------------------

    async def depart(self, ref: UUID, departure: Departure, *, by: Holder) -> Claim:
        """See `Moves.depart`."""
        return await self._moves.depart(ref, departure, by=by)

    async def confirm_move(self, move_id: UUID, *, by: Holder) -> tuple[Claim, ...]:
        """The instance stays where it arrived; see `Moves.settle`."""
        return await self._moves.settle(move_id, MoveState.CONFIRMED, by=by)

    async def revert_move(self, move_id: UUID, *, by: Holder) -> tuple[Claim, ...]:
        """The instance goes back to where it was; see `Moves.settle`."""
        return await self._moves.settle(move_id, MoveState.REVERTED, by=by)

    async def fail_move(self, move_id: UUID, *, by: Holder) -> tuple[Claim, ...]:
        """The move did not work, and the instance is where it was; see `Moves.settle`."""
        return await self._moves.settle(move_id, MoveState.FAILED, by=by)

    async def find_move(self, move_id: UUID) -> tuple[Claim, ...]:
        """See `Moves.find`."""
        return await self._moves.find(move_id)

    def moving(self) -> tuple[Claim, ...]:
        """The claims that are one end of an open move, by id."""
        return tuple(sorted(self._parts.register.moving(), key=lambda claim: claim.id))

    # -- what takes no new claims --------------------------------------------------------------

    def cordons(self) -> tuple[Cordon, ...]:
        """Those that are not lifted, dirty devices included, by kind, subject and cause."""
        return self._cordons.list_cordons()

    async def cordon(self, kind: CordonKind, subject: str, *, reason: str, by: Holder) -> Cordon:
        """See `Cordons.cordon`."""
        return await self._cordons.cordon(kind, subject, reason=reason, by=by)

    async def uncordon(
        self,
        kind: CordonKind,
        subject: str,
        *,
        by: Holder,
        reason: str | None = None,
        cause: CordonCause | None = None,
    ) -> Cordon | None:
        """See `Cordons.uncordon`; null when nothing kept new claims off it."""
        return await self._cordons.uncordon(kind, subject, by=by, reason=reason, cause=cause)
