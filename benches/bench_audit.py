"""Audits of a dense host, and claims while they run: 2,000 instances and 4,096 VFs in SQLite with Nova's tables.

Half of the instances have a CPU of their own, a quarter have a VF. The host's observation is given. Wall time,
medians and 99th percentiles; each line says what the figure must be, where it must be something. What Nova's
own audit takes on such a host is measured apart, since that takes minutes.

Run `make bench`, or `python -m benches.bench_audit`.
"""

from __future__ import annotations

import gc
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import anyio
import structlog
from benches.audit_hosts import VFS, Later, dense_host, fill, spec, tracker_of
from benches.pci_figures import Figures, Sample, duration, tell_machine

from innkeeper.objects import Holder, Host
from innkeeper.tracker import Tracker

INSTANCES = 2000
MOST_INSTANCES = 10_000
TRACKED = (0, 500, 2000, MOST_INSTANCES)
TURNS = 10
CLAIMS = 200
BY = Holder()

AUDIT = 0.100
CHANGES = 0.005
HELD = 0.010
START = 1.0


async def timed(once: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await once()
    return time.perf_counter() - start


async def turns(once: Callable[[], Awaitable[object]], count: int = TURNS) -> Sample:
    await once()
    return Sample([await timed(once) for _ in range(count)])


class Claims:
    """Makes and gives back one claim after another, of instances that nobody else has."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._next = 10 * MOST_INSTANCES

    async def once(self) -> float:
        """How long the claim took; giving it back does not count."""
        self._next += 8
        words = spec(self._next)
        start = time.perf_counter()
        placed = await self._tracker.place(words)
        took = time.perf_counter() - start
        await self._tracker.release(placed.claim.id, by=BY)
        return took

    async def some(self, count: int = CLAIMS) -> Sample:
        await self.once()
        return Sample([await self.once() for _ in range(count)])


async def longest_hold(once: Callable[[], Awaitable[object]]) -> float:
    """The longest stretch in which nobody else on the event loop got a turn."""
    longest = 0.0
    done = anyio.Event()

    async def watch() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not done.is_set():
            await anyio.lowlevel.checkpoint()
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await once()
        done.set()
    return longest


async def claims_during(tracker: Tracker, *, full: bool) -> Sample:
    """Latency of claims while audits follow each other."""
    async with anyio.create_task_group() as group:

        async def audit() -> None:
            while True:
                await tracker.audit(full=full)

        group.start_soon(audit)
        sample = await Claims(tracker).some()
        group.cancel_scope.cancel()
    return sample


async def audits(figures: Figures, host: Host, folder: Path) -> None:
    clock = Later()
    async with tracker_of(folder, host, clock) as tracker:
        idle_empty = await Claims(tracker).some()
        await fill(tracker, 0, INSTANCES)
        gc.collect()
        gc.freeze()
        figures.head(f"{INSTANCES:,} instances, {VFS:,} VFs")
        first = await timed(tracker.audit)
        figures.say("the first full audit, which knows no row", duration(first))
        figures.tell("full audit", await turns(tracker.audit), most=AUDIT)
        clock.more = timedelta(hours=1)
        await tracker.audit()
        figures.tell(
            "audit of changes", await turns(partial(tracker.audit, full=False)), most=CHANGES
        )
        for words, full in (("full audit", True), ("audit of changes", False)):
            held = max([await longest_hold(partial(tracker.audit, full=full)) for _ in range(5)])
            figures.say(
                f"the event loop is held by a {words} for at most",
                f"{duration(held)}, must be {duration(HELD)}",
                reached=held <= HELD,
            )
        idle = await Claims(tracker).some()
        figures.tell("claim, on an empty host", idle_empty)
        figures.tell("claim, no audit", idle)
        most = max(2 * idle.p99, idle.p99 + 0.005)
        for words, full in (("full audits", True), ("audits of changes", False)):
            during = await claims_during(tracker, full=full)
            figures.say(
                f"claim, during {words}",
                f"{during}; p99 must be {duration(most)}",
                reached=during.p99 <= most,
            )


async def growth(figures: Figures, host: Host, folder: Path) -> None:
    figures.head("claims by how many are tracked; start and memory with the most")
    clock = Later()
    async with tracker_of(folder, host, clock) as tracker:
        have = 0
        for count in TRACKED:
            await fill(tracker, have, count)
            have = count
            figures.tell(f"claim, {count:,} tracked", await Claims(tracker).some(100))
    tracker = tracker_of(folder, host, clock)
    start = time.perf_counter()
    await tracker.start()
    took = time.perf_counter() - start
    await tracker.close()
    figures.say(
        f"start with {have:,} claims, Nova's rows written",
        f"{duration(took)}, must be {duration(START)}",
        reached=took <= START,
    )
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures.say(f"most resident, {have:,} claims and {VFS:,} VFs", f"{resident:.0f} MB")


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    figures = Figures()
    tell_machine()
    host = dense_host()
    for part in (audits, growth):
        with tempfile.TemporaryDirectory() as folder:
            anyio.run(part, figures, host, Path(folder))
    print(f"\n{figures.missed} missed" if figures.missed else "\nall reached")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
