"""Many nodes in one database, and servers that go away at the worst moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync as in_thread
from sqlalchemy import Engine, event, insert, inspect, select, update
from tests.contract.shared_databases import SERVERS, SharedDatabase, shared_database
from tests.unit.store.made import NODE, START, change_set, made_claim, made_finding
from tests.upgrade.databases import database as database_of
from tests.upgrade.databases import empty

from innkeeper.errors import (
    BadConfig,
    OutcomeUnknown,
    StoreError,
    StoreFenced,
    StoreMissing,
    StoreTooNew,
    StoreUnreachable,
    StoreUnsupported,
    UnknownInstance,
)
from innkeeper.objects import ChangeSet, ClaimState, Instance
from innkeeper.store import server_engines, transactions
from innkeeper.store.address import Address
from innkeeper.store.founding import found_store
from innkeeper.store.nova.writing import Database
from innkeeper.store.shared import SharedStore
from innkeeper.store.tables import VERSION, claims, ledgers, schema
from innkeeper.store.transactions import Transactions


@pytest.fixture(scope="module", params=SERVERS)
def made(request: pytest.FixtureRequest) -> Iterator[SharedDatabase]:
    with shared_database(request.param) as database:
        yield database


@pytest.fixture
def database(made: SharedDatabase) -> SharedDatabase:
    made.clear()
    return made


@asynccontextmanager
async def opened(database: SharedDatabase, node: str = NODE) -> AsyncIterator[SharedStore]:
    store = SharedStore(database.address, node=node)
    await store.open(boot_id="boot")
    try:
        yield store
    finally:
        await store.close()


def change_set_of(node: str, number: int) -> ChangeSet:
    claim = made_claim(number, node=node)
    return change_set(claim).model_copy(update={"node": node})


# -- nodes ------------------------------------------------------------------------------------


async def test_two_nodes_write_at_once_and_each_sees_its_own(database: SharedDatabase) -> None:
    async def write(store: SharedStore, node: str, number: int) -> None:
        await store.apply(change_set_of(node, number))

    async with opened(database, "one") as one, opened(database, "two") as two:
        async with anyio.create_task_group() as group:
            for number in range(60):
                group.start_soon(write, one, "one", number)
                group.start_soon(write, two, "two", number)
        for store, node in ((one, "one"), (two, "two")):
            assert [claim.node for claim in await store.list_claims()] == [node] * 60
            sequences = [found.sequence for found in await store.list_events()]
            assert sequences == list(range(1, 61))


async def test_names_that_differ_in_case_or_a_blank_are_other_nodes(
    database: SharedDatabase,
) -> None:
    names = ("Node", "node", "node ", "nöde")
    for name in names:
        async with opened(database, name) as store:
            await store.apply(change_set_of(name, 1))
    for name in names:
        async with opened(database, name) as store:
            assert [claim.node for claim in await store.list_claims()] == [name]


async def test_of_openings_at_once_one_owner_is_left(database: SharedDatabase) -> None:
    stores = [SharedStore(database.address, node=NODE) for _ in range(4)]
    async with anyio.create_task_group() as group:
        for store in stores:
            group.start_soon(open_one, store)
    written = 0
    for number, store in enumerate(stores):
        try:
            await store.apply(change_set(made_claim(number)))
            written += 1
        except StoreFenced:
            pass
        await store.close()
    assert written == 1
    assert await in_thread(epoch_in, database) == 4


async def open_one(store: SharedStore) -> None:
    await store.open(boot_id=None)


def epoch_in(database: SharedDatabase) -> Any:
    with database.engine.connect() as connection:
        return connection.execute(select(ledgers.c.epoch)).scalar_one()


async def test_a_body_of_many_megabytes_is_kept_whole(database: SharedDatabase) -> None:
    large = made_finding("large").model_copy(update={"message": "ß\\'\"" * 500_000})
    async with opened(database) as store:
        await store.apply(change_set(findings=(large,)))
        assert await store.list_findings() == (large,)


# -- a server that goes away ------------------------------------------------------------------


async def test_connections_killed_in_the_middle_of_a_batch_cost_no_claim(
    database: SharedDatabase,
) -> None:
    async with opened(database) as store:
        await store.apply(change_set(made_claim(0)))
        killed = kill_before(store, database, "INSERT INTO innkeeper_events")
        async with anyio.create_task_group() as group:
            for number in range(1, 21):
                group.start_soon(store.apply, change_set(made_claim(number)))
        assert killed == [True]
        assert await store.list_claims() == tuple(map(made_claim, range(21)))
        sequences = [found.sequence for found in await store.list_events()]
        assert sequences == list(range(1, 22))


def kill_before(store: SharedStore, database: SharedDatabase, start: str) -> list[bool]:
    """End all connections just before the next statement that begins so; what is noted then."""
    killed: list[bool] = []

    def kill(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if statement.startswith(start) and not killed:
            killed.append(database.kill_connections() > 0)

    assert store._writer is not None
    event.listen(store._writer._transactions.engine, "before_cursor_execute", kill)
    return killed


@pytest.mark.parametrize("lands", [True, False], ids=["landed", "lost"])
async def test_a_connection_lost_during_commit_is_looked_up(
    database: SharedDatabase, monkeypatch: pytest.MonkeyPatch, *, lands: bool
) -> None:
    end, faults = Transactions._end_transaction, [True]

    def end_amid_a_kill(self: Transactions) -> None:
        if not faults:
            end(self)
            return
        faults.pop()
        if lands:
            end(self)
        database.kill_connections()
        if lands:
            self.connection.exec_driver_sql("SELECT 1")
        end(self)

    async with opened(database) as store:
        monkeypatch.setattr(Transactions, "_end_transaction", end_amid_a_kill)
        applied = change_set(made_claim(1))
        await store.apply(applied)
        assert not faults
        assert await store.was_applied(applied.id)
        await store.apply(change_set(made_claim(2)))
        assert await store.list_claims() == (made_claim(1), made_claim(2))
        assert [found.sequence for found in await store.list_events()] == [1, 2]


async def test_an_outcome_that_nobody_can_look_up_is_unknown_until_it_is_known(
    database: SharedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "SETTLE_PAUSES", (0.0,))
    end, is_away = Transactions._end_transaction, [True]

    def end_without_a_server(self: Transactions) -> None:
        if is_away:
            database.kill_connections()
        end(self)

    doubtful = change_set(made_claim(1))
    async with opened(database) as store:
        monkeypatch.setattr(Transactions, "_end_transaction", end_without_a_server)
        with pytest.raises(OutcomeUnknown, match="connection was lost"):
            await store.apply(doubtful)
        with pytest.raises(StoreError, match="not known yet"):
            await store.apply(change_set(made_claim(2)))
        is_away.clear()
        assert not await store.was_applied(doubtful.id)
        await store.apply(doubtful)
        assert await store.list_claims() == (made_claim(1),)


async def test_reads_go_on_after_their_connections_were_killed(database: SharedDatabase) -> None:
    async with opened(database) as store:
        await store.apply(change_set(made_claim(1)))
        assert await store.list_claims() == (made_claim(1),)
        assert await in_thread(database.kill_connections) >= 2
        assert await store.list_claims() == (made_claim(1),)
        await store.apply(change_set(made_claim(2)))
        assert len(await store.list_claims()) == 2


async def test_reads_never_wait_for_a_write(database: SharedDatabase) -> None:
    """A stranger's open transaction holds every row of the ledger and its claims."""
    async with opened(database) as store:
        await store.apply(change_set(made_claim(1)))
        connection = await in_thread(database.engine.connect)
        try:
            await in_thread(connection.execute, update(ledgers).values(epoch=9))
            await in_thread(connection.execute, update(claims).values(live=0))
            with anyio.fail_after(2):
                assert await store.list_claims() == (made_claim(1),)
                assert (await store.follow_events(after=0)).through == 1
        finally:
            await in_thread(connection.rollback)
            await in_thread(connection.close)


