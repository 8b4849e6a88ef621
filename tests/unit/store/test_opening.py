"""Taking possession: one owner, private files, versions, places that cannot be used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import anyio
import pytest
from tests.unit.store.conftest import Database, in_thread, run_sql
from tests.unit.store.made import NODE, change_set, made_claim

from innkeeper.errors import StoreError, StoreInUse, StoreTooNew
from innkeeper.objects import Device
from innkeeper.store.tables import VERSION


def modes_in(directory: Path) -> dict[str, int]:
    found = {path.name: path.stat().st_mode for path in (directory, *directory.iterdir())}
    return {name: stat.S_IMODE(mode) for name, mode in found.items()}


async def test_what_it_makes_is_for_its_user_alone(database: Database) -> None:
    umask = os.umask(0)
    try:
        async with database.opened() as store:
            await store.apply(change_set(made_claim(1)))
            modes = await in_thread(modes_in, database.path.parent)
            assert modes.pop("state") == 0o700
            assert set(modes.values()) == {0o600}
            assert len(modes) == 4
    finally:
        os.umask(umask)


async def test_a_second_owner_is_told_who_the_first_is(database: Database) -> None:
    async with database.opened() as store:
        with pytest.raises(StoreInUse, match=f"process {os.getpid()}") as refused:
            async with database.opened():
                pass
        assert refused.value.details["pid"] == os.getpid()
        await store.apply(change_set(made_claim(1)))
    async with database.opened():
        pass


async def test_a_database_for_newer_readers_only_is_refused_and_left_alone(
    database: Database,
) -> None:
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1)))
    await in_thread(
        run_sql,
        database.path,
        f"UPDATE innkeeper_schema SET version = 9, oldest_reader = {VERSION + 1}",
    )
    before = await in_thread(database.path.read_bytes)
    with pytest.raises(StoreTooNew, match="newer innkeeper"):
        async with database.opened():
            pass
    assert await in_thread(database.path.read_bytes) == before


async def test_a_newer_database_that_we_may_read_is_used_with_its_columns(
    database: Database,
) -> None:
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1)))
    await in_thread(
        run_sql,
        database.path,
        "UPDATE innkeeper_schema SET version = 9",
        "ALTER TABLE innkeeper_claims ADD COLUMN of_the_future TEXT",
        "UPDATE innkeeper_claims SET of_the_future = 'kept'",
    )
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1, name="renamed"), made_claim(2)))
        assert len(await store.list_claims()) == 2
    query = "SELECT of_the_future FROM innkeeper_claims ORDER BY id"
    assert await in_thread(run_sql, database.path, query) == [("kept",), (None,)]
    versions = await in_thread(run_sql, database.path, "SELECT version FROM innkeeper_schema")
    assert versions == [(9,)]


async def test_a_state_directory_that_is_a_file_is_named(tmp_path: Path) -> None:
    await in_thread((tmp_path / "file").write_text, "")
    with pytest.raises(StoreError, match="file"):
        async with Database(tmp_path / "file" / "innkeeper.sqlite3").opened():
            pass


async def test_a_database_that_is_a_directory_is_named(database: Database) -> None:
    await anyio.Path(database.path).mkdir(parents=True)
    with pytest.raises(StoreError, match=r"innkeeper\.sqlite3"):
        async with database.opened():
            pass


async def test_the_devices_on_disk_are_those_of_the_last_change_set(database: Database) -> None:
    def devices(*slots: int) -> tuple[Device, ...]:
        return tuple(
            Device(address=f"0000:00:{slot:02x}.0", vendor_id="8086", product_id="1572")
            for slot in slots
        )

    async with database.opened() as store:
        await store.apply(change_set(devices=devices(1, 2, 3)))
        await store.apply(change_set(made_claim(1)))
        await store.apply(change_set(devices=devices(2, 4)))
    query = "SELECT node, address FROM innkeeper_devices ORDER BY address"
    rows = await in_thread(run_sql, database.path, query)
    assert rows == [(NODE, "0000:00:02.0"), (NODE, "0000:00:04.0")]
