"""The one thread that writes: it takes all that waits, writes it in one transaction, and tells.

A batch that was rolled back is tried again one change set at a time, so that only the guilty fails.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar

import structlog
from sqlalchemy import Connection

from innkeeper.errors import (
    InnkeeperError,
    OutcomeUnknown,
    StoreFenced,
    StoreLocked,
    StoreUnreachable,
)
from innkeeper.store.base import Commit, StoreStatistics
from innkeeper.store.batch import Batcher, Position
from innkeeper.store.nova.projection import Projection
from innkeeper.store.rows import EncodedChangeSet
from innkeeper.store.transactions import Transactions

log = structlog.get_logger(__name__)

T = TypeVar("T")
W = TypeVar("W")

MOST_CHANGE_SETS: Final = 512
MOST_BYTES: Final = 8 * 2**20
"""Of JSON in one batch; a change set that is larger goes alone."""

SHARED_FAULTS = (StoreLocked, StoreFenced, StoreUnreachable, OutcomeUnknown)
"""Of these no single change set is guilty: trying each alone would only repeat them."""

Errand = Callable[[Transactions], Any]
"""Work of another kind than change sets; it comes alone and in its turn."""


class Waiting(Generic[W]):
    """Work on the way to the thread, and who waits for its answer."""

    __slots__ = ("_answer", "_error", "_future", "work")

    def __init__(self, work: W, future: asyncio.Future[Any]) -> None:
        self.work = work
        self._future = future
        self._answer: object = None
        self._error: InnkeeperError | None = None

    def succeed(self, answer: object) -> None:
        """In the thread: keep the answer."""
        self._answer = answer

    def fail(self, error: InnkeeperError) -> None:
        """In the thread: keep the error; each waiter gets its own, since tracebacks are added."""
        self._error = type(error)(error.message, **error.details)
        self._error.__cause__ = error.__cause__

    def deliver(self) -> None:
        """On the event loop: tell whoever still waits; who was cancelled asks no more."""
        if self._future.done():
            return
        if self._error is not None:
            self._future.set_exception(self._error)
        else:
            self._future.set_result(self._answer)


class Writer:
    """Takes work on the event loop that started it, and does it in order in its thread."""

    def __init__(
        self, transactions: Transactions, projection: Projection, now_us: Callable[[], int]
    ) -> None:
        self._transactions = transactions
        self._batcher = Batcher(transactions.owner, projection)
        self._now_us = now_us
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting[Any] | None] = SimpleQueue()
        self._held_back: Waiting[Any] | None = None
        self._stopping = False
        self._change_sets = self._batches = self._largest_batch = self._retried = 0
        self._thread = threading.Thread(target=self._run, name="innkeeper-writer", daemon=True)
        self._thread.start()

    async def write(self, change_set: EncodedChangeSet) -> Commit:
        """Until it is durable or known not to be; the caller's cancellation changes nothing.

        Raises:
            StoreError
        """
        commit: Commit = await self._submit(change_set)
        return commit

    async def run(self, errand: Callable[[Transactions], T]) -> T:
        """Run an errand after all that was submitted before it.

        Raises:
            StoreError
        """
        answer: T = await self._submit(errand)
        return answer

    def stop(self) -> None:
        """Finish what waits and let go of the database; blocks, so not for the event loop."""
        self._queue.put(None)
        self._thread.join()
        self._transactions.close()

    def statistics(self) -> StoreStatistics:
        """Counts since the start."""
        return StoreStatistics(
            change_sets=self._change_sets,
            batches=self._batches,
            largest_batch=self._largest_batch,
            retried=self._retried,
        )

    def _submit(self, work: object) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._queue.put(Waiting(work, future))
        return future

    # -- in the thread -------------------------------------------------------------------------

    def _run(self) -> None:
        while waiting := self._take():
            if isinstance(waiting[0].work, EncodedChangeSet):
                self._write(waiting)
            else:
                self._run_errand(waiting[0])
            self._tell(waiting)

    def _take(self) -> list[Waiting[Any]]:
        """What waits, up to the limits of a batch; an errand comes alone, nothing comes at the end."""
        first = self._next(block=True)
        if first is None or not isinstance(first.work, EncodedChangeSet):
            return [] if first is None else [first]
        taken, size = [first], first.work.size
        while len(taken) < MOST_CHANGE_SETS and (other := self._next(block=False)) is not None:
            if not isinstance(other.work, EncodedChangeSet) or size + other.work.size > MOST_BYTES:
                self._held_back = other
                break
            taken.append(other)
            size += other.work.size
        return taken

    def _next(self, *, block: bool) -> Waiting[Any] | None:
        held, self._held_back = self._held_back, None
        if held is not None or self._stopping:
            return held
        try:
            found = self._queue.get(block=block)
        except Empty:
            return None
        self._stopping = found is None
        return found

    def _tell(self, waiting: Sequence[Waiting[Any]]) -> None:
        def deliver() -> None:
            for each in waiting:
                each.deliver()

        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(deliver)

    def _write(self, waiting: Sequence[Waiting[EncodedChangeSet]]) -> None:
        change_sets = [each.work for each in waiting]

        def work(connection: Connection, old: Position) -> tuple[Position, list[Commit]]:
            return self._batcher.write(connection, old, change_sets, self._now_us())

        try:
            commits = self._transactions.run(work)
        except InnkeeperError as error:
            self._take_apart(waiting, error)
            return
        for each, commit in zip(waiting, commits, strict=True):
            each.succeed(commit)
        self._count(len(waiting))

    def _take_apart(
        self, waiting: Sequence[Waiting[EncodedChangeSet]], error: InnkeeperError
    ) -> None:
        log.error("batch not written", change_sets=len(waiting), code=error.code, error=str(error))
        shared = self._transactions.in_doubt or isinstance(error, SHARED_FAULTS)
        if shared or len(waiting) == 1:
            for each in waiting:
                each.fail(error)
            return
        self._retried += len(waiting)
        for each in waiting:
            self._write([each])

    def _run_errand(self, waiting: Waiting[Errand]) -> None:
        try:
            waiting.succeed(waiting.work(self._transactions))
        except InnkeeperError as error:
            waiting.fail(error)

    def _count(self, change_sets: int) -> None:
        self._change_sets += change_sets
        self._batches += 1
        self._largest_batch = max(self._largest_batch, change_sets)
