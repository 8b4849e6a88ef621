"""Whose a ledger is: another machine's is refused, a boot is noticed, nothing is guessed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.unit.store.conftest import in_thread, run_sql
from tests.unit.store.made import NODE, change_set, made_claim

from innkeeper.clock import SystemClock
from innkeeper.errors import StoreForeign
from innkeeper.objects import ClaimState, EventKind
from innkeeper.store.base import NOBODY, Machine
from innkeeper.store.sqlite import SqliteStore

HERE = Machine("a" * 32, "rack-7")
THERE = Machine("b" * 32, "rack-8")


class House:
    """One database, opened by machines."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def opened(
        self,
        machine: Machine = HERE,
        boot_id: str | None = "boot",
        *,
        node: str = NODE,
        adopts: bool = False,
    ) -> AsyncIterator[SqliteStore]:
        store = SqliteStore(self.path, node=node, clock=SystemClock(), adopts=adopts)
        try:
            self.found = await store.open(boot_id=boot_id, machine=machine)
            yield store
        finally:
            await store.close()


@pytest.fixture
async def house(tmp_path: Path) -> House:
    house = House(tmp_path / "state" / "innkeeper.sqlite3")
    async with house.opened() as store:
        await store.apply(change_set(made_claim(1)))
    return house


async def test_the_first_opening_is_no_news(house: House) -> None:
    async with house.opened() as store:
        assert (house.found.taken_from, house.found.rebooted_from) == (None, None)
        assert house.found.booted_at is None
        assert [one.kind for one in await store.list_events()] == [EventKind.CLAIMED]


async def test_another_machines_ledger_is_refused_before_anything_is_written(house: House) -> None:
    before = await in_thread(house.path.read_bytes)
    with pytest.raises(StoreForeign) as refused:
        async with house.opened(THERE, "other boot"):
            pass
    assert await in_thread(house.path.read_bytes) == before
    for word in ("rack-7", "a" * 32, "rack-8", "b" * 32, "--state-dir", "--adopt-state"):
        assert word in refused.value.message
    assert refused.value.details["machine_id"] == HERE.id
    async with house.opened() as store:
        assert house.found.epoch == 2
        assert len(await store.list_claims()) == 1


async def test_it_is_taken_over_on_purpose_which_the_history_tells(house: House) -> None:
    async with house.opened(THERE, "other boot", adopts=True) as store:
        assert house.found.taken_from == HERE
        assert house.found.booted_at is not None
        assert len(await store.list_claims()) == 1
        event = (await store.list_events())[-1]
        assert (event.kind, event.sequence) == (EventKind.TAKEN_OVER, 2)
        assert event.details["claims"] == 1
        assert event.details["previous_hostname"] == "rack-7"
        await store.apply(change_set(made_claim(2)))
        assert (await store.list_events())[-1].sequence == 3
    async with house.opened(THERE, "other boot"):
        assert house.found.taken_from is None
    with pytest.raises(StoreForeign, match="is the ledger of rack-8"):
        async with house.opened(HERE):
            pass


async def test_leave_to_take_over_what_is_ones_own_anyway_changes_nothing(house: House) -> None:
    async with house.opened(adopts=True) as store:
        assert house.found.taken_from is None
        assert len(await store.list_events()) == 1


async def test_a_host_without_machine_id_opens_every_ledger_and_leaves_it_whose_it_is(
    house: House,
) -> None:
    async with house.opened(NOBODY, None):
        assert house.found.taken_from is None
    async with house.opened():
        assert house.found.rebooted_from is None
    with pytest.raises(StoreForeign):
        async with house.opened(THERE):
            pass


async def test_a_ledger_of_nobody_becomes_that_of_the_first_who_says_who_he_is(
    tmp_path: Path,
) -> None:
    house = House(tmp_path / "state" / "innkeeper.sqlite3")
    async with house.opened(NOBODY, None):
        pass
    async with house.opened(THERE, "boot") as store:
        assert house.found.rebooted_from is None
        assert await store.list_events() == ()
    with pytest.raises(StoreForeign):
        async with house.opened(HERE):
            pass


async def test_machines_with_one_id_cannot_be_told_apart(house: House) -> None:
    clone = Machine(HERE.id, "rack-9")
    async with house.opened(clone) as store:
        assert len(await store.list_claims()) == 1
        assert house.found.taken_from is None


