"""A tracker whose process dies: what it had in memory is gone, and its files are as they were.

The files are copied by the only thread that writes them, so they are what a killed process leaves
between two transactions. A death in the middle of a step is one before its change set reached the
store, or one after it was written and before anybody was told.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import wait
from contextlib import ExitStack
from datetime import datetime, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import anyio
from anyio.from_thread import start_blocking_portal
from tests.scenario.conftest import VirtualClock
from tests.scenario.hosts import HostOfSpec

from innkeeper.config import Config
from innkeeper.errors import BadConfig, InnkeeperError, OutcomeUnknown
from innkeeper.objects import ChangeSet
from innkeeper.store.base import Commit, Store
from innkeeper.store.sqlite import SqliteStore
from innkeeper.store.transactions import Transactions
from innkeeper.tracker import Tracker

NODE = "test"
DATABASE = "innkeeper.sqlite3"
MEMORY = Path("/dev/shm")
"""Where a sync takes no time: what dies here is a process, and never the power."""
ROUNDS = 3
"""How often nothing may happen until nothing is believed to happen any more."""

T = TypeVar("T")
Step = Callable[[Tracker], Awaitable[Any]]


class TwoClocks(VirtualClock):
    """Virtual time whose wall clock an operator may set, forward and back."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0
        """Seconds."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)


class Fate(Enum):
    """What becomes of the process while a step is taken."""

    LIVES = "lives"
    DIES_BEFORE = "dies before it is written"
    DIES_AFTER = "dies after it is written"


class MortalStore:
    """A real store; at the next change set of claims its process may die."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.fate = Fate.LIVES
        self.reached = False
        self.dying = anyio.Event()
        self.dead = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change_set: ChangeSet) -> Commit:
        if not change_set.claims or self.fate is Fate.LIVES:
            return await self._store.apply(change_set)
        if self.fate is Fate.DIES_AFTER:
            await self._store.apply(change_set)
        self.reached = True
        self.dying.set()
        await self.dead.wait()
        raise OutcomeUnknown("nobody is there to be told")

    async def in_writer(self, errand: Callable[[Transactions], T]) -> T:
        """After all that was submitted, while nothing is written."""
        writer = self._store._writer
        assert writer is not None
        return await writer.run(errand)


class MortalTracker:
    """One host, its files, and one tracker after another."""

    def __init__(self, config: Config, spec: str) -> None:
        self.config = config
        self.clock = TwoClocks()
        self.host = HostOfSpec(spec)
        self.whole = self.spec = spec
        self.deaths = 0
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())
        folder = TemporaryDirectory(prefix="ik-", dir=MEMORY if MEMORY.is_dir() else None)
        self._root = Path(self._stack.enter_context(folder))
        self._begin()

    @property
    def database(self) -> Path:
        return self._root / str(self.deaths) / DATABASE

    @property
    def is_whole(self) -> bool:
        """Whether the host has all that it had at first."""
        return self.spec == self.whole

    def run(self, step: Callable[[], Awaitable[T]]) -> T:
        """In the event loop of the tracker."""
        return self._portal.call(step)

    def become(self, spec: str) -> None:
        """Another host, seen when somebody looks."""
        self.spec = spec
        self.host.become(spec)

    def take(self, step: Step, fate: Fate) -> bool:
        """Whether what the step does is durable; raises what it was refused with."""
        if fate is Fate.LIVES:
            self.run(partial(step, self.tracker))
            return True
        refusal = self.run(partial(self._die, step, fate))
        reached = self.store.reached
        self._end()
        self._bury()
        if not reached and refusal is not None:
            raise refusal
        return not reached or fate is Fate.DIES_AFTER

    def die(self) -> None:
        """Between two steps."""
        self.take(_nothing, Fate.DIES_BEFORE)

    async def _die(self, step: Step, fate: Fate) -> InnkeeperError | None:
        self.store.fate = fate
        refusals: list[InnkeeperError] = []
        async with anyio.create_task_group() as group:
            group.start_soon(self._take_last, step, refusals)
            await self.store.dying.wait()
            await self.store.in_writer(self._copy)
            self.store.dead.set()
        return next(iter(refusals), None)

    async def _take_last(self, step: Step, refusals: list[InnkeeperError]) -> None:
        try:
            await step(self.tracker)
        except InnkeeperError as refusal:
            refusals.append(refusal)
        self.store.dying.set()

    def _copy(self, _: Transactions) -> None:
        """Index and locks are the kernel's and go with the process."""
        grave = self._root / str(self.deaths + 1)
        grave.mkdir()
        for name in (DATABASE, f"{DATABASE}-wal"):
            if (left := self.database.with_name(name)).exists():
                shutil.copyfile(left, grave / name)

    def _bury(self) -> None:
        shutil.rmtree(self.database.parent)
        self.deaths += 1
        self._begin()

    def _begin(self) -> None:
        """Where nothing is held, a host without the CPUs that the words name starts no daemon."""
        try:
            self._start()
        except BadConfig:
            self.become(self.whole)
            self._start()
        self._life = self._portal.start_task_soon(self.tracker.run)

    def _start(self) -> None:
        self.database.parent.mkdir(exist_ok=True)
        store = SqliteStore(self.database, node=NODE, clock=self.clock)
        self.store = MortalStore(store)
        self.tracker = Tracker(
            node=NODE,
            store=cast("Store", self.store),
            driver=self.host,
            config=self.config,
            clock=self.clock,
        )
        try:
            self.run(self.tracker.start)
        except BadConfig:
            self.run(self.tracker.close)
            raise

    def _end(self) -> None:
        self._life.cancel()
        wait([self._life])
        self.run(self.tracker.close)

    def close(self) -> None:
        """The end of the test."""
        self._end()
        self._stack.close()

    async def calm_down(self) -> None:
        """Until what time or a start set off is done."""
        calm = 0
        parts = self.tracker._parts
        while calm < ROUNDS:
            before = parts.register.changes
            await anyio.wait_all_tasks_blocked()
            await self.store.in_writer(lambda _: None)
            calm = calm + 1 if parts.register.changes == before else 0


async def _nothing(_: Tracker) -> None:
    """The process dies while nobody asks for anything."""
