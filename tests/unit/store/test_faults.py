"""A write that fails: who is guilty, how it ended, and what goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from sqlalchemy.exc import OperationalError
from tests.unit.store.conftest import Database, in_thread
from tests.unit.store.made import change_set, made_claim, made_finding

from innkeeper.errors import OutcomeUnknown, StoreError, StoreFull, StoreLocked
from innkeeper.objects import ChangeSet
from innkeeper.store import engines, transactions
from innkeeper.store.faults import as_store_error
from innkeeper.store.sqlite import SqliteStore
from innkeeper.store.transactions import Transactions


async def outcomes(store: SqliteStore, *change_sets: ChangeSet) -> list[str]:
    """What each of the change sets that wait together came to."""
    found = ["" for _ in change_sets]

    async def apply(index: int) -> None:
        try:
            await store.apply(change_sets[index])
            found[index] = "written"
        except StoreError as error:
            found[index] = error.code

    async with anyio.create_task_group() as group:
        for index in range(len(change_sets)):
            group.start_soon(apply, index)
    return found


@asynccontextmanager
async def locked_by_a_stranger(path: Path) -> AsyncIterator[None]:
    def lock() -> sqlite3.Connection:
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    connection = await in_thread(lock)
    try:
        yield
    finally:
        await in_thread(connection.close)


async def test_a_strangers_lock_is_told_and_reads_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1)))
        async with locked_by_a_stranger(database.path):
            waiting = [change_set(made_claim(number)) for number in (2, 3, 4)]
            assert set(await outcomes(store, *waiting)) == {"store_locked"}
            assert await store.list_claims() == (made_claim(1),)
        await store.apply(change_set(made_claim(5)))
        assert await store.list_claims() == (made_claim(1), made_claim(5))
        assert store.statistics().retried == 0


async def test_a_locked_database_cannot_be_opened(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.opened():
        pass
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    async with locked_by_a_stranger(database.path):
        with pytest.raises(StoreLocked, match="another process"):
            async with database.opened():
                pass
    async with database.opened():
        pass


async def test_only_the_change_set_that_does_not_fit_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = (*engines.WRITER_PRAGMAS, "max_page_count=100")
    monkeypatch.setattr(engines, "WRITER_PRAGMAS", limited)
    large = made_finding("large").model_copy(update={"message": "x" * 500_000})
    async with database.opened() as store:
        waiting = [change_set(made_claim(number)) for number in range(8)]
        waiting.insert(4, change_set(made_claim(100), findings=(large,)))
        found = await outcomes(store, *waiting)
        assert found == [*4 * ["written"], "store_full", *4 * ["written"]]
        assert await store.list_claims() == tuple(map(made_claim, range(8)))
        assert not await store.was_applied(waiting[4].id)
        assert await store.was_applied(waiting[8].id)
        assert len(await store.list_events()) == 8
        assert store.statistics().retried > 1


@pytest.mark.parametrize("lands", [True, False], ids=["landed", "lost"])
async def test_the_outcome_of_a_commit_that_failed_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, lands: bool
) -> None:
    """The error comes after COMMIT was done, or in its stead: only reading again can tell."""
    end = Transactions._end_transaction
    faults = [True]

    def fail_once(self: Transactions) -> None:
        if not faults:
            end(self)
            return
        faults.pop()
        if lands:
            end(self)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise OperationalError("COMMIT", {}, error)

    async with database.opened() as store:
        monkeypatch.setattr(Transactions, "_end_transaction", fail_once)
        found = await outcomes(store, change_set(made_claim(1)), change_set(made_claim(2)))
        await store.apply(change_set(made_claim(3)))
        assert found in (["written", "written"], ["store_error", "written"])
        assert (found[0] == "written") or not lands
        expected = [n for n in (1, 2, 3) if n == 3 or found[n - 1] == "written"]
        assert await store.list_claims() == tuple(map(made_claim, expected))
        sequences = [event.sequence for event in await store.list_events()]
        assert sequences == list(range(1, len(expected) + 1))


async def test_a_write_that_overtakes_nothing_is_refused_while_one_is_in_doubt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "SETTLE_PAUSES", (0.0,))
    healthy = Transactions._end_transaction

    def fail(_self: Transactions) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise OperationalError("COMMIT", {}, error)

    doubtful = change_set(made_claim(1))
    async with database.opened() as store:
        monkeypatch.setattr(Transactions, "_end_transaction", fail)
        with pytest.raises(OutcomeUnknown):
            await store.apply(doubtful)
        with pytest.raises(StoreError, match="not known yet"):
            await store.apply(change_set(made_claim(2)))
        with pytest.raises(StoreError, match="not known yet"):
            await store.was_applied(doubtful.id)
        monkeypatch.setattr(Transactions, "_end_transaction", healthy)
        assert not await store.was_applied(doubtful.id)
        await store.apply(doubtful)
        assert await store.was_applied(doubtful.id)
        assert await store.list_claims() == (made_claim(1),)


def test_no_room_and_no_permission_are_said_for_people(tmp_path: Path) -> None:
    path = tmp_path / "innkeeper.sqlite3"
    full = as_store_error(OSError(28, "No space left on device"), path)
    assert isinstance(full, StoreFull)
    assert "Free some space" in full.message
    assert full.details["free_mib"] > 0
    denied = as_store_error(PermissionError(13, "Permission denied", str(path)), path)
    assert denied.message == f"{path} cannot be used (Permission denied)"
