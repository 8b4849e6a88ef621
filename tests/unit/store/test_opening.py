"""Taking possession: one owner, private files, versions, places that cannot be used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Connection, create_engine, event
from tests.unit.store.conftest import Database, in_thread, run_sql
from tests.unit.store.made import NODE, change_set, made_claim

from innkeeper.errors import StoreError, StoreInUse, StoreTooNew
from innkeeper.objects import Device
from innkeeper.store.host_rows import replace_devices
from innkeeper.store.rows import encode_change_set
from innkeeper.store.tables import VERSION, metadata


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


def _device(slot: int, product: str = "1572") -> Device:
    return Device(address=f"0000:00:{slot:02x}.0", vendor_id="8086", product_id=product)


class Counted:
    """Rows and statements of our device table that one owner wrote."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.statements: list[str] = []

    def replace(self, *devices: Device) -> list[str]:
        """The verbs of the statements that it took, and how many rows each had."""
        rows = encode_change_set(change_set(devices=devices), NODE).devices or ()
        del self.statements[:]
        replace_devices(self.connection, NODE, rows)
        return self.statements


@pytest.fixture
def counted() -> Iterator[Counted]:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        metadata.create_all(connection)
        made = Counted(connection)

        def note(_connection: object, _cursor: object, text: str, given: Any, *rest: Any) -> None:
            many = rest[-1]
            made.statements.append(f"{text.partition(' ')[0]} {len(given) if many else 1}")

        event.listen(engine, "before_cursor_execute", note)
        yield made
    engine.dispose()


def test_only_devices_that_differ_are_written(counted: Counted) -> None:
    many = [_device(slot) for slot in range(30)]
    assert counted.replace(*many) == ["SELECT 1", "INSERT 30"]
    assert counted.replace(*reversed(many)) == ["SELECT 1"]
    changed = [_device(1, "1573"), *many[2:], _device(30), _device(31)]
    assert counted.replace(*changed) == ["SELECT 1", "DELETE 1", "UPDATE 1", "INSERT 2"]
    assert counted.replace() == ["SELECT 1", "DELETE 31"]
