"""Databases of innkeeper's own older versions are taken over in place."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio.to_thread
import pytest
from tests.unit.store.conftest import Database, run_sql
from tests.unit.store.made import NODE, change_set, made_claim, made_cordon

from innkeeper.objects import Device
from innkeeper.store.tables import OLDEST_READER, VERSION

#: As the release of version 2 made them, cordons not yet thought of.
VERSION_2 = f"""
CREATE TABLE innkeeper_schema (version INTEGER NOT NULL, oldest_reader INTEGER NOT NULL);
INSERT INTO innkeeper_schema VALUES (2, 1);
CREATE TABLE innkeeper_ledgers (
    node VARCHAR(255) NOT NULL, generation BIGINT NOT NULL, epoch BIGINT NOT NULL,
    sequence BIGINT NOT NULL, boot_id VARCHAR(64), opened_us BIGINT NOT NULL, PRIMARY KEY (node)
);
INSERT INTO innkeeper_ledgers VALUES ('{NODE}', 7, 3, 5, 'boot', 0);
CREATE TABLE innkeeper_claims (
    node VARCHAR(255) NOT NULL, id VARCHAR(36) NOT NULL, live SMALLINT NOT NULL,
    state VARCHAR(16) NOT NULL, instance_uuid VARCHAR(36), updated_us BIGINT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (node, id)
);
CREATE INDEX innkeeper_claims_live ON innkeeper_claims (node, live, id);
CREATE INDEX innkeeper_claims_instance ON innkeeper_claims (node, instance_uuid, id);
CREATE TABLE innkeeper_devices (
    node VARCHAR(255) NOT NULL, address VARCHAR(32) NOT NULL, vendor_id VARCHAR(4) NOT NULL,
    product_id VARCHAR(4) NOT NULL, body TEXT NOT NULL, PRIMARY KEY (node, address)
);
"""
CLAIM_OF_VERSION_2 = (
    '{"id":"%s","node":"host","state":"confirmed","instance_uuid":null,"name":"web-1",'
    '"holder":{"project":"lab","user":"ann","reason":null},"request":{"vcpus":1,"memory_mib":null,'
    '"disk_mib":null,"devices":[{"vendor_id":"8086","product_id":"1572","count":1}],"counters":{}},'
    '"placement":{"vcpus":1,"memory_mib":0,"disk_mib":0,"cpus":"0-3","devices":[{"address":'
    '"0000:41:00.0","vendor_id":"8086","product_id":"1572","cell":0,"parent":null}],"counters":{}},'
    '"fingerprint":"00","lease_seconds":null,"process":null,"created_at":"2026-01-01T00:00:00Z",'
    '"updated_at":"2026-01-01T00:00:00Z","expires_at":null}'
)
DEVICE_OF_VERSION_2 = (
    '{"address":"0000:41:00.0","vendor_id":"8086","product_id":"1572","kind":"pci","parent":null,'
    '"cell":0}'
)


def make_version_2(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(VERSION_2)
        claim_id = str(made_claim(1).id)
        connection.execute(
            "INSERT INTO innkeeper_claims VALUES (?, ?, 1, 'confirmed', NULL, 0, ?)",
            (NODE, claim_id, CLAIM_OF_VERSION_2 % claim_id),
        )
        connection.execute(
            "INSERT INTO innkeeper_devices VALUES (?, '0000:41:00.0', '8086', '1572', ?)",
            (NODE, DEVICE_OF_VERSION_2),
        )
        connection.commit()


@pytest.fixture
async def version_2(tmp_path: Path) -> Database:
    database = Database(tmp_path / "state" / "innkeeper.sqlite3")
    await anyio.to_thread.run_sync(make_version_2, database.path)
    return database


async def test_a_database_of_version_2_is_taken_over_in_place(version_2: Database) -> None:
    async with version_2.opened() as store:
        assert (version_2.found.generation, version_2.found.epoch) == (7, 4)
        assert version_2.found.set_aside is None
        assert await store.list_cordons() == ()
        (claim,) = await store.list_claims()
        assert (claim.name, claim.placement.devices[0].address) == ("web-1", "0000:41:00.0")
        device = Device(address="0000:41:00.0", vendor_id="8086", product_id="1572", cell=0)
        await store.apply(change_set(claim, cordons=(made_cordon(),), devices=(device,)))
    async with version_2.opened() as store:
        assert await store.list_claims() == (claim,)
        assert await store.list_cordons() == (made_cordon(),)


async def test_no_release_that_would_hand_out_what_is_kept_out_opens_it(
    version_2: Database,
) -> None:
    async with version_2.opened():
        pass
    query = "SELECT version, oldest_reader FROM innkeeper_schema"
    found = await anyio.to_thread.run_sync(run_sql, version_2.path, query)
    assert found == [(VERSION, OLDEST_READER)] == [(4, 4)]


async def test_a_damaged_one_of_version_2_had_no_cordons(version_2: Database) -> None:
    query = "SELECT pageno FROM dbstat WHERE name = 'innkeeper_claims'"
    ((page,),) = await anyio.to_thread.run_sync(run_sql, version_2.path, query)
    await anyio.to_thread.run_sync(spoil, version_2.path, page)
    async with version_2.opened():
        assert version_2.found.set_aside is not None
        assert version_2.found.unreadable_cordons == 0


def spoil(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)


async def test_history_of_an_older_release_is_followed_like_any(tmp_path: Path) -> None:
    """Its events do not say in which generation they are, and its ledger had no uuid."""
    database = Database(tmp_path / "state" / "innkeeper.sqlite3")
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1)))
    await anyio.to_thread.run_sync(
        run_sql,
        database.path,
        "ALTER TABLE innkeeper_ledgers DROP COLUMN uuid",
        "ALTER TABLE innkeeper_ledgers DROP COLUMN forgotten",
        "ALTER TABLE innkeeper_events DROP COLUMN generation",
    )
    async with database.opened() as store:
        ledger = database.found.ledger
        commit = await store.apply(change_set(made_claim(2)))
        page = await store.follow_events(after=0)
        assert [one.generation for one in page.events] == [None, commit.generation]
        assert page.through == 2
    async with database.opened():
        assert database.found.ledger == ledger
