"""Power loss: whatever a cut leaves of unsynced writes, no answered change set is missing.

A child applies change sets with a recording shim preloaded. At every sync point and in between, the
files are rebuilt as a power cut may leave them, opened with the store, and compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import anyio
import pytest
from tests.crash.power_loss.recording import (
    CHOICES,
    Choice,
    Operation,
    Remains,
    cut_power,
    read_recording,
    telling_points,
)
from tests.crash.power_loss.shim import build_shim
from tests.crash.power_loss.steps import (
    NODE,
    STEPS,
    change_set_id,
    change_set_of,
    claims_after,
    finding_of,
)

from innkeeper.clock import SystemClock
from innkeeper.store.base import Opened
from innkeeper.store.sqlite import SqliteStore

DATABASE = "innkeeper.sqlite3"
ROOT = Path(__file__).parents[3]
DEEP = bool(os.environ.get("TEST_INNKEEPER_DEEP"))
NORMAL_POINTS = 90
NORMAL_BETWEEN = 20


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


def record(folder: Path, shim: Path, synchronous: str) -> list[Operation]:
    """What a child does to its files that applies every step."""
    recording, database = folder / "recording", folder / "child" / DATABASE
    database.parent.mkdir()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "POWER_WATCH": DATABASE,
        "POWER_RECORD": str(recording),
        "PYTHONPATH": os.pathsep.join((str(ROOT), *filter(None, sys.path))),
    }
    command = [sys.executable, "-m", "tests.crash.power_loss.child", str(database), synchronous]
    subprocess.run(command, check=True, env=environment, cwd=ROOT)
    operations = read_recording(recording)
    assert sum(operation.name.endswith(".answers") for operation in operations) == STEPS
    return [operation for operation in operations if not operation.name.endswith("-shm")]


def chosen_points(operations: list[Operation]) -> set[int]:
    """Every telling point and some between them; every point there is in the deep run."""
    if DEEP:
        return set(range(len(operations) + 1))
    chance = Random(7)
    telling = sorted(telling_points(operations))
    between = chance.sample(range(len(operations)), NORMAL_BETWEEN)
    return {*chance.sample(telling, min(len(telling), NORMAL_POINTS)), *between, len(operations)}


@asynccontextmanager
async def opened(folder: Path, remains: Remains) -> AsyncIterator[tuple[SqliteStore, Opened]]:
    await anyio.Path(folder).mkdir()
    for name, content in remains.files.items():
        await anyio.Path(folder / name).write_bytes(content)
    store = SqliteStore(folder / DATABASE, node=NODE, clock=SystemClock())
    found = await store.open(boot_id=None)
    try:
        yield store, found
    finally:
        await store.close()


async def find_faults(folder: Path, remains: Remains) -> list[str]:
    """Everything that is not as promised; empty when all is well."""
    answered = [tuple(map(int, answer.split())) for answer in remains.answers]
    async with opened(folder, remains) as (store, found):
        faults = [] if found.set_aside is None else ["taken for damaged"]
        present = await list_steps(store, faults)
        faults += [f"step {step} missing" for step, _, _ in answered if step not in present]
        generations = [generation for _, generation, _ in answered]
        if found.generation < max(generations, default=0):
            faults.append("generation went back")
        faults += await find_halves(store, present)
        faults += await find_lost_order(store, answered)
        commit = await store.apply(change_set_of(STEPS))
        if commit.sequence != 2 * len(present) + 2:
            faults.append("sequence does not go on")
    return [f"{remains.origin}: {fault}" for fault in faults]


async def list_steps(store: SqliteStore, faults: list[str]) -> list[int]:
    """Steps in the order of their events, which must have no gap."""
    events = await store.list_events()
    if [event.sequence for event in events] != list(range(1, len(events) + 1)):
        faults.append("gap in the sequence")
    parts = [(event.details["step"], event.details["part"]) for event in events]
    steps = [step for step, part in parts if part == 1]
    if parts != [(step, part) for step in steps for part in (1, 2)]:
        faults.append("half a step's events")
    return steps


async def find_halves(store: SqliteStore, present: list[int]) -> list[str]:
    """Claims, findings and ids of change sets must be those of the steps that are there."""
    faults = []
    claims = {claim.id: claim for claim in await store.list_claims()}
    if claims != claims_after(present):
        faults.append("claims of other steps than events")
    if await store.list_findings() != tuple(map(finding_of, sorted(present))):
        faults.append("findings of other steps than events")
    missing = sorted(set(range(STEPS)) - set(present))
    if not all([await store.was_applied(change_set_id(step)) for step in present[-1:]]):
        faults.append("the last step is not known by its id")
    if any([await store.was_applied(change_set_id(step)) for step in missing[:1]]):
        faults.append("a missing step is known by its id")
    return faults


async def find_lost_order(store: SqliteStore, answered: list[tuple[int, ...]]) -> list[str]:
    """An answered step stands where its answer said."""
    where = {event.sequence: event.details["step"] for event in await store.list_events()}
    return [
        f"step {step} is not at sequence {sequence}"
        for step, _, sequence in answered
        if where.get(sequence) != step
    ]


async def test_no_power_cut_loses_or_tears_an_answered_change_set(
    tmp_path: Path, shim: Path
) -> None:
    operations = await anyio.to_thread.run_sync(record, tmp_path, shim, "FULL")
    assert sum(op.kind == "sync" and op.name == DATABASE for op in operations) > 3, "checkpoints"
    faults, states = [], 0
    for states, remains in enumerate(cut_power(operations, chosen_points(operations)), 1):
        faults += await find_faults(tmp_path / str(states), remains)
    assert faults == []
    assert states > 200, "too few to mean anything"
    sys.stdout.write(f"{states} states after power cuts at {len(operations)} operations\n")


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
async def test_it_notices_when_commits_are_not_synced(
    tmp_path: Path, shim: Path, synchronous: str
) -> None:
    operations = await anyio.to_thread.run_sync(record, tmp_path, shim, synchronous)
    worst: tuple[Choice, ...] = CHOICES[:1]
    points = sorted(telling_points(operations))[-3 if synchronous == "OFF" else 0 :: 7]
    faults = []
    for index, remains in enumerate(cut_power(operations, set(points), worst)):
        faults += await find_faults(tmp_path / str(index), remains)
    assert any("missing" in fault for fault in faults)