async def test_readers_cannot_write(database: SharedDatabase) -> None:
    async with opened(database) as store:
        assert store._reader is not None
        with pytest.raises(Exception, match=r"(?i)read.only"):
            await store._reader._reads.run(
                lambda connection: connection.execute(update(ledgers).values(epoch=9))
            )
        await store.apply(change_set(made_claim(1)))


async def test_a_lock_of_somebody_else_is_waited_for_within_a_bound(
    made: SharedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.clear()
    kind = made.address.url.get_backend_name()
    short = tuple(
        line.replace("lock_timeout = '3s'", "lock_timeout = '200ms'").replace(
            "innodb_lock_wait_timeout = 3", "innodb_lock_wait_timeout = 1"
        )
        for line in server_engines._SESSION[kind]
    )
    monkeypatch.setattr(server_engines, "_SESSION", {kind: short})
    async with opened(made) as store:
        connection = await in_thread(made.engine.connect)
        try:
            await in_thread(connection.execute, update(ledgers).values(opened_us=1))
            with pytest.raises(StoreError) as refused:
                await store.apply(change_set(made_claim(1)))
            assert refused.value.code == "store_locked"
        finally:
            await in_thread(connection.rollback)
            await in_thread(connection.close)
        await store.apply(change_set(made_claim(1)))


async def test_rows_that_come_between_are_met_again(database: SharedDatabase) -> None:
    """Another node writes the same instance between our look and our insert."""
    instance = Instance(uuid=str(made_claim(1).id), host="here", node="here", vm_state="active")
    async with opened(database, "here") as here, opened(database, "there") as there:
        between: list[bool] = []

        def insert_first(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
            if statement.startswith("INSERT INTO instances") and not between:
                between.append(True)
                with database.engine.begin() as connection:
                    rows = {"uuid": instance.uuid, "deleted": 0}
                    nova = there._nova
                    assert nova is not None
                    table = nova._projection.shape["instances"].table
                    connection.execute(insert(table), rows)

        assert here._writer is not None
        engine = here._writer._transactions.engine
        event.listen(engine, "before_cursor_execute", insert_first)
        found = change_set(records=(instance,)).model_copy(update={"node": "here"})
        await here.apply(found)
        assert between == [True]
        (read,) = (await here.list_instances("here", "here")).objects
        assert read.uuid == instance.uuid


# -- places where no store can be -------------------------------------------------------------


@pytest.mark.parametrize("server", SERVERS)
async def test_a_database_without_our_tables_is_refused_and_left_alone(server: str) -> None:
    with empty(server) as engine:
        address = Address.parse(engine.url.render_as_string(hide_password=False))
        store = SharedStore(address, node=NODE)
        with pytest.raises(StoreMissing, match="innkeeper store init"):
            await store.open(boot_id=None)
        assert await in_thread(tables_in, engine) == []


def tables_in(engine: Engine) -> list[str]:
    return sorted(inspect(engine).get_table_names())


@pytest.mark.parametrize("server", SERVERS)
async def test_a_database_of_novas_keeps_its_tables_and_makes_no_instances(server: str) -> None:
    with database_of("liberty", server) as engine:
        address = Address.parse(engine.url.render_as_string(hide_password=False))
        before = set(await in_thread(tables_in, engine))
        founded = await in_thread(found_store, address)
        assert founded.database is Database.SHARED
        assert all(name.startswith("innkeeper_") for name in founded.made)
        assert set(await in_thread(tables_in, engine)) - before == set(founded.made)
        assert (await in_thread(found_store, address)).made == ()
        store = SharedStore(address, node=NODE)
        await store.open(boot_id=None)
        stranger = Instance(uuid=str(made_claim(7).id), host=NODE, node=NODE, vm_state="active")
        with pytest.raises(UnknownInstance):
            await store.apply(change_set(made_claim(7), records=(stranger,)))
        await store.apply(change_set(made_claim(8)))
        assert await store.list_claims() == (made_claim(8),)
        await store.close()


async def test_tables_of_another_version_are_refused(database: SharedDatabase) -> None:
    def mark(**values: int) -> None:
        with database.engine.begin() as connection:
            connection.execute(update(schema).values(values))

    store = SharedStore(database.address, node=NODE)
    try:
        await in_thread(lambda: mark(version=VERSION + 5, oldest_reader=VERSION + 1))
        with pytest.raises(StoreTooNew):
            await store.open(boot_id=None)
        with pytest.raises(StoreTooNew):
            await in_thread(found_store, database.address)
        await in_thread(lambda: mark(version=VERSION - 1, oldest_reader=1))
        with pytest.raises(StoreMissing):
            await store.open(boot_id=None)
        await in_thread(found_store, database.address)
        await store.open(boot_id=None)
        await store.close()
    finally:
        await in_thread(lambda: mark(version=VERSION, oldest_reader=VERSION))


@pytest.mark.parametrize("scheme", ["postgresql", "mariadb"])
async def test_a_server_that_does_not_answer_is_named_without_its_password(scheme: str) -> None:
    store = SharedStore(f"{scheme}://me:s3cret@127.0.0.1:9/innkeeper", node=NODE)
    with pytest.raises(StoreUnreachable) as refused:
        await store.open(boot_id=None)
    assert f"No connection to {scheme}://127.0.0.1:9/innkeeper (" in refused.value.message
    assert "s3cret" not in f"{refused.value} {refused.value.details} {store._address!r}"


def test_no_server_but_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for words in ("sqlite:///x", "mysql://h", "postgresql:///db", "s3cret", "mysql://h:x/db"):
        with pytest.raises(BadConfig, match="postgresql://USER:PASSWORD@HOST"):
            Address.parse(words)
    monkeypatch.setattr(server_engines, "OLDEST_MARIADB", (99, 0))
    assert server_engines._mariadb("5.5.5-10.11.6-MariaDB-0+deb12u1") == ("MariaDB 10.11.6", False)
    assert server_engines._mariadb("8.4.3") == ("MySQL 8.4.3", False)


async def test_a_server_that_is_too_old_is_refused(
    database: SharedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_engines, "OLDEST_POSTGRESQL", 99)
    monkeypatch.setattr(server_engines, "OLDEST_MARIADB", (99, 0))
    store = SharedStore(database.address, node=NODE)
    with pytest.raises(StoreUnsupported, match=r"is on (PostgreSQL|MariaDB) \d.* from 99"):
        await store.open(boot_id=None)


async def test_what_one_node_forgets_another_keeps(database: SharedDatabase) -> None:
    async with opened(database, "one") as one, opened(database) as two:
        ended = made_claim(1, ClaimState.RELEASED, node="one")
        await one.apply(change_set(ended).model_copy(update={"node": "one"}))
        await two.apply(change_set(made_claim(1, ClaimState.RELEASED)))
        later = START + timedelta(days=1)
        assert await two.prune(before=later) == 1
        assert await two.forget_events(before=later) == 1
        assert await two.list_claims() == ()
        assert await one.list_claims() == (ended,)
        assert len(await one.list_events()) == 1
