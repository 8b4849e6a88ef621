"""A database is taken as it is found."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, create_engine, text
from tests.upgrade.databases import ENGINES, database
from tests.upgrade.nova_objects import uuid

from innkeeper.errors import StoreError, UnknownRelease
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova.writing import Database

DISKS = """CREATE TABLE block_device_mapping (
    id INTEGER PRIMARY KEY, deleted INTEGER, instance_uuid VARCHAR(36), device_name VARCHAR(255),
    source_type VARCHAR(255), destination_type VARCHAR(255), boot_index INTEGER,
    volume_id VARCHAR(36), volume_size INTEGER)"""


@pytest.fixture
def empty() -> Engine:
    return create_engine("sqlite://")


def test_database_of_something_else_is_refused_with_what_it_lacks(empty: Engine) -> None:
    with empty.connect() as connection, pytest.raises(StoreError, match="compute_nodes") as told:
        Projection.reflect(connection, Database.SHARED)
    assert "pci_devices" in told.value.details["missing"]
    empty.dispose()


@pytest.mark.parametrize("engine", ENGINES)
def test_disks_are_read_where_the_table_is(engine: str) -> None:
    with database("kilo", engine) as made, made.begin() as connection:
        projection = Projection.reflect(connection, Database.SHARED, release="kilo")
        assert projection.read_block_devices(connection, [uuid(1)]) == ()
        connection.execute(text(DISKS))
        connection.execute(
            text(
                "INSERT INTO block_device_mapping VALUES "
                f"(1, 0, '{uuid(1)}', '/dev/vda', 'image', 'volume', 0, '{uuid(9)}', 20), "
                f"(2, 0, '{uuid(1)}', '/dev/vdb', 'blank', 'local', -1, null, 5), "
                f"(3, 3, '{uuid(1)}', '/dev/vdc', 'blank', 'local', -1, null, 5), "
                f"(4, 0, '{uuid(2)}', '/dev/vda', 'image', 'local', 0, null, null)"
            )
        )
        projection = Projection.reflect(connection, Database.SHARED, release="kilo")
        root, second = projection.read_block_devices(connection, [uuid(1)])
    assert (root.is_remote_root, root.volume_id, root.volume_gib) == (True, uuid(9), 20)
    assert (second.is_remote_root, second.device_name) == (False, "/dev/vdb")


def test_release_must_be_known() -> None:
    with database("juno", "sqlite") as made, made.connect() as connection:
        with pytest.raises(UnknownRelease):
            Projection.reflect(connection, Database.SHARED, release="icehouse")
        assert (
            Projection.reflect(connection, Database.SHARED, release="2023.1").release == "antelope"
        )
