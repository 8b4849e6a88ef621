"""Nova's own accounting of cells on what innkeeper wrote: rows of a node and of its instances."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

import anyio.to_thread
import pytest
from tests.interop.conftest import Ask

from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.errors import BadRequest, NoFit
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimUpdate,
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    Holder,
    Request,
    ThreadPolicy,
)
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.topology import PageWant
from innkeeper.requests.numa_words.nova_topology import nova_of_guest
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

STEPS = 40
HOST = "cpus=32,threads=2,cells=4,memory=16GiB,pages_2m=1024"
RATIOS = (2.0, 1.0)
CONFIG = Config.model_validate(
    {
        "nova": {"tables": "embedded"},
        "cpus": {"shared": "0-1,8-9,16-17,24-25", "dedicated": "2-7,10-15,18-23,26-31"},
        "ratios": {"vcpus": RATIOS[0], "memory": RATIOS[1]},
        "reserved": {"memory_mib": 0},
    }
)
ANN = Holder(user="ann")
POLICIES = (None, ThreadPolicy.PREFER, ThreadPolicy.REQUIRE, ThreadPolicy.ISOLATE)
"""Those that Nova has, too."""
PAGES: tuple[PageWant | None, ...] = (None, "small", "large", 2048)


@asynccontextmanager
async def tracker_on(database: Path) -> AsyncIterator[Tracker]:
    clock = SystemClock()
    store = SqliteStore(database, node="host", clock=clock)
    driver = SimulatedDriver(HOST)
    async with Tracker(
        node="host", store=store, driver=driver, config=CONFIG, clock=clock
    ) as tracker:
        yield tracker


def read(path: Path) -> tuple[str, list[str]]:
    """As a program that knows only the tables."""
    with closing(sqlite3.connect(path)) as connection:
        ((host,),) = connection.execute("SELECT numa_topology FROM compute_nodes WHERE deleted = 0")
        guests = connection.execute(
            "SELECT e.numa_topology FROM instances i JOIN instance_extra e ON e.instance_uuid = i.uuid "
            "WHERE i.deleted = 0 AND i.host = 'host' AND e.numa_topology IS NOT NULL"
        )
        return host, [text for (text,) in guests]


class Wishes:
    """Random guests, of every policy that Nova has."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def guest(self) -> Request:
        kind = self._random.choice(("shared", "dedicated", "mixed"))
        threads = self._random.choice(POLICIES) if kind != "shared" else None
        isolate = self._random.random() < 0.3 and kind != "shared"
        return self._request(
            kind, threads, EmulatorThreads.ISOLATE if isolate else None, self._random.choice(PAGES)
        )

    def agreed(self) -> Iterator[Request]:
        """Of those the ones about which both have the same rules, of equal cells.

        Nova refuses whole cores to `isolate` on hosts such as this, edits the page sizes of unequal
        cells while it tries them, and counts hugepages among the memory of guests that share.
        """
        for threads in (None, ThreadPolicy.PREFER, ThreadPolicy.REQUIRE):
            for pages in (None, "small", 2048):
                yield self._request("dedicated", threads, None, pages)
        yield self._request("shared", None, None, "small")
        yield self._request("shared", None, None, 2048)

    def _request(
        self,
        kind: str,
        threads: ThreadPolicy | None,
        emulator: EmulatorThreads | None,
        pages: PageWant | None,
    ) -> Request:
        each, cells = self._random.randint(1, 4), self._random.randint(1, 3)
        memory_mib = self._random.choice((2, 64, 256, 768))
        floating = {"shared": each, "dedicated": 0, "mixed": (each + 1) // 2}[kind]
        made = tuple(_cell(number * each, each, floating, memory_mib) for number in range(cells))
        topology = GuestTopology(
            cells=made, pages=pages, threads=threads, emulator_threads=emulator
        )
        return Request(vcpus=each * cells, memory_mib=memory_mib * cells, topology=topology)


def _cell(first: int, vcpus: int, floating: int, memory_mib: int) -> GuestCell:
    numbers = range(first, first + vcpus)
    return GuestCell(
        shared=format_cpu_spec(numbers[:floating]),
        dedicated=format_cpu_spec(numbers[floating:]),
        memory_mib=memory_mib,
    )


async def step(tracker: Tracker, wishes: Wishes, random: Random) -> None:
    """A guest comes, grows, shrinks or goes."""
    claims = await tracker.list_claims()
    if not claims or random.random() < 0.6:
        spec = ClaimSpec(instance_uuid=uuid4(), request=wishes.guest(), holder=ANN)
        try:
            await tracker.place(spec)
        except NoFit:
            return
    elif random.random() < 0.5:
        await resize(tracker, random.choice(claims), random)
    else:
        await tracker.release(random.choice(claims).id, by=ANN)


async def resize(tracker: Tracker, claim: Claim, random: Random) -> None:
    cells = len(claim.placement.cells)
    change = ClaimUpdate(
        vcpus=cells * random.randint(1, 4), memory_mib=cells * random.choice((2, 64, 256, 768))
    )
    try:
        await tracker.update(claim.id, change, by=ANN)
    except (NoFit, BadRequest):
        return


def fits(tracker: Tracker, request: Request) -> bool:
    try:
        tracker.fit(request)
    except NoFit:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
async def test_nova_counts_the_same_and_says_yes_where_it_fits(
    nova: Ask, tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    wishes, path, said = Wishes(random), tmp_path / "innkeeper.sqlite3", [0, 0]
    async with tracker_on(path) as tracker:
        for _ in range(STEPS):
            await step(tracker, wishes, random)
            host, guests = await anyio.to_thread.run_sync(read, path)
            assert len(guests) == tracker.usage().claims
            asked = list(wishes.agreed())
            primitives = [
                nova_of_guest(one.topology).to_primitive() for one in asked if one.topology
            ]
            question = partial(
                nova, do="cells", host=host, guests=guests, limits=RATIOS, asked=primitives
            )
            answer = await anyio.to_thread.run_sync(question)
            assert "error" not in answer, answer
            assert answer["made"] == answer["told"]
            assert answer["left"] == answer["empty"]
            ours = [fits(tracker, one) for one in asked]
            for one, own, theirs in zip(asked, ours, answer["fits"], strict=True):
                assert own == theirs, one
                said[own] += 1
    assert min(said) > STEPS


async def test_what_guests_hold_is_counted_as_nova_counts_it(tmp_path: Path) -> None:
    """Every vCPU and all memory of each, whatever it is made of."""
    random, path = Random(7), tmp_path / "innkeeper.sqlite3"
    wishes = Wishes(random)
    async with tracker_on(path) as tracker:
        for _ in range(STEPS):
            await step(tracker, wishes, random)
            requests = [claim.request for claim in await tracker.list_claims()]
            totals = await anyio.to_thread.run_sync(_totals, path)
            assert totals == (
                sum(one.vcpus or 0 for one in requests),
                sum(one.memory_mib or 0 for one in requests),
                len(requests),
            )


def _totals(path: Path) -> tuple[int, int, int]:
    with closing(sqlite3.connect(path)) as connection:
        query = (
            "SELECT vcpus_used, memory_mb_used, running_vms FROM compute_nodes WHERE deleted = 0"
        )
        ((vcpus, memory_mib, claims),) = connection.execute(query)
        return vcpus, memory_mib, claims
