"""Findings are mended: by order or by policy, once, in one change set, and never by letting go of a claim."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from uuid import UUID

import anyio
import anyio.to_thread
import pytest
from structlog.testing import capture_logs
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_outcomes import faulty, settle

from innkeeper.config import Audit, Config, DeviceSpec
from innkeeper.errors import NotRepairable, OutcomeUnknown, StoreFull, UnknownFinding
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    Event,
    EventKind,
    Finding,
    Holder,
    Request,
)
from innkeeper.objects.finding_kinds import FINDING_KINDS
from innkeeper.store.rows import claim_row
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
SPEC = ClaimSpec(request=Request(vcpus=2, memory_mib=512))


def with_policy(**policy: str) -> Config:
    return Config(devices=(DeviceSpec(),), audit=Audit.model_validate({"policy": policy}))


async def confirmed(tracker: Tracker) -> Claim:
    claim = (await tracker.place(SPEC)).claim
    return await tracker.confirm(claim.id, by=EVE)


async def only_finding(tracker: Tracker) -> Finding:
    (finding,) = (await tracker.audit()).findings
    return finding


async def events_of(tracker: Tracker, claim_id: UUID) -> list[Event]:
    return list(await tracker.list_events(claim_id=claim_id))


# -- what the ledger has wrong: the bugs that a repair is for, done by hand --------------------


def lose(tracker: Tracker, claim: Claim) -> None:
    tracker._parts.ledger.unbook(str(claim.id))


def hold_less(tracker: Tracker, claim: Claim) -> None:
    less = claim.placement.model_copy(update={"vcpus": 1})
    tracker._parts.ledger.settle(str(claim.id), less)


@pytest.mark.parametrize(
    ("spoil", "kind"), [(lose, "stored_not_booked"), (hold_less, "placement_differs")]
)
async def test_the_ledger_takes_over_what_is_stored(
    make_tracker: MakeTracker, spoil: Callable[[Tracker, Claim], None], kind: str
) -> None:
    async with make_tracker() as tracker:
        claim = await confirmed(tracker)
        usage = tracker.usage().vcpus.used
        spoil(tracker, claim)
        finding = await only_finding(tracker)
        assert finding.kind == kind
        repaired = await tracker.repair(finding.id, by=EVE)
        assert repaired.words is not None
        assert repaired.words == repaired.finding.taken_repair
        assert repaired.finding.cleared_at is not None
        assert tracker.usage().vcpus.used == usage
        assert (await tracker.find(claim.id)) == claim
        assert (await tracker.audit()).findings == ()
        found, mended, cleared = (await events_of(tracker, claim.id))[-3:]
        assert [found.kind, mended.kind, cleared.kind] == [
            EventKind.FOUND,
            EventKind.REPAIRED,
            EventKind.CLEARED,
        ]
        assert (mended.by, mended.details["repair"]) == (EVE, repaired.words)
        with pytest.raises(UnknownFinding):
            await tracker.repair(finding.id, by=EVE)
        (kept,) = await tracker.list_findings(include_cleared=True)
        assert kept == repaired.finding


async def test_a_preview_says_what_would_be_done_and_changes_nothing(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        claim = await confirmed(tracker)
        lose(tracker, claim)
        finding = await only_finding(tracker)
        writes = tracker.statistics().store.change_sets
        preview = await tracker.preview_repair(finding.id)
        assert str(claim.id) in (preview.words or "")
        assert tracker.statistics().store.change_sets == writes
        assert tracker.usage().claims == 0
        assert preview.words == (await tracker.repair(finding.id, by=EVE)).words
        assert tracker.usage().claims == 1


async def test_a_claim_whose_record_vanished_is_stored_again(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker() as tracker:
        claim = await confirmed(tracker)
        await on_disk(database, "DELETE FROM innkeeper_claims")
        finding = await only_finding(tracker)
        assert finding.kind == "booked_not_stored"
        await tracker.repair(finding.id, by=EVE)
        assert (await tracker.audit()).findings == ()
    async with make_tracker() as tracker:
        assert await tracker.find(claim.id) == claim
        assert tracker.usage().claims == 1


async def test_a_record_that_was_damaged_while_its_claim_lives_is_written_again(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker() as tracker:
        claim = await confirmed(tracker)
        await on_disk(database, "UPDATE innkeeper_claims SET body = '{'")
        findings = (await tracker.audit()).findings
        by_kind = {one.kind: one for one in findings}
        assert set(by_kind) == {"booked_not_stored", "claim_unreadable"}
        await tracker.repair(by_kind["booked_not_stored"].id, by=EVE)
        assert (await tracker.audit()).findings == ()
        assert await tracker._store.find_claim(claim.id) == claim


async def test_a_booking_of_no_claim_is_given_back(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        nobody = UUID("22222222-2222-4222-8222-222222222222")
        tracker._parts.ledger.book(str(nobody), Request(vcpus=3))
        finding = await only_finding(tracker)
        assert (finding.kind, finding.claim_id) == ("booked_not_stored", nobody)
        await tracker.repair(finding.id, by=EVE)
        assert tracker.usage().vcpus.used == 0
        assert (await tracker.audit()).findings == ()


async def test_a_confirmed_claim_is_not_let_go_because_a_record_says_so(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker(config=with_policy(booked_not_stored="repair")) as tracker:
        claim = await confirmed(tracker)
        ended = claim.model_copy(update={"state": ClaimState.RELEASED})
        await on_disk(database, "UPDATE innkeeper_claims SET live = 0, state = 'released'")
        await on_disk(
            database, "UPDATE innkeeper_claims SET body = ?", str(claim_row(ended)["body"])
        )
        finding = await only_finding(tracker)
        assert finding.taken_repair is not None
        assert finding.taken_repair.startswith("failed: ")
        assert f"innkeeper release {claim.id}" in finding.taken_repair
        assert tracker.usage().claims == 1
        await tracker.release(claim.id, by=EVE)
        assert (await tracker.audit()).findings == ()


async def test_what_mends_itself_is_cleared_without_a_repair(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        claim = await confirmed(tracker)
        lose(tracker, claim)
        finding = await only_finding(tracker)
        tracker._parts.ledger.restore([(str(claim.id), claim.placement)])
        repaired = await tracker.repair(finding.id, by=EVE)
        assert (repaired.words, repaired.finding.taken_repair) == (None, None)
        assert EventKind.REPAIRED not in [e.kind for e in await tracker.list_events()]


async def test_what_nothing_mends_is_refused_with_what_a_person_can_do(
    make_tracker: MakeTracker,
) -> None:
    words = {"counters": [{"name": "slots", "total": 3}]}
    async with make_tracker(config=Config.model_validate(words)) as tracker:
        await tracker.place(ClaimSpec(request=Request(counters={"slots": 2})))
        await tracker.reconfigure(Config())
        finding = await only_finding(tracker)
        with pytest.raises(NotRepairable, match="add the counter to the configuration"):
            await tracker.repair(finding.id, by=EVE)
        with pytest.raises(NotRepairable):
            await tracker.preview_repair(finding.id)


async def test_every_kind_that_says_that_it_can_be_mended_can(make_tracker: MakeTracker) -> None:
    async with make_tracker() as tracker:
        assert tracker._repairs.kinds == {
            kind.name for kind in FINDING_KINDS.values() if kind.repair is not None
        }


# -- beside claims that change, and stores that fail ------------------------------------------


async def test_a_repair_waits_for_who_changes_the_claim_and_looks_again(
    make_tracker: MakeTracker,
) -> None:
    async with faulty(make_tracker) as (tracker, _):
        claim = await confirmed(tracker)
        hold_less(tracker, claim)
        finding = await only_finding(tracker)
        async with (
            anyio.create_task_group() as group,
            tracker._parts.register.turn(claim.id),
        ):
            group.start_soon(repair_or_find_it_gone, tracker, finding.id)
            await anyio.wait_all_tasks_blocked()
            assert tracker.usage().vcpus.used == 1
            # Whoever has the turn puts it right, as an update does.
            tracker._parts.ledger.settle(str(claim.id), claim.placement)
        assert tracker.usage().vcpus.used == 2
        assert tracker._repairs.taken.total() == 0


async def repair_or_find_it_gone(tracker: Tracker, finding_id: str) -> None:
    assert (await tracker.repair(finding_id, by=EVE)).words is None


async def test_repairs_claims_and_releases_at_once_leave_ledger_and_store_the_same(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker("cpus=64,cells=1,memory=64GiB") as tracker:
        claims = [await confirmed(tracker) for _ in range(12)]
        for claim in claims:
            hold_less(tracker, claim)
        findings = (await tracker.audit()).findings
        assert len(findings) == 12
        async with anyio.create_task_group() as group:
            for finding in findings:
                group.start_soon(mend, tracker, finding.id)
                group.start_soon(mend, tracker, finding.id)
                group.start_soon(tracker.audit)
            for claim in claims[:6]:
                group.start_soon(grow, tracker, claim)
            for claim in claims[6:]:
                group.start_soon(release, tracker, claim)
        assert (await tracker.audit()).findings == ()
        live = await tracker.list_claims(limit=100)
        assert tracker.usage().vcpus.used == sum(claim.placement.vcpus for claim in live)
        assert len(live) == 6


async def mend(tracker: Tracker, finding_id: str) -> None:
    with suppress(UnknownFinding):  # The other one, or the claim's own change, was first.
        await tracker.repair(finding_id, by=EVE)


async def grow(tracker: Tracker, claim: Claim) -> None:
    await tracker.update(claim.id, ClaimUpdate(vcpus=3), by=EVE)


async def release(tracker: Tracker, claim: Claim) -> None:
    await tracker.release(claim.id, by=EVE)


@pytest.mark.parametrize("spoil", [lose, hold_less])
async def test_a_repair_that_could_not_be_written_changes_nothing(
    make_tracker: MakeTracker, spoil: Callable[[Tracker, Claim], None]
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await confirmed(tracker)
        spoil(tracker, claim)
        finding = await only_finding(tracker)
        before = tracker._parts.ledger.placement(str(claim.id))
        store.fault = "full"
        with pytest.raises(StoreFull):
            await tracker.repair(finding.id, by=EVE)
        after = tracker._parts.ledger.placement(str(claim.id))
        assert (after and after.vcpus) == (before and before.vcpus)
        assert await tracker.list_findings() == (finding,)
        await tracker.repair(finding.id, by=EVE)
        assert (await tracker.audit()).findings == ()


@pytest.mark.parametrize("fault", ["lost", "landed"])
async def test_a_repair_in_doubt_is_settled_as_the_store_has_it(
    make_tracker: MakeTracker, clock: VirtualClock, fault: str
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await confirmed(tracker)
        lose(tracker, claim)
        finding = await only_finding(tracker)
        store.fault, store.known = fault, False
        with pytest.raises(OutcomeUnknown):
            await tracker.repair(finding.id, by=EVE)
        with pytest.raises(OutcomeUnknown):
            await tracker.repair(finding.id, by=EVE)
        assert await tracker.list_findings() == (finding,)
        store.known = True
        await settle(tracker, clock)
        landed = fault == "landed"
        assert (await tracker.list_findings() == ()) is landed
        assert tracker.usage().claims == int(landed)


# -- policy ------------------------------------------------------------------------------------


async def test_the_policy_repairs_right_after_the_audit(make_tracker: MakeTracker) -> None:
    config = with_policy(stored_not_booked="repair")
    async with make_tracker(config=config) as tracker:
        claim = await confirmed(tracker)
        lose(tracker, claim)
        assert (await tracker.audit()).findings == ()
        assert tracker.usage().claims == 1
        kinds = [event.kind for event in await events_of(tracker, claim.id)]
        assert kinds[-3:] == [EventKind.FOUND, EventKind.REPAIRED, EventKind.CLEARED]
        assert (await events_of(tracker, claim.id))[-2].by is None


async def test_the_policy_repairs_so_many_after_one_audit_and_the_rest_after_the_next(
    make_tracker: MakeTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innkeeper.tracker.audit.repairs.MOST_IN_ONE_AUDIT", 2)
    async with make_tracker(config=with_policy(stored_not_booked="repair")) as tracker:
        for _ in range(3):
            lose(tracker, await confirmed(tracker))
        assert len((await tracker.audit()).findings) == 1
        assert (await tracker.audit()).findings == ()


async def test_a_repair_of_the_policy_that_fails_is_told_once_and_tried_after_each_audit(
    make_tracker: MakeTracker,
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        tracker._parts.config = with_policy(stored_not_booked="repair")
        lose(tracker, await confirmed(tracker))
        store.fault = "full"
        finding = await only_finding(tracker)
        assert finding.taken_repair == "failed: the disk is full"
        assert await tracker._store.list_findings() == (finding,)
        assert (await tracker.audit()).findings == ()
        assert tracker.usage().claims == 1


async def test_what_is_ignored_is_counted_and_nowhere_else(make_tracker: MakeTracker) -> None:
    async with make_tracker(config=with_policy(stored_not_booked="ignore")) as tracker:
        claim = await confirmed(tracker)
        lose(tracker, claim)
        events = await tracker.list_events()
        assert (await tracker.audit()).findings == ()
        assert await tracker.list_findings(include_cleared=True) == ()
        assert await tracker.list_events() == events
        assert tracker._findings.count_ignored() == {"stored_not_booked": 1}


async def test_a_finding_that_is_ignored_from_now_on_is_cleared_and_comes_back_after(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker() as tracker:
        lose(tracker, await confirmed(tracker))
        finding = await only_finding(tracker)
        await tracker.reconfigure(with_policy(stored_not_booked="ignore"))
        assert (await tracker.audit()).findings == ()
        await tracker.reconfigure(with_policy())
        assert (await only_finding(tracker)).id == finding.id


# -- when it was seen --------------------------------------------------------------------------


async def test_answers_say_when_a_finding_was_last_seen_and_nothing_is_written_for_it(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        lose(tracker, await confirmed(tracker))
        first = await only_finding(tracker)
        writes = tracker.statistics().store.change_sets
        await clock.advance(30)
        seen = clock.now()
        again = await only_finding(tracker)
        assert (again.first_seen, again.last_seen) == (first.first_seen, seen)
        assert await tracker.list_findings() == (again,)
        assert await tracker.list_findings(include_cleared=True) == (again,)
        assert await tracker.find_finding(again.id) == again
        assert tracker.statistics().store.change_sets == writes
        await clock.advance(10)
        cleared = (await tracker.repair(again.id, by=EVE)).finding
        assert (cleared.last_seen, cleared.cleared_at) == (seen, clock.now())
        assert await tracker.find_finding(again.id) == cleared


# -- databases that were set aside ---------------------------------------------------------------


async def test_a_database_that_was_set_aside_is_marked_as_looked_at(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker() as tracker:
        await confirmed(tracker)
    await anyio.to_thread.run_sync(database.write_bytes, b"no database" * 500)
    async with make_tracker() as tracker:
        finding = await only_finding(tracker)
        assert finding.kind == "database_set_aside"
        assert "looked at" in ((await tracker.preview_repair(finding.id)).words or "")
        content = await anyio.to_thread.run_sync(Path(finding.subject).read_bytes)
        await tracker.repair(finding.id, by=EVE)
        assert (await tracker.audit()).findings == ()
        (seen,) = database.parent.glob("*.seen-*")
        assert await anyio.to_thread.run_sync(seen.read_bytes) == content
    async with make_tracker() as tracker:
        assert (await tracker.audit()).findings == ()


async def on_disk(database: Path, statement: str, *values: str) -> None:
    """Somebody else's hand in the database of a daemon that runs."""

    def run() -> None:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute(statement, values)
            connection.commit()

    await anyio.to_thread.run_sync(run)


# -- the log -------------------------------------------------------------------------------------


async def test_findings_that_are_errors_stand_in_the_log_when_they_come_and_go(
    make_tracker: MakeTracker,
) -> None:
    words = {"counters": [{"name": "slots", "total": 3}]}
    async with make_tracker(config=Config.model_validate(words)) as tracker:
        claim = await confirmed(tracker)
        await tracker.place(ClaimSpec(request=Request(counters={"slots": 2})))
        await tracker.reconfigure(Config())
        lose(tracker, claim)
        with capture_logs() as logged:
            await tracker.audit()
            await tracker.audit()
        (found,) = [entry for entry in logged if entry["event"] == "finding"]
        assert (found["log_level"], found["kind"]) == ("error", "stored_not_booked")
        assert found["subject"] == str(claim.id)
        with capture_logs() as logged:
            await tracker.repair(found["finding"], by=EVE)
        (gone,) = [entry for entry in logged if entry["event"] == "finding cleared"]
        assert (gone["log_level"], gone["finding"]) == ("info", found["finding"])
        assert "booked as it is stored" in gone["repair"]
