"""Rows of ours and rows of Nova's: both or neither."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from sqlalchemy import Engine, create_engine, func, insert, inspect, select
from sqlalchemy.types import TypeEngine
from tests.unit.store.made import NODE, START, change_set, made_claim
from tests.upgrade.databases import ENGINES, build, database
from tests.upgrade.nova_objects import (
    compute_node,
    flavor,
    instance,
    migration,
    pci_device,
    service,
)

from innkeeper.clock import SystemClock
from innkeeper.errors import BadRequest, UnknownInstance
from innkeeper.objects import ChangeSet, Claim
from innkeeper.objects.base import VersionedObject
from innkeeper.store.base import Commit
from innkeeper.store.batch import Batcher, Owner, Position
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova.tables import compute_nodes, nova_metadata
from innkeeper.store.nova.writing import Database
from innkeeper.store.rows import encode_change_set, microseconds
from innkeeper.store.sqlite import SqliteStore
from innkeeper.store.tables import OLDEST_READER, VERSION, claims, ledgers, metadata

OWNER = Owner(NODE, 1, UUID(int=1))


def with_records(*records: VersionedObject, claim: Claim | None = None) -> ChangeSet:
    made = change_set(claim or made_claim(1))
    return made.model_copy(update={"records": records})


class Place:
    """One database with our tables beside Nova's."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with engine.begin() as connection:
            metadata.create_all(connection)
            first = {"node": NODE, "generation": 0, "epoch": 1, "sequence": 0, "opened_us": 0}
            connection.execute(insert(ledgers), first)
            self.batcher = Batcher(OWNER, Projection.reflect(connection, Database.SHARED))

    def write(self, *change_sets: ChangeSet) -> list[Commit]:
        encoded = [encode_change_set(one, NODE) for one in change_sets]
        with self.engine.begin() as connection:
            now = microseconds(START)
            return self.batcher.write(connection, Position(0, 0), encoded, now)[1]

    def counts(self) -> tuple[int, int, int]:
        """Claims, compute nodes, and the generation."""
        with self.engine.connect() as connection:
            counted = (select(func.count()).select_from(one) for one in (claims, compute_nodes))
            ours, novas = (connection.execute(one).scalar_one() for one in counted)
            return ours, novas, connection.execute(select(ledgers.c.generation)).scalar_one()


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with database("juno", request.param) as engine:
        yield Place(engine)


