"""A host in one process: real core, real store, simulated machine, virtual time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import anyio
import pytest

from innkeeper.config import Config, DeviceSpec
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.store.base import Store
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker


class VirtualClock:
    """Time that moves only when a test moves it."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._moved = anyio.Event()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        due = self._elapsed + seconds
        while self._elapsed < due:
            await self._moved.wait()

    async def advance(self, seconds: float) -> None:
        """Move on, and let whoever slept until then run."""
        await anyio.wait_all_tasks_blocked()
        self._elapsed += seconds
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
        await anyio.wait_all_tasks_blocked()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def config() -> Config:
    """Everything of the simulated host may be handed out."""
    return Config(devices=(DeviceSpec(),))


class MakeTracker(Protocol):
    """Makes trackers of one node on one database; entered one after another, they are restarts."""

    def __call__(
        self,
        spec: str = ...,
        *,
        driver: Driver | None = ...,
        wrap: Callable[[Store], Store] = ...,
        config: Config | None = ...,
        hypervisor: Hypervisor | None = ...,
    ) -> Tracker: ...


def _as_it_is(store: Store) -> Store:
    return store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "innkeeper.sqlite3"


@pytest.fixture
def make_tracker(database: Path, clock: VirtualClock, config: Config) -> MakeTracker:
    words = config

    def make(
        spec: str = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4",
        *,
        driver: Driver | None = None,
        wrap: Callable[[Store], Store] = _as_it_is,
        config: Config | None = None,
        hypervisor: Hypervisor | None = None,
    ) -> Tracker:
        return Tracker(
            node="test",
            store=wrap(SqliteStore(database, node="test", clock=clock)),
            driver=driver or SimulatedDriver(spec),
            config=words if config is None else config,
            clock=clock,
            hypervisor=hypervisor,
        )

    return make
