"""A store under a real fault: `python -m tests.unit.store.child FAULT DIRECTORY`; prints a report."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from tests.unit.store.made import NODE, change_set, made_claim

from innkeeper.clock import SystemClock
from innkeeper.errors import StoreError
from innkeeper.store import transactions
from innkeeper.store.sqlite import SqliteStore

LIMIT = 300_000
BALLAST = 350_000


class Report:
    """What was asked of the store and what came of it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store = store
        self.asked = 0
        self.facts: dict[str, Any] = {"written": [], "refused": [], "message": ""}

    async def apply(self) -> bool:
        """Write one more claim; whether it was."""
        self.asked += 1
        try:
            await self.store.apply(change_set(made_claim(self.asked, name="x" * 255)))
        except StoreError as error:
            self.facts["refused"].append(error.code)
            self.facts["message"] = self.facts["message"] or error.message
            return False
        self.facts["written"].append(self.asked)
        return True

    async def apply_until_refused(self) -> None:
        while await self.apply():
            pass

    def print(self) -> None:
        sys.stdout.write(json.dumps(self.facts) + "\n")
        sys.stdout.flush()


def make_store(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "innkeeper.sqlite3", node=NODE, clock=SystemClock())


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[SqliteStore]:
    store = make_store(folder)
    await store.open(boot_id=None)
    yield store
    await store.close()


async def run_file_size(folder: Path) -> None:
    async with opened(folder) as store:
        report = Report(store)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
        await report.apply_until_refused()
        await report.apply()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        await report.apply()
    report.print()


async def run_full(folder: Path) -> None:
    ballast = anyio.Path(folder / "ballast")
    await ballast.write_bytes(b"x" * BALLAST)
    async with opened(folder) as store:
        report = Report(store)
        await report.apply_until_refused()
        await report.apply()
        await ballast.unlink()
        await report.apply()
    async with opened(folder) as again:
        claims = await again.list_claims()
        report.facts["found_again"] = [int(claim.fingerprint, 16) for claim in claims]
    report.print()


async def run_sync(folder: Path) -> None:
    """Syncs fail, heal, and the process is killed as soon as it knows how its write ended."""
    transactions.SETTLE_PAUSES = (0.0, 0.01)
    failing = anyio.Path(os.environ["POWER_FAILING"])
    async with opened(folder) as store:
        report = Report(store)
        await report.apply()
        doubtful = change_set(made_claim(1000))
        await failing.touch()
        try:
            await store.apply(doubtful)
        except StoreError as error:
            report.facts.update(refused=[error.code], message=error.message)
        await report.apply()
        await failing.unlink()
        report.facts["found_applied"] = await store.was_applied(doubtful.id)
        await report.apply()
        report.print()
        os.kill(os.getpid(), signal.SIGKILL)


async def run_open(folder: Path) -> None:
    report = Report(make_store(folder))
    try:
        await report.store.open(boot_id=None)
    except StoreError as error:
        report.facts.update(refused=[error.code], message=error.message)
    report.print()


FAULTS = {"file-size": run_file_size, "full": run_full, "sync": run_sync, "open": run_open}

if __name__ == "__main__":
    anyio.run(FAULTS[sys.argv[1]], Path(sys.argv[2]))
