"""A store on disk, opened once or again."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio.to_thread
import pytest
from tests.unit.store.made import NODE

from innkeeper.clock import SystemClock
from innkeeper.store.base import Opened
from innkeeper.store.sqlite import SqliteStore

in_thread = anyio.to_thread.run_sync
"""For what blocks, which a test must not do on the event loop."""


def run_sql(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements as a stranger; the rows of the last."""
    with closing(sqlite3.connect(path)) as connection:
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        connection.commit()
        return rows


class Database:
    """One database file, opened as often as a test likes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found = Opened(generation=0, epoch=0, ledger=UUID(int=0))
        """What the last opening found."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(self.path, node=NODE, clock=SystemClock())
        self.found = await store.open(boot_id="boot")
        try:
            yield store
        finally:
            await store.close()


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "state" / "innkeeper.sqlite3")
