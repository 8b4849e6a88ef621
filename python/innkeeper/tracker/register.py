"""The claims of one host as they are durable, in memory, and who is changing which."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from uuid import UUID

import anyio

from innkeeper.errors import InstanceClaimed, OutcomeUnknown
from innkeeper.objects import Claim, ClaimState, PlacedDevice, Side


@dataclass(slots=True)
class _Turn:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    users: int = 0


class Register:
    """Live claims in their last durable form.

    A claim appears here only after its write; an id is changed by one caller at a time.
    """

    def __init__(self) -> None:
        self._claims: dict[UUID, Claim] = {}
        self._ids: list[UUID] = []
        self._states: Counter[ClaimState] = Counter()
        self._by_instance: dict[UUID, UUID] = {}
        """The claim that the instance lives by."""
        self._arriving: dict[UUID, UUID] = {}
        """The claim that it moves to, beside the one that it may have here."""
        self._by_move: dict[UUID, set[UUID]] = {}
        self._turns: dict[UUID, _Turn] = {}
        self._in_doubt: set[UUID] = set()
        self._watches: list[set[UUID]] = []
        self._held: Mapping[str, PlacedDevice] = MappingProxyType({})
        self._held_at = 0
        self.changes = 0
        """Claims that were published, ended ones included."""

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(tuple(self._claims.values()))

    def count_states(self) -> Mapping[ClaimState, int]:
        """Live claims by state; kept as they change, so that asking costs nothing."""
        return dict(self._states)

    def find(self, ref: UUID) -> Claim | None:
        """A live claim by its id or by its instance; of two the one that the instance lives by."""
        if ref in self._claims:
            return self._claims[ref]
        return next(iter(self.of_instance(ref)), None)

    def of_instance(self, instance_uuid: UUID) -> tuple[Claim, ...]:
        """What an instance holds here: the claim that it lives by, then the one that it moves to."""
        ids = (slots.get(instance_uuid) for slots in (self._by_instance, self._arriving))
        claims = (self._claims.get(claim_id) for claim_id in ids if claim_id is not None)
        return tuple(claim for claim in claims if claim is not None)

    def ids_of_instance(self, instance_uuid: UUID) -> tuple[UUID, ...]:
        """The claims of an instance, those included that are being written for the first time."""
        ids = (slots.get(instance_uuid) for slots in (self._by_instance, self._arriving))
        return tuple(claim_id for claim_id in ids if claim_id is not None)

    def of_move(self, move_id: UUID) -> tuple[Claim, ...]:
        """The claims here that are, or last were, one end of a move; the source first."""
        ids = self._by_move.get(move_id, ())
        return tuple(sorted(map(self._claims.__getitem__, ids), key=source_first))

    def moving(self) -> tuple[Claim, ...]:
        """The claims that are one end of an open move."""
        ends = (self._claims[claim_id] for ids in self._by_move.values() for claim_id in ids)
        return tuple(claim for claim in ends if claim.is_moving)

    def device_holders(self) -> dict[str, UUID]:
        """Claim by device address."""
        return {
            device.address: claim.id
            for claim in self._claims.values()
            for device in claim.placement.devices
        }

    def held_devices(self) -> Mapping[str, PlacedDevice]:
        """What claims hold, by address; the same mapping until a claim changes."""
        if self._held_at != self.changes:
            self._held_at = self.changes
            devices = (one.placement.devices for one in self._claims.values())
            self._held = MappingProxyType({one.address: one for held in devices for one in held})
        return self._held

    def list_claims(
        self,
        *,
        states: frozenset[ClaimState],
        instance_uuid: UUID | None,
        limit: int,
        marker: UUID | None,
    ) -> tuple[Claim, ...]:
        """Live claims by ascending id, after `marker`."""
        found: list[Claim] = []
        for claim_id in self._ids_after(marker):
            claim = self._claims[claim_id]
            if claim.state in states and instance_uuid in (None, claim.instance_uuid):
                found.append(claim)
            if len(found) == limit:
                break
        return tuple(found)

    def _ids_after(self, marker: UUID | None) -> Iterator[UUID]:
        start = 0 if marker is None else bisect_right(self._ids, marker)
        return (self._ids[index] for index in range(start, len(self._ids)))

    def publish(self, claims: Iterable[Claim]) -> None:
        """Show claims in their new durable form; ended ones leave."""
        for claim in claims:
            self.changes += 1
            self.touch(claim.id)
            self._count(claim)
            if claim.state.live:
                self._keep(claim)
            else:
                self._drop(claim)

    def _count(self, claim: Claim) -> None:
        before = self._claims.get(claim.id)
        if before is not None:
            self._states[before.state] -= 1
        if claim.state.live:
            self._states[claim.state] += 1

    def _keep(self, claim: Claim) -> None:
        before = self._claims.get(claim.id)
        if before is None:
            insort(self._ids, claim.id)
        elif before.move is not None:
            self._forget_move(before)
        self._claims[claim.id] = claim
        if claim.move is not None:
            self._by_move.setdefault(claim.move.id, set()).add(claim.id)
        if claim.instance_uuid is not None:
            self.forget_instance(claim.instance_uuid, claim.id)
            slots = self._arriving if claim.is_arriving else self._by_instance
            slots[claim.instance_uuid] = claim.id

    def _drop(self, claim: Claim) -> None:
        before = self._claims.pop(claim.id, None)
        if before is not None:
            del self._ids[bisect_left(self._ids, claim.id)]
            self._forget_move(before)
        self.forget_instance(claim.instance_uuid, claim.id)

    def _forget_move(self, claim: Claim) -> None:
        if claim.move is None:
            return
        ends = self._by_move[claim.move.id]
        ends.discard(claim.id)
        if not ends:
            del self._by_move[claim.move.id]

    def reserve_instance(self, instance_uuid: UUID | None, claim_id: UUID) -> None:
        """Make sure that nobody else claims for the instance while this claim is being written.

        Raises:
            InstanceClaimed: it holds another claim, or one is being written.
        """
        if instance_uuid is None:
            return
        self._require_free(self._arriving, instance_uuid, claim_id)
        self._require_free(self._by_instance, instance_uuid, claim_id)
        self._by_instance[instance_uuid] = claim_id

    def reserve_arrival(self, instance_uuid: UUID, claim_id: UUID) -> None:
        """The same for a claim that the instance moves to; it may hold one here.

        Raises:
            InstanceClaimed: it is on its way here already, or a claim for it is being written.
        """
        self._require_free(self._arriving, instance_uuid, claim_id)
        if self._by_instance.get(instance_uuid) not in self._claims:
            self._require_free(self._by_instance, instance_uuid, claim_id)
        self._arriving[instance_uuid] = claim_id

    def _require_free(
        self, slots: Mapping[UUID, UUID], instance_uuid: UUID, claim_id: UUID
    ) -> None:
        holding = slots.get(instance_uuid, claim_id)
        if holding != claim_id:
            raise InstanceClaimed(
                f"instance {instance_uuid} already holds claim {holding} on this host; "
                "release that one first, or ask with its claim id",
                instance_uuid=str(instance_uuid),
                claim_id=str(holding),
            )

    def forget_instance(self, instance_uuid: UUID | None, claim_id: UUID) -> None:
        """End a reservation that did not become a claim, or that of a claim that ended."""
        for slots in (self._by_instance, self._arriving):
            if instance_uuid is not None and slots.get(instance_uuid) == claim_id:
                del slots[instance_uuid]

    @asynccontextmanager
    async def turn(self, *claim_ids: UUID) -> AsyncIterator[None]:
        """Be the only one who changes these claims; taken in order of id, so turns cannot deadlock.

        Raises:
            OutcomeUnknown: an earlier write of one of them is still in doubt.
        """
        ordered = sorted(set(claim_ids))
        taken: list[UUID] = []
        try:
            for claim_id in ordered:
                await self._take_turn(claim_id)
                taken.append(claim_id)
            self._require_settled(ordered)
            yield
        finally:
            for claim_id in taken:
                self._end_turn(claim_id)

    @asynccontextmanager
    async def turns(self, find_ids: Callable[[], frozenset[UUID]]) -> AsyncIterator[None]:
        """The turns of all that are found; which these are may change until they are taken.

        Raises:
            OutcomeUnknown: an earlier write of one of them is still in doubt.
        """
        while True:
            ids = find_ids()
            async with self.turn(*ids):
                if ids == find_ids():
                    yield
                    return

    async def _take_turn(self, claim_id: UUID) -> None:
        turn = self._turns.setdefault(claim_id, _Turn())
        turn.users += 1
        self.touch(claim_id)
        try:
            await turn.lock.acquire()
        except BaseException:
            self._leave(claim_id, turn)
            raise

    def _end_turn(self, claim_id: UUID) -> None:
        turn = self._turns[claim_id]
        turn.lock.release()
        self._leave(claim_id, turn)

    def _leave(self, claim_id: UUID, turn: _Turn) -> None:
        turn.users -= 1
        if turn.users == 0:
            del self._turns[claim_id]

    def _require_settled(self, claim_ids: Iterable[UUID]) -> None:
        for claim_id in claim_ids:
            if claim_id in self._in_doubt:
                raise OutcomeUnknown(
                    f"an earlier write of claim {claim_id} may or may not be durable; "
                    "what it holds stays held until that is known: ask again",
                    claim_id=str(claim_id),
                )

    def is_changing(self, claim_id: UUID) -> bool:
        """Whether somebody has its turn or waits for it, or an earlier write of it is in doubt."""
        return claim_id in self._turns or claim_id in self._in_doubt

    def doubt(self, claim_ids: Iterable[UUID]) -> None:
        """Nobody may change these until `settle`."""
        self._in_doubt.update(claim_ids)

    def settle(self, claim_ids: Iterable[UUID]) -> None:
        """Their outcome is known."""
        self._in_doubt.difference_update(claim_ids)

    def touch(self, claim_id: UUID) -> None:
        """Tell those who compare that this claim is changing."""
        for watch in self._watches:
            watch.add(claim_id)

    @contextmanager
    def watch(self) -> Iterator[set[UUID]]:
        """Collects the ids of all claims that change, or are being changed, meanwhile."""
        seen = set(self._turns) | self._in_doubt
        self._watches.append(seen)
        try:
            yield seen
        finally:
            self._watches.remove(seen)


def source_first(claim: Claim) -> tuple[bool, UUID]:
    """A key by which the ends of a move are in order."""
    return claim.move is not None and claim.move.side is Side.DESTINATION, claim.id
