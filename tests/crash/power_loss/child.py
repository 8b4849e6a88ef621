"""Applies the steps in waves and notes each answered one: `python child.py DATABASE SYNCHRONOUS`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from tests.crash.power_loss.steps import NODE, WAVES, change_set_of

from innkeeper.clock import SystemClock
from innkeeper.store import engines
from innkeeper.store.sqlite import SqliteStore

CHECKPOINT_PAGES = 24
"""So few that checkpoints come between the waves."""


def patch_pragmas(synchronous: str) -> None:
    kept = [
        pragma
        for pragma in engines.WRITER_PRAGMAS
        if not pragma.startswith(("synchronous", "wal_autocheckpoint"))
    ]
    engines.WRITER_PRAGMAS = (
        *kept,
        f"synchronous={synchronous}",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    )


async def run(database: Path) -> None:
    answers = os.open(f"{database}.answers", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    store = SqliteStore(database, node=NODE, clock=SystemClock())
    await store.open(boot_id=None)

    async def apply(step: int) -> None:
        commit = await store.apply(change_set_of(step))
        os.write(answers, f"{step} {commit.generation} {commit.sequence}\n".encode())

    done = 0
    for wave in WAVES:
        async with anyio.create_task_group() as group:
            for step in range(done, done + wave):
                group.start_soon(apply, step)
        done += wave
    await store.close()


if __name__ == "__main__":
    patch_pragmas(sys.argv[2])
    anyio.run(run, Path(sys.argv[1]))