async def test_a_boot_is_noticed_once_and_claims_stay(house: House) -> None:
    async with house.opened(boot_id="second") as store:
        assert house.found.rebooted_from == "boot"
        booted_at = house.found.booted_at
        assert booted_at is not None
        (event,) = await store.list_events(after=1)
        assert event.kind is EventKind.REBOOTED
        assert event.details == {"claims": 1, "boot_id": "second", "previous_boot_id": "boot"}
        assert event.at == booted_at
        assert len(await store.list_claims()) == 1
    async with house.opened(boot_id="second") as store:
        assert house.found.rebooted_from is None
        assert house.found.booted_at == booted_at
        assert len(await store.list_events()) == 2
    async with house.opened(boot_id="third"):
        assert house.found.booted_at is not None
        assert house.found.booted_at > booted_at


async def test_claims_under_another_nodes_name_are_not_lost_of_sight(house: House) -> None:
    before = await in_thread(house.path.read_bytes)
    for machine in (HERE, THERE, NOBODY):
        with pytest.raises(StoreForeign, match="1 live claims under the node name 'host'") as no:
            async with house.opened(machine, node="renamed", adopts=True):
                pass
        assert (no.value.details["kept_node"], no.value.details["claims"]) == (NODE, 1)
        assert 'node = "host"' in no.value.message
    assert await in_thread(house.path.read_bytes) == before


async def test_a_name_without_live_claims_may_be_left(house: House) -> None:
    async with house.opened() as store:
        await store.apply(change_set(made_claim(1, ClaimState.RELEASED)))
    async with house.opened(node="renamed") as store:
        assert await store.list_claims() == ()


async def test_a_damaged_ledger_keeps_whose_it_is(house: House) -> None:
    async with house.opened(boot_id="second") as store:
        await store.apply(change_set(*map(made_claim, range(2, 60))))
        booted_at = house.found.booted_at
    query = "SELECT pageno FROM dbstat WHERE name = 'innkeeper_events'"
    ((page,), *_) = await in_thread(run_sql, house.path, query)
    await in_thread(spoil, house.path, page)
    before = await in_thread(house.path.read_bytes)
    with pytest.raises(StoreForeign):
        async with house.opened(THERE):
            pass
    assert await in_thread(house.path.read_bytes) == before
    async with house.opened(boot_id="second"):
        assert house.found.set_aside is not None
        assert house.found.rebooted_from is None
        assert house.found.booted_at == booted_at
    with pytest.raises(StoreForeign):
        async with house.opened(THERE):
            pass


async def test_a_damaged_ledger_of_a_host_that_started_anew_says_both(house: House) -> None:
    """As after a loss of power."""
    query = "SELECT pageno FROM dbstat WHERE name = 'innkeeper_events'"
    ((page,), *_) = await in_thread(run_sql, house.path, query)
    await in_thread(spoil, house.path, page)
    async with house.opened(boot_id="second") as store:
        assert house.found.set_aside is not None
        assert house.found.rebooted_from == "boot"
        assert [one.kind for one in await store.list_events()] == [EventKind.REBOOTED]


async def test_columns_that_an_older_release_did_not_know_are_added(house: House) -> None:
    await in_thread(make_version_3, house.path)
    before = await in_thread(house.path.read_bytes)
    with pytest.raises(StoreForeign, match="node name"):
        async with house.opened(node="renamed"):
            pass
    assert await in_thread(house.path.read_bytes) == before
    async with house.opened(THERE, "boot") as store:
        assert len(await store.list_claims()) == 1
        assert (house.found.rebooted_from, house.found.taken_from) == (None, None)
    with pytest.raises(StoreForeign, match="ledger of rack-8"):
        async with house.opened(HERE):
            pass


async def test_a_boot_is_noticed_also_across_an_upgrade(house: House) -> None:
    await in_thread(make_version_3, house.path)
    async with house.opened(boot_id="second"):
        assert house.found.rebooted_from == "boot"


def make_version_3(path: Path) -> None:
    """The ledgers without what version 4 added to them."""
    with closing(sqlite3.connect(path)) as connection:
        for column in ("machine_id", "hostname", "booted_us"):
            connection.execute(f"ALTER TABLE innkeeper_ledgers DROP COLUMN {column}")
        connection.execute("UPDATE innkeeper_schema SET version = 3, oldest_reader = 3")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def spoil(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
