"""One step made durable: written, not written, or unknown until the store can tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import anyio
import structlog

from innkeeper.clock import Clock
from innkeeper.errors import OutcomeUnknown, StoreError
from innkeeper.objects import ChangeSet, Claim, Event
from innkeeper.objects.cordon import Cordon
from innkeeper.store.base import Commit, Store
from innkeeper.tracker.history.news import News
from innkeeper.tracker.nova.rows import NoRows, Rows
from innkeeper.tracker.register import Register

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
"""Between two look-ups of a step whose outcome is unknown."""


def nothing() -> None:
    """What an outcome means where it means nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """A change set, and what it means for the ledger when it is durable or lost."""

    change_set: ChangeSet
    landed: Callable[[], None] = nothing
    lost: Callable[[], None] = nothing

    def claim_ids(self) -> list[UUID]:
        """The claims that the step changes."""
        return [claim.id for claim in self.change_set.claims]


class Writer:
    """Takes steps to the store and their outcome back to ledger and register."""

    def __init__(self, node: str, store: Store, register: Register, clock: Clock) -> None:
        self._node = node
        self._store = store
        self._register = register
        self._clock = clock
        self._in_doubt: list[Step] = []
        self._doubt_arose = anyio.Event()
        self._writing = 0
        self._quiet = anyio.Event()
        self.generation = 0
        self.newest = 0
        """Sequence of the last event that is known to be durable."""
        self._before_doubt = 0
        self.news = News()
        """Rung whenever a step landed."""
        self.rows: Rows = NoRows()

    @property
    def in_doubt(self) -> int:
        """Steps whose outcome is unknown."""
        return len(self._in_doubt)

    @property
    def sequence(self) -> int:
        """Of all events up to this one the steps have landed, whatever is still in doubt."""
        return self._before_doubt if self._in_doubt else self.newest

    async def write(
        self,
        claims: Sequence[Claim] = (),
        events: Sequence[Event] = (),
        *,
        cordons: Sequence[Cordon] = (),
        landed: Callable[[], None] = nothing,
        lost: Callable[[], None] = nothing,
    ) -> None:
        """Make the next form of claims durable with the history entries that say why.

        Raises:
            OutcomeUnknown: bookings stay held; `run` finds out.
            StoreError: nothing was written and the ledger is as before.
        """
        try:
            change_set = self._change_set(claims, events, cordons)
        except BaseException:
            lost()
            raise
        await self.write_step(Step(change_set, landed, lost))

    def _change_set(
        self, claims: Sequence[Claim], events: Sequence[Event], cordons: Sequence[Cordon]
    ) -> ChangeSet:
        return ChangeSet(
            id=uuid4(),
            node=self._node,
            claims=tuple(claims),
            events=tuple(events),
            cordons=tuple(cordons),
            records=self.rows.of_claims(claims),
        )

    async def write_step(self, step: Step) -> None:
        """Return once the step is durable and visible; the caller's cancellation cannot tear it.

        Raises:
            OutcomeUnknown: bookings stay held; `run` finds out.
            StoreError: nothing was written and the ledger is as before.
        """
        if self._writing == 0:
            self._quiet = anyio.Event()
        self._writing += 1
        self.rows.sent(step.change_set)
        try:
            with anyio.CancelScope(shield=True):
                await self._apply(step)
        finally:
            self._writing -= 1
            if self._writing == 0:
                self._quiet.set()

    async def _apply(self, step: Step) -> None:
        try:
            commit = await self._store.apply(step.change_set)
        except OutcomeUnknown as unknown:
            self._doubt(step)
            claim_ids = [str(claim_id) for claim_id in step.claim_ids()]
            raise OutcomeUnknown(unknown.message, claim_ids=claim_ids) from unknown
        except anyio.get_cancelled_exc_class():
            # The shield does not hold off asyncio's own cancel (`wait_for`), and the store goes on
            # writing: whether it lands is found out as after a lost connection.
            self._doubt(step)
            raise
        except BaseException:
            self._lose(step)
            raise
        self._land(step, commit)

    def _land(self, step: Step, commit: Commit) -> None:
        self.generation = max(self.generation, commit.generation)
        self.newest = max(self.newest, commit.sequence)
        for finding in commit.findings:
            log.warning("row of nova is not as it was to be", finding=finding.message)
        self._register.publish(step.change_set.claims)
        self.rows.landed(step.change_set)
        step.landed()
        self.news.ring()

    def _lose(self, step: Step) -> None:
        self.rows.lost(step.change_set)
        step.lost()

    def _doubt(self, step: Step) -> None:
        log.error("step in doubt", change_set=str(step.change_set.id), claims=step.claim_ids())
        self._register.doubt(step.claim_ids())
        self._before_doubt = self.sequence
        self._in_doubt.append(step)
        self._doubt_arose.set()

    async def run(self) -> None:
        """Settle steps in doubt until cancelled."""
        while True:
            if not self._in_doubt:
                self._doubt_arose = anyio.Event()
                await self._doubt_arose.wait()
            await self._settle_all()
            await self._clock.sleep(RETRY_SECONDS)

    async def _settle_all(self) -> None:
        for step in tuple(self._in_doubt):
            try:
                applied = await self._store.was_applied(step.change_set.id)
            except StoreError as error:
                log.warning("step still in doubt", code=error.code, error=error.message)
                return
            self._settle(step, applied=applied)

    def _settle(self, step: Step, *, applied: bool) -> None:
        self._in_doubt.remove(step)
        self._register.settle(step.claim_ids())
        if applied:
            self._land(step, Commit(generation=self.generation + 1, sequence=0))
        else:
            self._lose(step)
        log.info("step settled", change_set=str(step.change_set.id), applied=applied)

    async def wait_quiet(self) -> None:
        """Until no write is under way."""
        while self._writing:
            await self._quiet.wait()
