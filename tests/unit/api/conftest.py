"""A small simulated host behind the API, in real time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.serving import Served, serving

from innkeeper.api.connections import DEFAULT_LIMITS, Limits
from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture
def serve(short_dir: Path) -> Serve:
    @asynccontextmanager
    async def start(
        limits: Limits = DEFAULT_LIMITS, config: Config | None = None
    ) -> AsyncIterator[Served]:
        clock = SystemClock()
        config = config or Config()
        store = SqliteStore(short_dir / "innkeeper.sqlite3", node="test", clock=clock)
        driver = SimulatedDriver("cpus=4,cells=1,memory=4GiB")
        async with (
            Tracker(node="test", store=store, driver=driver, config=config) as tracker,
            serving(tracker, short_dir, config=config, limits=limits) as served,
        ):
            yield served

    return start
