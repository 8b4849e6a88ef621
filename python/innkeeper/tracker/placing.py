"""A claim is asked for: the same words find the same claim, others find room.

Booking happens here and in the waiting line, nowhere else. A claim is booked first and written after.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from innkeeper.errors import BadRequest, ClaimConflict, Draining, InnkeeperError
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    Placement,
)
from innkeeper.tracker.asking import Ask, claimed, leaving, require_distinct, require_possible
from innkeeper.tracker.changes import Change, Changes, event_of
from innkeeper.tracker.claims import later, require_live
from innkeeper.tracker.convert import book
from innkeeper.tracker.devices.dirt import after_use
from innkeeper.tracker.lapses import Cause
from innkeeper.tracker.moves.rules import find_source
from innkeeper.tracker.moves.steps import moved_to
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.processes import TiedProcess
from innkeeper.tracker.writing import nothing


@dataclass(frozen=True, slots=True)
class Placed:
    """A claim, and whether it stood already because the same words were said before."""

    claim: Claim
    replayed: bool


class Placing:
    """Turns specs into written claims."""

    def __init__(self, parts: Parts, changes: Changes) -> None:
        self._parts = parts
        self._changes = changes

    async def place(
        self, spec: ClaimSpec, *, wait_seconds: float | None, tied: TiedProcess | None
    ) -> Placed:
        """Book and write one claim; the answer comes after the write.

        A claim that is tied to a process is confirmed at once; its pidfd is taken over. One that an
        instance moves to leaves what it has as it is.

        Raises:
            BadRequest: see `Parts.resolve` and `find_source`.
            MoveConflict, UnknownClaim: see `find_source`.
            NoFit, Undecided, ClaimConflict, InstanceClaimed, AlreadyReleased, TooManyWaiting,
            Draining, OutcomeUnknown, StoreError
        """
        self._require_open()
        ask = Ask.of(spec)
        async with self._turn([ask]):
            standing = await self._standing(ask)
            if standing is not None:
                return Placed(_require_same_process(standing, tied), replayed=True)
            source = find_source(self._parts, spec)
            require_possible(spec, source, wait_seconds=wait_seconds, tied=tied)
            with self._instance_reserved(ask):
                placement = await self._find_room(ask, wait_seconds)
            claim = self._new_claim(ask, placement, source)
            if tied is None:
                await self._write_placed([claim], leaving([claim], [source]))
            else:
                claim = self._tied_claim(claim, tied)
                await self._write_tied(claim, tied)
        return Placed(claim, replayed=False)

    async def place_all(self, specs: Sequence[ClaimSpec]) -> tuple[Placed, ...]:
        """Book all or none; one change set, so one write makes all of them durable.

        Raises:
            InnkeeperError: the first refusal, with the index of its spec in `details["index"]`.
        """
        self._require_open()
        asks = [Ask.of(spec) for spec in specs]
        require_distinct(asks)
        async with self._turn(asks):
            standing = [await self._standing(ask) for ask in asks]
            fresh = self._book_all(asks, standing)
            if fresh:
                claims = list(fresh.values())
                await self._write_placed(claims, leaving(claims, map(self._source_of, claims)))
        return tuple(
            Placed(fresh[index], replayed=False) if claim is None else Placed(claim, replayed=True)
            for index, claim in enumerate(standing)
        )

    def _turn(self, asks: Sequence[Ask]) -> AbstractAsyncContextManager[None]:
        """That of the claims, of their moves, and of claims here that instances are to leave."""
        return self._parts.register.turns(partial(self._ids, asks))

    def _ids(self, asks: Sequence[Ask]) -> frozenset[UUID]:
        moving = (ask.spec.instance_uuid for ask in asks if ask.spec.move is not None)
        there = (self._parts.register.of_instance(one) for one in moving if one is not None)
        moves = (ask.spec.move.id for ask in asks if ask.spec.move is not None)
        return frozenset(
            (*(ask.id for ask in asks), *moves, *(one.id for some in there for one in some))
        )

    def _source_of(self, claim: Claim) -> Claim | None:
        """The claim here that it was booked beside."""
        origin = claim.move.origin if claim.move is not None else None
        if origin is None or origin.claim_id is None:
            return None
        return self._parts.register.find(origin.claim_id)

    def _require_open(self) -> None:
        if self._parts.draining:
            raise Draining(
                "the daemon is stopping and takes no new claims; ask again when it is back"
            )

    async def _standing(self, ask: Ask) -> Claim | None:
        """The claim that these words made before, if any."""
        if ask.spec.claim_id is None:
            return None
        known = self._parts.register.find(ask.id) or await self._parts.store.find_claim(ask.id)
        if known is None or known.id != ask.id:
            return None
        if known.fingerprint != ask.fingerprint:
            raise ClaimConflict(
                f"claim {ask.id} was asked for before with other words; "
                "use another claim id for another claim",
                claim_id=str(ask.id),
                state=known.state,
            )
        require_live(known)
        return known

    @contextmanager
    def _instance_reserved(self, ask: Ask) -> Iterator[None]:
        instance_uuid = ask.spec.instance_uuid
        if ask.spec.move is not None and instance_uuid is not None:
            self._parts.register.reserve_arrival(instance_uuid, ask.id)
        else:
            self._parts.register.reserve_instance(instance_uuid, ask.id)
        try:
            yield
        except BaseException:
            self._parts.register.forget_instance(ask.spec.instance_uuid, ask.id)
            raise

    async def _find_room(self, ask: Ask, wait_seconds: float | None) -> Placement:
        if wait_seconds is None:
            return self._book_now(ask)
        if not 0 < wait_seconds <= self._parts.config.claims.max_wait:
            raise BadRequest(
                f"asked to wait {wait_seconds:g} s; a wait is above 0 and at most "
                f"{self._parts.config.claims.max_wait:g} s (`claims.max_wait`)"
            )
        words = ask.spec.request
        resolved = self._parts.resolve(words)
        with self._parts.searches:
            return await self._parts.line.book(ask.id, words, resolved, wait_seconds=wait_seconds)

    def _book_now(self, ask: Ask) -> Placement:
        words = ask.spec.request
        with self._parts.searches:
            return book(self._parts.ledger, ask.id, words, self._parts.resolve(words))

    def _book_all(self, asks: Sequence[Ask], standing: Sequence[Claim | None]) -> dict[int, Claim]:
        booked: dict[int, Claim] = {}
        index = 0
        try:
            for index, ask in enumerate(asks):
                if standing[index] is None:
                    source = find_source(self._parts, ask.spec)
                    with self._instance_reserved(ask):
                        booked[index] = self._new_claim(ask, self._book_now(ask), source)
        except InnkeeperError as refusal:
            self._changes.unbook(list(booked.values()))
            refusal.details["index"] = index
            raise
        return booked

    def _new_claim(self, ask: Ask, placement: Placement, source: Claim | None) -> Claim:
        now, spec = self._parts.clock.now(), ask.spec
        patience = spec.lease_seconds or self._parts.config.claims.pending_timeout
        return Claim(
            id=ask.id,
            node=self._parts.node,
            state=ClaimState.PENDING,
            instance_uuid=spec.instance_uuid,
            name=spec.name,
            holder=spec.holder,
            request=spec.request,
            placement=placement,
            fingerprint=ask.fingerprint,
            lease_seconds=spec.lease_seconds,
            after_use=after_use(self._parts, placement),
            created_at=now,
            updated_at=now,
            expires_at=later(now, patience),
            move=moved_to(spec.move, self._parts.node, source) if spec.move else None,
        )

    def _tied_claim(self, claim: Claim, tied: TiedProcess) -> Claim:
        expires_at = claim.expires_at if claim.lease_seconds else None
        return claim.model_copy(
            update={
                "state": ClaimState.CONFIRMED,
                "process": tied.process,
                "expires_at": expires_at,
            }
        )

    async def _write_tied(self, claim: Claim, tied: TiedProcess) -> None:
        """Watched from the moment it is durable, by the descriptor that is there already."""
        pidfd = tied.take()
        landed = partial(self._parts.processes.watch, claim.id, pidfd)
        await self._write_placed([claim], (), landed=landed, lost=partial(os.close, pidfd))

    async def _write_placed(
        self,
        claims: list[Claim],
        told: Sequence[Change],
        *,
        landed: Callable[[], None] = nothing,
        lost: Callable[[], None] = nothing,
    ) -> None:
        """Write new claims; a caller who was cancelled meanwhile gets nothing and holds nothing."""
        sources = [one.claim for one in told]
        events = [
            *(claimed(claim) for claim in claims),
            *(event_of(one.kind, one.claim, claims[0].holder, one.details) for one in told),
        ]
        try:
            await self._parts.writer.write(
                [*sources, *claims],
                events,
                landed=partial(self._landed, [*sources, *claims], landed),
                lost=partial(self._lost, claims, lost),
            )
            await checkpoint_if_cancelled()
        except anyio.get_cancelled_exc_class():
            for claim in claims:
                self._parts.due.add(claim.id, Cause.CALLER)
            raise

    def _landed(self, claims: Sequence[Claim], landed: Callable[[], None]) -> None:
        for claim in claims:
            self._parts.follow(claim)
        landed()

    def _lost(self, claims: Sequence[Claim], lost: Callable[[], None]) -> None:
        lost()
        self._changes.unbook(claims)


def _require_same_process(claim: Claim, tied: TiedProcess | None) -> Claim:
    if tied is not None and claim.process != tied.process:
        raise ClaimConflict(
            f"claim {claim.id} stands already and is not tied to process {tied.process.pid}",
            claim_id=str(claim.id),
        )
    return claim
