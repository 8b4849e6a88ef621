"""Damaged databases: set aside whole, what can be read carried over; damaged rows left out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest
from tests.unit.store.conftest import Database, in_thread, run_sql
from tests.unit.store.made import START, change_set, made_claim, made_cordon

from innkeeper.errors import EventsForgotten, StoreCorrupt
from innkeeper.objects import ClaimState, CordonCause
from innkeeper.store import damage
from innkeeper.store.rows import is_damaged

CLAIMS = 400
PAGE = 4096


@pytest.fixture
async def filled(database: Database) -> Database:
    """Many claims, some of them released since, in a database that was closed."""
    async with database.opened() as store:
        every = [made_claim(number) for number in range(CLAIMS)]
        await store.apply(change_set(*every, events=()))
        await store.apply(
            change_set(*(made_claim(n, ClaimState.RELEASED) for n in range(0, 400, 4)))
        )
    return database


def damage_page(path: Path, table: str, which: int) -> None:
    """Fill one leaf page of a table with garbage."""
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY pageno"
        pages = [page for (page,) in connection.execute(query, (table,))]
    overwrite(path, (pages[which] - 1) * PAGE, b"\xa5" * PAGE)


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


async def test_around_a_damaged_page_every_claim_is_carried_over(filled: Database) -> None:
    await in_thread(damage_page, filled.path, "innkeeper_claims", 3)
    damaged = await in_thread(filled.path.read_bytes)
    before = filled.found
    async with filled.opened() as store:
        claims = await store.list_claims()
        assert CLAIMS - 20 < len(claims) < CLAIMS
        assert filled.found.rebuilt_claims == len(claims)
        assert all(claim.state.live == bool(claim.updated_at.second % 4) for claim in claims)
        commit = await store.apply(change_set(made_claim(1000)))
    assert filled.found.epoch > before.epoch
    assert commit.generation == filled.found.generation + 1 > 2
    assert filled.found.set_aside is not None
    assert await anyio.Path(filled.found.set_aside).read_bytes() == damaged


async def test_a_rebuilt_ledger_is_another_one_and_has_no_history(filled: Database) -> None:
    async with filled.opened() as store:
        last = (await store.apply(change_set(made_claim(1000), made_claim(1001)))).sequence
    before = filled.found.ledger
    await in_thread(damage_page, filled.path, "innkeeper_claims", 3)
    async with filled.opened() as store:
        assert filled.found.ledger != before
        assert (await store.follow_events(after=None)).through == filled.found.sequence == last
        with pytest.raises(EventsForgotten):
            await store.follow_events(after=last - 1)
        assert (await store.follow_events(after=last)).events == ()


async def test_a_damaged_index_costs_no_claim(filled: Database) -> None:
    await in_thread(damage_page, filled.path, "innkeeper_claims_live", 1)
    async with filled.opened() as store:
        assert filled.found.rebuilt_claims == CLAIMS
        assert len(await store.list_claims()) == CLAIMS


async def test_without_its_head_claims_are_found_by_their_look(filled: Database) -> None:
    await in_thread(overwrite, filled.path, 0, b"no database".ljust(PAGE, b"\0"))
    async with filled.opened() as store:
        claims = await store.list_claims()
        assert len(claims) == CLAIMS
        assert all(claim.state.live == bool(claim.updated_at.second % 4) for claim in claims)


async def test_garbage_is_set_aside_and_an_empty_store_opened(database: Database) -> None:
    await in_thread(database.path.parent.mkdir)
    await in_thread(database.path.write_bytes, b"\x5a" * 10_000)
    async with database.opened() as store:
        assert database.found.rebuilt_claims == 0
        assert await store.list_claims() == ()
        await store.apply(change_set(made_claim(1)))
    aside = anyio.Path(database.found.set_aside or "")
    assert await aside.read_bytes() == b"\x5a" * 10_000
    async with database.opened() as store:
        assert database.found.set_aside is None
        assert len(await store.list_claims()) == 1


async def test_what_was_set_aside_is_never_overwritten(database: Database) -> None:
    await in_thread(database.path.parent.mkdir)
    asides = set()
    for filler in (b"\x5a", b"\x5b", b"\x5c"):
        await in_thread(database.path.write_bytes, filler * 10_000)
        async with database.opened():
            asides.add((database.found.set_aside, filler))
    for path, filler in asides:
        assert await anyio.Path(path or "").read_bytes() == filler * 10_000


async def test_a_cut_database_is_set_aside(filled: Database) -> None:
    content = await in_thread(filled.path.read_bytes)
    await in_thread(filled.path.write_bytes, content[: len(content) // 2])
    async with filled.opened() as store:
        assert filled.found.set_aside is not None
        assert 0 < len(await store.list_claims()) < CLAIMS


async def test_a_torn_log_is_no_damage(filled: Database) -> None:
    log = filled.path.with_name(filled.path.name + "-wal")
    await in_thread(log.write_bytes, b"\x37" * 9000)
    async with filled.opened() as store:
        assert filled.found.set_aside is None
        assert len(await store.list_claims()) == CLAIMS


@pytest.mark.parametrize("after", ["rename", "link"])
async def test_a_crash_while_it_is_replaced_loses_nothing(
    filled: Database, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    await in_thread(damage_page, filled.path, "innkeeper_claims", 3)
    crash = {"rename": "finish_switch", "link": "_sync_directory"}[after]
    real = getattr(damage, crash)
    calls = []

    def crashing(path: Path) -> Path | None:
        calls.append(path)
        if crash == "finish_switch" and len(calls) == 1:
            return real(path)  # type: ignore[no-any-return]  # looked up by name
        raise OSError(5, "the machine went down")

    with monkeypatch.context() as patch:
        patch.setattr(damage, crash, crashing)
        with pytest.raises(Exception, match="the machine went down"):
            async with filled.opened():
                pass
    async with filled.opened() as store:
        claims = await store.list_claims()
        assert CLAIMS - 20 < len(claims) == filled.found.rebuilt_claims
    assert filled.found.set_aside is not None
    assert await anyio.Path(filled.found.set_aside).exists()
    async with filled.opened():
        assert filled.found.set_aside is None


# -- damaged rows -----------------------------------------------------------------------------


def damage_rows(path: Path, *numbers: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for number in numbers:
            row = (b"\xff{", str(made_claim(number).id))
            connection.execute("UPDATE innkeeper_claims SET body = ? WHERE id = ?", row)
        connection.commit()


async def test_a_damaged_row_is_left_out_of_lists_and_told(filled: Database) -> None:
    await in_thread(damage_rows, filled.path, 7, 8)
    async with filled.opened() as store:
        assert len(await store.list_claims()) == CLAIMS - 2
        missing = tuple(str(made_claim(number).id) for number in (7, 8))
        assert store.statistics().unreadable_claims == missing
        with pytest.raises(StoreCorrupt, match=missing[0]):
            await store.find_claim(made_claim(7).id)


async def test_a_page_of_damaged_rows_is_not_taken_for_the_end(filled: Database) -> None:
    await in_thread(damage_rows, filled.path, *range(10, 15))
    async with filled.opened() as store:
        (claim,) = await store.list_claims(limit=1, marker=made_claim(9).id)
        assert claim == made_claim(15)


async def test_a_damaged_event_or_finding_does_not_stop_a_list(database: Database) -> None:
    async with database.opened() as store:
        await store.apply(change_set(made_claim(1), made_claim(2)))
    damage = "UPDATE innkeeper_events SET body = '{}' WHERE sequence = 1"
    await in_thread(run_sql, database.path, damage)
    async with database.opened() as store:
        assert [event.sequence for event in await store.list_events()] == [2]


# -- cordons ----------------------------------------------------------------------------------

DIRTY = tuple(
    made_cordon(f"0000:41:{slot:02x}.{function}", cause=CordonCause.DIRTY, by=None)
    for slot in range(32)
    for function in range(8)
)


@pytest.fixture
async def dirty(filled: Database) -> Database:
    """Many devices that are not clean, in a database that was closed."""
    async with filled.opened() as store:
        await store.apply(change_set(cordons=DIRTY))
    return filled


async def test_beside_a_damaged_page_of_claims_every_cordon_is_carried_over(
    dirty: Database,
) -> None:
    await in_thread(damage_page, dirty.path, "innkeeper_claims", 3)
    async with dirty.opened() as store:
        assert await store.list_cordons() == DIRTY
        assert (dirty.found.rebuilt_cordons, dirty.found.unreadable_cordons) == (len(DIRTY), 0)


async def test_where_a_page_of_cordons_is_damaged_their_names_are_enough(dirty: Database) -> None:
    await in_thread(damage_page, dirty.path, "innkeeper_cordons", 2)
    async with dirty.opened() as store:
        found = await store.list_cordons()
        assert [one.subject for one in found] == [one.subject for one in DIRTY]
        assert 0 < sum(is_damaged(one) for one in found) < 30
        assert {one.cause for one in found} == {CordonCause.DIRTY}
        assert (dirty.found.rebuilt_cordons, dirty.found.unreadable_cordons) == (len(DIRTY), 0)


async def test_a_cordon_that_is_lost_is_told(dirty: Database) -> None:
    await in_thread(damage_page, dirty.path, "innkeeper_cordons", 2)
    await in_thread(damage_page, dirty.path, "sqlite_autoindex_innkeeper_cordons_1", 1)
    async with dirty.opened() as store:
        found, unreadable = await store.list_cordons(), dirty.found.unreadable_cordons
        assert 0 < len(found) < len(DIRTY)
        assert unreadable == len(DIRTY) - len(found)


async def test_without_the_head_of_the_file_cordons_are_found_by_their_look(
    dirty: Database,
) -> None:
    await in_thread(overwrite, dirty.path, 0, b"no database".ljust(PAGE, b"\0"))
    async with dirty.opened() as store:
        assert await store.list_cordons() == DIRTY
        assert dirty.found.unreadable_cordons is None


async def test_of_garbage_nobody_says_that_there_were_no_cordons(database: Database) -> None:
    await in_thread(database.path.parent.mkdir)
    await in_thread(database.path.write_bytes, b"\x5a" * 10_000)
    async with database.opened():
        assert database.found.unreadable_cordons is None


async def test_a_damaged_record_of_a_cordon_keeps_it_in_force_and_is_told(
    dirty: Database,
) -> None:
    subject = DIRTY[5].subject
    damage = f"UPDATE innkeeper_cordons SET body = '{{}}' WHERE subject = '{subject}'"
    await in_thread(run_sql, dirty.path, damage)
    async with dirty.opened() as store:
        found = await store.list_cordons()
        assert [one for one in found if is_damaged(one)] == [found[5]]
        assert (found[5].subject, found[5].cause) == (subject, CordonCause.DIRTY)
        lift = found[5].model_copy(update={"lifted_at": START})
        await store.apply(change_set(cordons=(lift,)))
        assert await store.list_cordons() == DIRTY[:5] + DIRTY[6:]


async def test_a_cordon_whose_name_is_damaged_too_is_told(dirty: Database) -> None:
    subject = DIRTY[5].subject
    await in_thread(
        run_sql,
        dirty.path,
        f"UPDATE innkeeper_cordons SET body = 'x', kind = 'cell' WHERE subject = '{subject}'",
    )
    async with dirty.opened() as store:
        assert store.statistics().unreadable_cordons == ()
        assert await store.list_cordons() == DIRTY[:5] + DIRTY[6:]
        assert store.statistics().unreadable_cordons == (f"cell {subject} (dirty)",)
