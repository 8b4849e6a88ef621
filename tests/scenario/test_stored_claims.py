"""Audits read what changed in the store: the rest is known by its text, and nothing is overlooked."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest
from sqlalchemy import Engine, event
from tests.scenario.conftest import MakeTracker, VirtualClock

from innkeeper.objects import Claim, ClaimSpec, ClaimUpdate, Holder, Request
from innkeeper.store.base import Store
from innkeeper.tracker import Tracker
from innkeeper.tracker.audit.stored_claims import OVERLAP

CLAIM = "innkeeper_claims"


class Readings:
    """A real store whose claims are counted when they are read one by one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.parsed: list[UUID] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def find_claim(self, claim_id: UUID) -> Claim | None:
        self.parsed.append(claim_id)
        return await self._store.find_claim(claim_id)


@pytest.fixture
def readings() -> list[Readings]:
    return []


@pytest.fixture
def make_counted(make_tracker: MakeTracker, readings: list[Readings]) -> MakeTracker:
    def wrap(store: Store) -> Store:
        readings.append(Readings(store))
        return readings[-1]  # type: ignore[return-value]  # the rest comes by __getattr__

    def make(**words: object) -> Tracker:
        return make_tracker(wrap=wrap, **words)  # type: ignore[arg-type]

    return make  # type: ignore[return-value]


async def write(database: Path, statement: str, *values: object) -> None:
    """What somebody does who knows only the file."""

    def run() -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0

    await anyio.to_thread.run_sync(run)


async def place(tracker: Tracker, count: int, vcpus: int = 1) -> list[UUID]:
    spec = ClaimSpec(request=Request(vcpus=vcpus))
    return [(await tracker.place(spec)).claim.id for _ in range(count)]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Texts of everything that is asked of databases meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_records_that_are_as_they_were_written_are_not_parsed(
    make_counted: MakeTracker, readings: list[Readings], database: Path
) -> None:
    async with make_counted() as tracker:
        await place(tracker, 3)
        assert (await tracker.audit()).findings == ()
        assert (await tracker.audit(full=False)).findings == ()
    async with make_counted() as tracker:
        report = await tracker.audit()
        assert report.findings == ()
        assert report.examined >= 3
    assert [one.parsed for one in readings] == [[], []]


async def test_an_older_release_s_text_is_parsed_once(
    make_counted: MakeTracker, readings: list[Readings], database: Path
) -> None:
    async with make_counted() as tracker:
        (claim_id,) = await place(tracker, 1)
        await write(database, f"UPDATE {CLAIM} SET body = replace(body, ',\"', ', \"')")
        assert (await tracker.audit()).findings == ()
        assert (await tracker.audit()).findings == ()
    assert readings[0].parsed == [claim_id]


async def test_a_record_that_somebody_changed_is_a_finding_until_it_is_as_it_was(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock
) -> None:
    changed = f"UPDATE {CLAIM} SET body = replace(body, '\"vcpus\":2', '\"vcpus\":3')"
    back = f"UPDATE {CLAIM} SET body = replace(body, '\"vcpus\":3', '\"vcpus\":2')"
    async with make_tracker() as tracker:
        await place(tracker, 1, vcpus=2)
        assert (await tracker.audit()).findings == ()
        await clock.advance(2 * OVERLAP.total_seconds())
        await write(database, changed)
        (whole,) = (await tracker.audit()).findings
        assert whole.kind == "placement_differs"
        assert (await tracker.audit(full=False)).findings[0].message == whole.message
        await write(database, back)
        assert (await tracker.audit(full=False)).findings == ()


