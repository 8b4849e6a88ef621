"""Others must be able to see that the service is alive; audits tell where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_row_adoption import on, write

from innkeeper.config import Config
from innkeeper.objects import Finding
from innkeeper.tracker import Tracker

HOUR = 3600.0


@pytest.fixture
def config() -> Config:
    words = {"nova": {"tables": "embedded"}, "audit": {"interval": 10 * HOUR}}
    return Config.model_validate(words)


async def kinds(tracker: Tracker) -> dict[str, Finding]:
    return {one.kind: one for one in (await tracker.audit(full=False)).findings}


async def test_a_report_that_does_not_arrive_is_told_until_one_does(
    make_tracker: MakeTracker, clock: VirtualClock, database: Path
) -> None:
    async with make_tracker() as tracker:
        await write(database, "UPDATE services SET last_seen_up = '2001-01-01 00:00:00.000000'")
        assert await kinds(tracker) == {}  # It just started.
        lose = "CREATE TRIGGER lose BEFORE UPDATE ON services BEGIN SELECT RAISE(IGNORE); END"
        await on(database, lambda found: [dict(row) for row in found.execute(lose)])
        while not (found := await kinds(tracker)):
            await clock.advance(10)
        message = found["report_stale"].message
        assert "last reported at 2001-01-01T00:00:00" in message
        assert "more than 60 s ago" in message
        await on(database, lambda found: [dict(row) for row in found.execute("DROP TRIGGER lose")])
        while await kinds(tracker):
            await clock.advance(10)


@pytest.mark.parametrize(
    ("table", "column"),
    [("services", "last_seen_up"), ("services", "updated_at"), ("compute_nodes", "updated_at")],
)
async def test_a_moment_that_has_not_come_is_told(
    make_tracker: MakeTracker, database: Path, table: str, column: str
) -> None:
    async with make_tracker() as tracker:
        assert await kinds(tracker) == {}
        await write(database, f"UPDATE {table} SET {column} = '2999-01-01 00:00:00.000000'")
        found = (await kinds(tracker))["report_in_future"]
        assert found.subject == f"{table} test {column}"
        assert "2999-01-01T00:00:00" in found.message
