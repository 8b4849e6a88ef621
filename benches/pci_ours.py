"""What is timed on our side: the core through Python, and the tracker's sync with a store on disk."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import anyio
from benches.pci_figures import Sample, repeat, rounds, timed
from benches.pci_hosts import VF, config_of, host_of_vfs, request, specs
from sqlalchemy import Engine, event

from innkeeper import _core
from innkeeper.clock import Clock, SystemClock
from innkeeper.config import Config
from innkeeper.drivers.base import Change
from innkeeper.drivers.still import no_changes
from innkeeper.objects import Host, Request
from innkeeper.requests.admission import Admission
from innkeeper.requests.inventory import take_inventory
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker.audit.audits import Audits
from innkeeper.tracker.audit.findings import Findings
from innkeeper.tracker.audit.host_source import HostSource
from innkeeper.tracker.audit.repairs import Repairs
from innkeeper.tracker.cordons import Cordons
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.pools import NovaPools
from innkeeper.tracker.opening import open_parts
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import refresh

ID = "12345678-0000-0000-0000-{:012d}"


# -- in memory ---------------------------------------------------------------------------------


def ledger_of(host: Host, config: Config) -> _core.Ledger:
    """The host's functions and the operator's words to a ledger."""
    return _core.Ledger(take_inventory(host, config))


def first_sync(host: Host, config: Config, seconds: float) -> Sample:
    return repeat(lambda: ledger_of(host, config), seconds)


def fit(ledger: _core.Ledger, asked: Request, seconds: float) -> Sample:
    return repeat(lambda: ledger.fit(asked), seconds)


def claim_and_free(ledger: _core.Ledger, asked: Request, seconds: float) -> Sample:
    def once() -> None:
        ledger.book("bench", asked)
        ledger.unbook("bench")

    return repeat(once, seconds)


def fill(host: Host, config: Config, pattern: dict[str, str], count: int) -> Sample:
    """So many claims of one device each; the host is full after."""
    inventory = take_inventory(host, config)
    asked, ids = request(pattern, 1, cells=None), [ID.format(number) for number in range(count)]

    def once() -> float:
        ledger = _core.Ledger(inventory)

        def all_of_them() -> None:
            for claim_id in ids:
                ledger.book(claim_id, asked)

        took = timed(all_of_them)
        assert ledger.usage().claims == count
        return took

    return rounds(once, 5)


def nova_pools(host: Host, config: Config) -> tuple[NovaPools, str]:
    """The pools of a host where every device is free, and the address of one."""
    book, devices = DeviceBook(Admission()), take_inventory(host, config).devices
    book.observe(devices)
    return book.pools, devices[-1].address


# -- with a store on disk ------------------------------------------------------------------------


class Told:
    """A driver that observes what it was told."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def observe(self) -> Host:
        return self.host

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        return no_changes()


@dataclass(frozen=True, slots=True)
class Writes:
    """What was written meanwhile."""

    statements: int
    change_sets: int

    def __str__(self) -> str:
        if self == Writes(0, 0):
            return "writes nothing"
        return f"{self.statements} writing statements, {self.change_sets} transactions"


@dataclass(slots=True)
class Tracked:
    """A tracker's parts on a fresh database."""

    driver: Told
    parts: Parts
    audits: Audits
    statements: int = 0

    async def look(self, host: Host) -> float:
        """Seconds until what the host has now is in the ledger and on disk."""
        self.driver.host = host
        start = time.perf_counter()
        await self.audits.look()
        return time.perf_counter() - start

    def written(self) -> Writes:
        """Since the database was opened."""
        return Writes(self.statements, self.parts.store.statistics().change_sets)

    def count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.statements += statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE"))


@asynccontextmanager
async def tracked(host: Host, config: Config) -> AsyncIterator[Tracked]:
    driver, clock = Told(host), SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "innkeeper.sqlite3", node="bench", clock=clock)
        opening = await open_parts(
            node="bench", store=store, driver=driver, config=config, clock=clock
        )
        parts = opening.parts
        repairs = Repairs(parts, Findings(parts), ())
        told = Tracked(
            driver,
            parts,
            Audits(parts, driver, Cordons(parts), repairs, HostSource(parts, tuple)),
        )
        event.listen(Engine, "before_cursor_execute", told.count)
        try:
            yield told
        finally:
            event.remove(Engine, "before_cursor_execute", told.count)
            await store.close()


@dataclass(frozen=True, slots=True)
class Syncs:
    """A host's devices into the ledger and onto the disk."""

    first: Sample
    first_writes: Writes
    refresh: Sample
    """Nothing changed, in memory alone."""
    equal: Sample
    """The same, where the driver made every object anew."""
    unchanged: Sample
    """Nothing changed: the whole look at the host."""
    unchanged_writes: Writes
    change: Sample
    """One device less, or one more."""
    change_writes: Writes


def syncs(host: Host, config: Config, turns: int) -> Syncs:
    return anyio.run(_syncs, host, config, turns)


async def _syncs(host: Host, config: Config, turns: int) -> Syncs:
    first = []
    for _ in range(turns):
        async with tracked(vacated(host), config) as told:
            before = told.written()
            first.append(await told.look(host))
            first_writes = since(before, told.written())
    async with tracked(host, config) as told:
        before = told.written()
        unchanged = Sample([await told.look(host) for _ in range(50 * turns)][1:])
        unchanged_writes = since(before, told.written())
        in_memory = repeat(lambda: refresh(told.parts), 0.2)
        equal = [_equal_refresh(told.parts, made_anew(host)) for _ in range(turns)]
        less, before = without_last(host), told.written()
        change = Sample([await told.look(one) for _ in range(turns) for one in (less, host)])
        writes = since(before, told.written())
    per_change = Writes(writes.statements // (2 * turns), writes.change_sets // (2 * turns))
    return Syncs(
        first=Sample(first),
        first_writes=first_writes,
        refresh=in_memory,
        equal=Sample(equal),
        unchanged=unchanged,
        unchanged_writes=unchanged_writes,
        change=change,
        change_writes=per_change,
    )


def since(before: Writes, now: Writes) -> Writes:
    return Writes(now.statements - before.statements, now.change_sets - before.change_sets)


def _equal_refresh(parts: Parts, host: Host) -> float:
    parts.host = host
    return timed(lambda: refresh(parts))


def vacated(host: Host) -> Host:
    return host.model_copy(update={"functions": ()})


def made_anew(host: Host) -> Host:
    return host.model_copy(update={"functions": tuple(one.model_copy() for one in host.functions)})


def without_last(host: Host) -> Host:
    """Without its last device, the same objects otherwise."""
    return host.model_copy(update={"functions": host.functions[:-1]})


# -- memory ----------------------------------------------------------------------------------------


def peak_of_filled(vfs: int) -> tuple[int, int]:
    """Peak of a process in KiB, before it had devices and after it filled a host with claims."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_fill_and_tell, vfs).result()


def _fill_and_tell(vfs: int) -> tuple[int, int]:
    before = peak_kib()
    ledger, asked = (
        ledger_of(host_of_vfs(vfs), config_of(specs())),
        request(VF, 1, cells=None),
    )
    for number in range(vfs):
        ledger.book(ID.format(number), asked)
    return before, peak_kib()


def peak_kib() -> int:
    """Of this process alone: what getrusage tells begins with the peak of its parent."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
