"""A tracker that keeps Nova's tables, in the loop of a test, and the stories that it is told over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.crash.kill.remains import Remains, look
from tests.crash.kill.stories import HERE, Ask, Story, stories
from tests.scenario.conftest import VirtualClock
from tests.serving import Served, serving

from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.objects import Host
from innkeeper.service.premises import DATABASE_NAME
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

SPEC = f"cpus=16,cells=2,threads=2,memory=16GiB,pfs=1,vfs=8,name={HERE}"
CONFIG = Config.model_validate(
    {
        "cpus": {"shared": "0-1,4-5,8-9,12-13", "dedicated": "2-3,6-7,10-11,14-15"},
        "reserved": {"memory_mib": 0},
        "devices": [{}],
        "nova": {"tables": "embedded"},
    }
)
STORIES = {story.name: story for story in stories()}


class FailingDriver(SimulatedDriver):
    """A host that a test can make unreadable."""

    broken: Exception | None = None

    def observe(self) -> Host:
        if self.broken is not None:
            raise self.broken
        return super().observe()


class Process:
    """One tracker on one folder, its store and its clock."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / DATABASE_NAME
        self.clock = VirtualClock()
        self.driver = FailingDriver(SPEC)
        self.store = SqliteStore(self.database, node=HERE, clock=self.clock)
        self.tracker = Tracker(
            node=HERE, store=self.store, driver=self.driver, config=CONFIG, clock=self.clock
        )

    async def look(self) -> Remains:
        return await look(self.tracker, self.database, tables="embedded")


@asynccontextmanager
async def alive(folder: Path) -> AsyncIterator[Process]:
    process = Process(folder)
    async with process.tracker:
        yield process


@asynccontextmanager
async def asked(folder: Path, socket: Path) -> AsyncIterator[tuple[Process, Served]]:
    """A process that can be asked over HTTP, as the stories are told."""
    async with alive(folder) as process, serving(process.tracker, socket, config=CONFIG) as served:
        yield process, served


async def take(served: Served, ask: Ask) -> int:
    """The status of the answer."""
    answer = await served.client.request(ask.method, ask.path, json=ask.body)
    return answer.status_code


async def tell(served: Served, story: Story) -> None:
    """What comes before its step."""
    for ask in story.before:
        assert await take(served, ask) < 300
