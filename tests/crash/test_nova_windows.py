"""Nova's windows of crashes (C1 to C17) and of errors (E1 to E7), each with the same fault at the same place.

The fault is a trigger on the row in question: in the middle of the transaction it copies the files, which is
what a process leaves that is killed there, and then fails the statement. So each window is looked at twice:
as the next process finds it, and as the process that lived on has it.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from tests.crash.nova_process import STORIES, asked, take, tell
from tests.crash.windows import ELSEWHERE, OTHERS, WINDOWS, Window

from innkeeper.service.premises import DATABASE_NAME
from innkeeper.store.sqlite import SqliteStore
from innkeeper.store.transactions import Transactions


class Fault:
    """At the n-th row that is written into a table: the files are copied, and the statement fails."""

    def __init__(self, window: Window, living: Path, grave: Path) -> None:
        self._window = window
        self._living = living
        self._grave = grave
        self._rows = 0
        self.happened = False

    async def arm(self, store: SqliteStore) -> None:
        writer = store._writer
        assert writer is not None
        await writer.run(self._arm)

    def _arm(self, owned: Transactions) -> None:
        """In the thread that writes."""
        connection = owned.connection.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        connection.create_function("fault", 0, self._row)
        for verb in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TEMP TRIGGER fault_{verb} AFTER {verb} ON main.{self._window.table} "
                "BEGIN SELECT fault(); END"
            )

    def _row(self) -> int:
        if self.happened:
            return 0
        self._rows += 1
        if self._rows < self._window.nth:
            return 0
        self.happened = True
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
            shutil.copyfile(self._living / name, self._grave / name)
        raise sqlite3.IntegrityError("a test says so")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    living, grave = tmp_path / "living", tmp_path / "grave"
    living.mkdir()
    grave.mkdir()
    return living, grave


@pytest.mark.parametrize("window", WINDOWS, ids=str)
async def test_nothing_is_left_half_done(
    window: Window, folders: tuple[Path, Path], short_dir: Path
) -> None:
    (living, grave), story = folders, STORIES[window.story]
    async with asked(living, short_dir) as (process, served):
        await tell(served, story)
        before = await process.look()
        fault = Fault(window, living, grave)
        await fault.arm(process.store)
        assert await take(served, story.step) >= 500
        assert fault.happened
        assert await process.look() == before
        assert await take(served, story.step) < 300
        after = await process.look()
    async with asked(grave, short_dir) as (process, served):
        assert await process.look() == before
        assert await take(served, story.step) < 300
        assert await process.look() == after


def test_every_window_is_looked_at() -> None:
    known = {f"C{number}" for number in range(1, 18)} | {f"E{number}" for number in range(1, 8)}
    assert {window.name for window in WINDOWS} | OTHERS | ELSEWHERE.keys() == known