def test_both_are_written_in_one_transaction(place: Place) -> None:
    (commit,) = place.write(with_records(service(NODE), compute_node(NODE, NODE)))
    assert not commit.findings
    assert place.counts() == (1, 1, 1)


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ((compute_node(NODE, NODE), instance()), UnknownInstance),
        ((compute_node(NODE, NODE), migration()), UnknownInstance),
        ((pci_device(),), BadRequest),
    ],
)
def test_neither_is_written_when_the_projection_refuses(
    place: Place, records: tuple[VersionedObject, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        place.write(with_records(*records))
    assert place.counts() == (0, 0, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_everybody_in_the_batch_is_told_of_a_text_that_did_not_fit(engine: str) -> None:
    node = compute_node(NODE, NODE)
    node.metrics = "x" * 65_536
    with database("kilo", engine) as made:
        place = Place(made)
        commits = place.write(with_records(node), with_records(claim=made_claim(2)))
        assert place.counts() == (2, 1, 1)
    kinds = [[one.kind for one in commit.findings] for commit in commits]
    assert kinds == ([["text_too_long"]] * 2 if engine == "mysql" else [[], []])


# The embedded database


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    return tmp_path / "innkeeper.sqlite3"


def store_at(path: Path) -> SqliteStore:
    return SqliteStore(path, node=NODE, clock=SystemClock())


def held(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(count)


async def test_store_makes_the_rows_of_everything(path: Path) -> None:
    store = store_at(path)
    await store.open(boot_id="boot")
    everything = (migration(), instance(), flavor(), pci_device(), compute_node(NODE, NODE))
    commit = await store.apply(with_records(*everything, service(NODE)))
    await store.close()
    assert commit.findings == ()
    assert all(held(path, table) for table in nova_metadata.tables)


async def test_change_set_that_the_projection_refuses_leaves_nothing(path: Path) -> None:
    store = store_at(path)
    await store.open(boot_id="boot")
    with pytest.raises(UnknownInstance):
        await store.apply(with_records(compute_node(NODE, NODE), migration()))
    assert not await store.list_claims()
    await store.close()
    assert held(path, "compute_nodes") == 0


async def test_only_the_guilty_of_a_batch_fails(path: Path) -> None:
    store = store_at(path)
    await store.open(boot_id="boot")
    sets = [
        with_records(compute_node(NODE, NODE), claim=made_claim(1)),
        with_records(migration(), claim=made_claim(2)),
        with_records(instance(2), claim=made_claim(3)),
    ]
    failed = []

    async def apply(number: int) -> None:
        try:
            await store.apply(sets[number])
        except UnknownInstance:
            failed.append(number)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(apply, number)
    kept = [claim.id.int & 0xFF for claim in await store.list_claims()]
    await store.close()
    assert failed == [1]
    assert kept == [1, 3]
    assert (held(path, "compute_nodes"), held(path, "instances")) == (1, 1)


async def test_object_edited_after_it_was_handed_over_is_written_as_it_was(path: Path) -> None:
    node = compute_node(NODE, NODE)
    store = store_at(path)
    await store.open(boot_id="boot")
    given = with_records(node)

    async def edit() -> None:
        node.vcpus_used = 99

    async with anyio.create_task_group() as group:
        group.start_soon(store.apply, given)
        group.start_soon(edit)
    await store.close()
    assert held(path, "compute_nodes WHERE vcpus_used = 2") == 1


async def test_database_of_the_version_before_gets_the_tables(path: Path) -> None:
    store = store_at(path)
    await store.open(boot_id="boot")
    await store.apply(change_set(made_claim(1)))
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        for table in reversed(nova_metadata.sorted_tables):
            connection.execute(f"DROP TABLE {table.name}")
        connection.execute("UPDATE innkeeper_schema SET version = 1")
        connection.commit()
    await store.open(boot_id="boot")
    await store.apply(with_records(compute_node(NODE, NODE)))
    assert len(await store.list_claims()) == 1
    await store.close()
    versions = f"version = {VERSION} AND oldest_reader = {OLDEST_READER}"
    assert held(path, f"innkeeper_schema WHERE {versions}") == 1


def test_embedded_tables_have_todays_shape() -> None:
    ours, theirs = create_engine("sqlite://"), create_engine("sqlite://")
    with ours.begin() as connection, theirs.begin() as other:
        nova_metadata.create_all(connection)
        build(other, "2026.2", "sqlite")
        made, today = inspect(connection), inspect(other)
        for name in nova_metadata.tables:
            assert columns(made.get_columns(name)) == columns(today.get_columns(name)), name
            assert keys(made, name) >= keys(today, name), name
    ours.dispose()
    theirs.dispose()


def columns(found: list[Any]) -> dict[str, tuple[str, bool]]:
    return {one["name"]: (_kind(one["type"]), one["nullable"]) for one in found}


def _kind(kind: TypeEngine[Any]) -> str:
    return str(kind)


def keys(inspector: Any, name: str) -> set[tuple[Any, ...]]:
    indexes = {(*one["column_names"], bool(one["unique"])) for one in inspector.get_indexes(name)}
    uniques = {(*one["column_names"], "key") for one in inspector.get_unique_constraints(name)}
    foreign = {
        (*one["constrained_columns"], one["referred_table"])
        for one in inspector.get_foreign_keys(name)
    }
    return indexes | uniques | foreign


async def test_totals_of_a_batch_are_written_once(path: Path) -> None:
    """Many claims share a batch and each brings the node: the last form is the row."""
    store = store_at(path)
    await store.open(boot_id="boot")
    forms = [compute_node(NODE, NODE, vcpus_used=used) for used in range(40)]
    async with anyio.create_task_group() as group:
        for number, form in enumerate(forms):
            given = with_records(form, claim=made_claim(number))
            group.start_soon(store.apply, given)
    await store.close()
    assert held(path, "compute_nodes") == 1
    assert held(path, "compute_nodes WHERE vcpus_used = 39") == 1
