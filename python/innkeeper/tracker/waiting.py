"""Claims that wait for room: one line, first come, first served.

Only the head of the line is tried, so a large request at the head is not starved by small ones
behind it. A claim that does not wait is decided at once against what is free at that moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

import anyio

from innkeeper import _core
from innkeeper.errors import BadRequest, Draining, InnkeeperError, NoFit, TooManyWaiting, Undecided
from innkeeper.objects import Placement, Request
from innkeeper.tracker.alarms import Alarms
from innkeeper.tracker.convert import book


@dataclass(slots=True, eq=False)
class _Waiter:
    claim_id: UUID
    words: Request
    """The caller's own."""
    request: Request
    """The same as the ledger takes it."""
    done: anyio.Event = field(default_factory=anyio.Event)
    placement: Placement | None = None
    error: InnkeeperError | None = None


class WaitingLine:
    """Books for whoever is at the head as soon as it fits."""

    def __init__(self, ledger: _core.Ledger, alarms: Alarms, *, most: int) -> None:
        self._ledger = ledger
        self._alarms = alarms
        self._most = most
        self._line: deque[_Waiter] = deque()

    def __len__(self) -> int:
        return len(self._line)

    async def book(
        self, claim_id: UUID, words: Request, resolved: Request, *, wait_seconds: float
    ) -> Placement:
        """Book when it is this request's turn and it fits.

        `words` are the caller's, `resolved` the same as the ledger takes it.

        Raises:
            NoFit: at once when it would not fit an empty host, else at the deadline.
            TooManyWaiting: the line is full.
            Draining: the tracker is stopping.
        """
        if not self._line or self._never_fits(resolved):
            try:
                return book(self._ledger, claim_id, words, resolved)
            except NoFit:
                if self._never_fits(resolved):
                    raise
        return await self._wait(_Waiter(claim_id, words, resolved), wait_seconds)

    async def _wait(self, waiter: _Waiter, wait_seconds: float) -> Placement:
        self._join(waiter)
        alarm = self._alarms.after(wait_seconds, lambda: self._give_up(waiter))
        try:
            await waiter.done.wait()
        except BaseException:
            self._leave(waiter)
            raise
        finally:
            self._alarms.cancel(alarm)
        return self._answer(waiter)

    def _join(self, waiter: _Waiter) -> None:
        if len(self._line) >= self._most:
            raise TooManyWaiting(
                f"{len(self._line)} claims are waiting already, the most that `claims.max_waiting` "
                "allows; ask again later, or without waiting",
                waiting=len(self._line),
            )
        self._line.append(waiter)

    def _answer(self, waiter: _Waiter) -> Placement:
        if waiter.error is not None:
            raise waiter.error
        if waiter.placement is None:
            return book(self._ledger, waiter.claim_id, waiter.words, waiter.request)
        return waiter.placement

    def _give_up(self, waiter: _Waiter) -> None:
        """The deadline: the waiter's own last try gives its answer."""
        if not waiter.done.is_set():
            self._line.remove(waiter)
            waiter.done.set()
            self.serve()

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.done.is_set():
            if waiter.placement is not None:
                self._ledger.unbook(str(waiter.claim_id))
        else:
            self._line.remove(waiter)
        self.serve()

    def serve(self) -> None:
        """Room may have come: book for the head of the line while it fits."""
        while self._line and self._serve_head(self._line[0]):
            self._line.popleft().done.set()

    def _serve_head(self, waiter: _Waiter) -> bool:
        try:
            waiter.placement = book(self._ledger, waiter.claim_id, waiter.words, waiter.request)
        except (NoFit, Undecided) as error:
            if not self._never_fits(waiter.request):
                return False
            # The host shrank: it would block the line for nothing.
            waiter.error = error
        except InnkeeperError as error:
            waiter.error = error
        return True

    def _never_fits(self, request: Request) -> bool:
        """Not even on the empty host; what cannot be told is worth waiting for."""
        try:
            return not self._ledger.could_fit(request)
        except Undecided:
            return False

    def reword(self, resolve: Callable[[Request], Request]) -> None:
        """The operator's words changed: who waits for one that is gone is sent away."""
        for waiter in tuple(self._line):
            try:
                waiter.request = resolve(waiter.words)
            except BadRequest as error:
                waiter.error = error
                self._line.remove(waiter)
                waiter.done.set()

    def refuse_all(self) -> None:
        """Send everybody away: the tracker is stopping."""
        while self._line:
            waiter = self._line.popleft()
            waiter.error = Draining("the daemon is stopping; ask again when it is back")
            waiter.done.set()