async def test_what_changed_in_the_store_is_found_by_its_moment(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        (first, _) = await place(tracker, 2)
        await tracker.audit()
        await clock.advance(2 * OVERLAP.total_seconds())
        assert (await tracker.audit(full=False)).findings == ()
        now_us = int(clock.now().timestamp() * 1_000_000)
        await write(
            database,
            f'UPDATE {CLAIM} SET body = replace(body, \'"cpus":"0-7"\', \'"cpus":"0-6"\'), '
            "updated_us = ? WHERE id = ?",
            now_us,
            str(first),
        )
        (finding,) = (await tracker.audit(full=False)).findings
        assert (finding.kind, finding.claim_id) == ("placement_differs", first)


@pytest.mark.parametrize("damage", ["body = '{}'", "body = X'FFFE'", "body = 7", "id = 'no uuid'"])
async def test_one_bad_record_is_one_claim_s_matter(
    make_tracker: MakeTracker, database: Path, damage: str
) -> None:
    async with make_tracker() as tracker:
        bad, _ = await place(tracker, 2)
        await write(database, f"UPDATE {CLAIM} SET {damage} WHERE id = ?", str(bad))
        report = await tracker.audit()
        kinds = sorted(finding.kind for finding in report.findings)
        assert kinds == ["booked_not_stored", "claim_unreadable"]
        assert {finding.claim_id for finding in report.findings} == {bad, None}


async def test_a_claim_that_the_ledger_lost_or_kept_is_found_without_reading_all(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        lost, _ = await place(tracker, 2)
        await tracker.audit()
        await clock.advance(2 * OVERLAP.total_seconds())
        tracker._parts.ledger.unbook(str(lost))
        (finding,) = (await tracker.audit(full=False)).findings
        assert (finding.kind, finding.claim_id) == ("stored_not_booked", lost)
        tracker._parts.ledger.restore([(str(lost), (await tracker.find(lost)).placement)])
        assert (await tracker.audit(full=False)).findings == ()
        stray = str(uuid4())
        tracker._parts.ledger.book(stray, Request(vcpus=1))
        (finding,) = (await tracker.audit(full=False)).findings
        assert (finding.kind, finding.subject) == ("booked_not_stored", stray)


async def test_what_came_changed_and_went_is_in_order_for_an_audit_of_changes(
    make_counted: MakeTracker, readings: list[Readings], clock: VirtualClock
) -> None:
    async with make_counted() as tracker:
        first, second, _ = await place(tracker, 3)
        await tracker.audit()
        await clock.advance(2 * OVERLAP.total_seconds())
        await tracker.update(first, ClaimUpdate(vcpus=2), by=Holder())
        await tracker.release(second, by=Holder())
        await place(tracker, 1)
        report = await tracker.audit(full=False)
        assert report.findings == ()
    assert readings[0].parsed == []


@pytest.mark.parametrize("full", [True, False])
async def test_an_audit_asks_as_much_of_many_unchanged_claims_as_of_few(
    make_tracker: MakeTracker, clock: VirtualClock, *, full: bool
) -> None:
    asked: list[int] = []
    async with make_tracker("cpus=64,cells=1,memory=16GiB") as tracker:
        for count in (2, 40):
            await place(tracker, count)
            await tracker.audit()
            await clock.advance(2 * OVERLAP.total_seconds())
            with statements() as seen:
                assert (await tracker.audit(full=full)).findings == ()
            asked.append(len([one for one in seen if CLAIM in one]))
    # The empty page that is the end is asked for too; when nobody wrote there is nothing to ask.
    assert asked == ([2, 2] if full else [0, 0])


async def test_what_somebody_else_wrote_is_found_whatever_moment_it_bears(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        first, _ = await place(tracker, 2)
        await tracker.audit()
        await clock.advance(2 * OVERLAP.total_seconds())
        assert (await tracker.audit(full=False)).findings == ()
        changed = 'body = replace(body, \'"cpus":"0-7"\', \'"cpus":"0-6"\'), updated_us = 1'
        await write(database, f"UPDATE {CLAIM} SET {changed} WHERE id = ?", str(first))
        (finding,) = (await tracker.audit(full=False)).findings
        assert (finding.kind, finding.claim_id) == ("placement_differs", first)


async def test_what_another_process_damaged_in_place_is_found_between_full_audits(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        bad, _ = await place(tracker, 2)
        await tracker.audit()
        await clock.advance(2 * OVERLAP.total_seconds())
        assert (await tracker.audit(full=False)).findings == ()
        damage = f"""
import sqlite3
with sqlite3.connect({str(database)!r}) as connection:
    connection.execute("UPDATE {CLAIM} SET body = X'FFFE' WHERE id = '{bad}'")
"""
        await anyio.run_process([sys.executable, "-c", damage])
        found = {one.kind for one in (await tracker.audit(full=False)).findings}
        assert "booked_not_stored" in found
