"""What a daemon left behind, as the next one finds it: claims, history, Nova's rows, and no difference."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.nova_agreement import disagreements

from innkeeper.clock import SystemClock
from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.objects import Claim, ClaimState
from innkeeper.service.premises import DATABASE_NAME
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

TIMES = {"created_at", "updated_at", "expires_at"}
NOVA_TABLES = ("instances", "instance_extra", "migrations", "pci_devices", "compute_nodes")
#: Of a row: when, and ids that are given by chance.
NO_MATTER = {"id", "uuid", "created_at", "updated_at", "deleted_at", "deleted"}
NO_MATTER |= {"launched_at", "stats"}


@dataclass(frozen=True, slots=True)
class Remains:
    """All that counts, without times."""

    claims: tuple[dict[str, Any], ...]
    history: tuple[tuple[str, str], ...]
    """Kind and claim of each event of a claim."""
    rows: tuple[tuple[str, str], ...]
    """Table and contents of each of Nova's rows that are not marked deleted."""

    def rows_of(self, table: str) -> list[str]:
        return [contents for of, contents in self.rows if of == table]


async def remains_of(state: Path, config: Config, spec: str, node: str) -> Remains:
    """Start on what is left, and look."""
    database = state / DATABASE_NAME
    store = SqliteStore(database, node=node, clock=SystemClock())
    driver = SimulatedDriver(spec)
    async with Tracker(node=node, store=store, driver=driver, config=config) as tracker:
        return await look(tracker, database, tables=config.nova.tables)


async def look(tracker: Tracker, database: Path, tables: str) -> Remains:
    """Fails when ledger, store, host and Nova's rows do not agree."""
    report = await tracker.audit()
    assert not report.findings, report.findings
    live = await tracker.list_claims(limit=1000)
    everything = await tracker.list_claims(states=frozenset(ClaimState), limit=1000)
    assert live == tuple(claim for claim in everything if claim.state.live)
    _require_sums(tracker, live)
    if tables == "embedded":
        assert not (found := disagreements(database, live)), found
    events = await tracker.list_events(limit=1000)
    return Remains(
        claims=tuple(claim.model_dump(mode="json", exclude=TIMES) for claim in everything),
        history=tuple(
            (event.kind.value, str(event.claim_id)) for event in events if event.claim_id
        ),
        rows=tuple(_rows(database)),
    )


def _require_sums(tracker: Tracker, live: Sequence[Claim]) -> None:
    usage = tracker.usage()
    assert usage.claims == len(live)
    for name in ("vcpus", "memory_mib", "disk_mib"):
        assert getattr(usage, name).used == sum(getattr(one.placement, name) for one in live)
    assert usage.devices.used == sum(len(one.placement.devices) for one in live)


def _rows(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return sorted(
            (table, repr(sorted(_telling(row).items())))
            for table in NOVA_TABLES
            for row in connection.execute(f"SELECT * FROM {table} WHERE deleted = 0")
        )


def _telling(row: sqlite3.Row) -> dict[str, Any]:
    return {name: value for name, value in dict(row).items() if name not in NO_MATTER}
