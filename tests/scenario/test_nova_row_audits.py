"""Nova's rows are audited against the claims: what differs is told, mended on order, and never believed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_stored_claims import statements

from innkeeper.config import Config
from innkeeper.objects import (
    ClaimSpec,
    DeviceRequest,
    Finding,
    Holder,
    MoveKind,
    MoveSpec,
    Request,
)
from innkeeper.objects.topology import GuestCell, GuestTopology
from innkeeper.tracker import Tracker

SPEC = "cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4"
BY = Holder(user="ann")


@pytest.fixture
def config() -> Config:
    words = {
        "devices": [{}],
        "cpus": {"dedicated": "4-7", "shared": "0-3"},
        "nova": {"tables": "embedded"},
    }
    return Config.model_validate(words)


async def write(database: Path, statement: str, *values: object) -> None:
    def run() -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            assert connection.execute(statement, values).rowcount > 0

    await anyio.to_thread.run_sync(run)


async def ask(database: Path, query: str) -> list[tuple[object, ...]]:
    def run() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(database)) as connection:
            return connection.execute(query).fetchall()

    return await anyio.to_thread.run_sync(run)


async def place(tracker: Tracker) -> UUID:
    """A pinned instance with a VF."""
    pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
    request = Request(
        vcpus=1,
        memory_mib=512,
        disk_mib=10_240,
        devices=(DeviceRequest(vendor_id=pool.vendor_id, product_id=pool.product_id),),
        topology=GuestTopology(cells=(GuestCell(dedicated="0", memory_mib=512),)),
    )
    instance = uuid4()
    placed = await tracker.place(ClaimSpec(instance_uuid=instance, request=request))
    await tracker.confirm(placed.claim.id, by=BY)
    return instance


def by_kind(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    found = {finding.kind: finding for finding in findings}
    assert len(found) == len(findings)
    return found


async def test_rows_as_they_were_written_are_no_findings(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC) as tracker:
        for _ in range(2):
            await place(tracker)
        for full in (True, True, False):
            report = await tracker.audit(full=full)
            assert report.findings == ()
    async with make_tracker(SPEC) as tracker:
        assert (await tracker.audit()).findings == ()


DAMAGE = {
    "row_differs": [
        "UPDATE instances SET memory_mb = 1 WHERE deleted = 0",
        "UPDATE instances SET vm_state = 'stopped' WHERE deleted = 0",
        "UPDATE instance_extra SET numa_topology = replace(numa_topology, '512', '256')",
    ],
    "row_missing": ["UPDATE instances SET deleted = id, deleted_at = updated_at"],
    "totals_differ": [
        "UPDATE compute_nodes SET vcpus_used = 99",
        "UPDATE compute_nodes SET running_vms = 7",
        "UPDATE compute_nodes SET numa_topology = NULL",
    ],
    "pools_differ": ["UPDATE compute_nodes SET pci_stats = NULL"],
    "device_row_differs": [
        "UPDATE pci_devices SET status = 'available', instance_uuid = NULL WHERE instance_uuid NOT NULL"
    ],
}
CASES = [(kind, statement) for kind, statements in DAMAGE.items() for statement in statements]


@pytest.mark.parametrize(("kind", "statement"), CASES)
async def test_what_somebody_wrote_is_told_and_written_again_on_order(
    make_tracker: MakeTracker, database: Path, kind: str, statement: str
) -> None:
    async with make_tracker(SPEC) as tracker:
        await place(tracker)
        usage = tracker.usage()
        await tracker.audit()
        await write(database, statement)
        (finding,) = (await tracker.audit()).findings
        assert finding.kind == kind
        # Found open, it is looked for again by every audit.
        assert [one.id for one in (await tracker.audit(full=False)).findings] == [finding.id]
        assert tracker.usage() == usage
        await tracker.repair(finding.id, by=BY)
        assert (await tracker.audit()).findings == ()


async def test_rows_that_nobody_wrote_are_not_asked_for_between_full_audits(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(SPEC) as tracker:
        await place(tracker)
        await tracker.audit()
        await clock.advance(60)
        with statements() as seen:
            assert (await tracker.audit(full=False)).findings == ()
        # Whether the sign of life arrives is asked each time: of the service, and of its node.
        asked = [one for one in seen if "SELECT" in one]
        assert len(asked) <= 2
        assert all("FROM services" in one or "FROM compute_nodes" in one for one in asked)


@pytest.mark.parametrize(("kind", "statement"), CASES)
async def test_what_somebody_wrote_is_told_between_full_audits_whatever_moment_it_bears(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock, kind: str, statement: str
) -> None:
    async with make_tracker(SPEC) as tracker:
        await place(tracker)
        await tracker.audit()
        await clock.advance(3600)
        assert (await tracker.audit(full=False)).findings == ()
        await write(database, statement)
        (finding,) = (await tracker.audit(full=False)).findings
        assert finding.kind == kind


async def test_a_row_without_a_claim_says_what_nova_would_count(
    make_tracker: MakeTracker, database: Path
) -> None:
    stranger = str(uuid4())
    insert = (
        "INSERT INTO instances (uuid, host, node, vm_state, vcpus, memory_mb, root_gb, ephemeral_gb, "
        "deleted, created_at) VALUES (?, 'test', 'test', ?, 4, 2048, 20, 1, 0, ?)"
    )
    async with make_tracker(SPEC) as tracker:
        usage = tracker.usage()
        await write(database, insert, stranger, "active", "2026-01-01 00:00:00.000000")
        (finding,) = (await tracker.audit()).findings
        assert (finding.kind, finding.subject) == ("row_unclaimed", stranger)
        assert "4 vCPUs, 2048 MiB of memory and 21 GiB of disk" in finding.message
        assert tracker.usage() == usage
        spec = ClaimSpec(instance_uuid=UUID(stranger), request=Request(vcpus=1))
        await tracker.place(spec)
        assert (await tracker.audit(full=False)).findings == ()


async def test_a_move_that_names_the_node_and_has_no_claim_is_told(
    make_tracker: MakeTracker, database: Path
) -> None:
    move = str(uuid4())
    insert = (
        "INSERT INTO migrations (uuid, source_compute, source_node, dest_compute, dest_node, status, "
        "migration_type, instance_uuid, deleted) SELECT ?, 'there', 'there', 'test', 'test', "
        "'pre-migrating', 'resize', uuid, 0 FROM instances"
    )
    async with make_tracker(SPEC) as tracker:
        await place(tracker)
        await write(database, insert, move)
        (finding,) = (await tracker.audit(full=False)).findings
        assert (finding.kind, finding.subject) == ("move_unclaimed", move)
        await write(database, "UPDATE migrations SET status = 'reverted'")
        assert (await tracker.audit(full=False)).findings == ()


async def test_a_move_that_failed_is_over(make_tracker: MakeTracker, database: Path) -> None:
    async with make_tracker(SPEC) as tracker:
        instance = await place(tracker)
        move = MoveSpec(id=uuid4(), kind=MoveKind.RESIZE)
        spec = ClaimSpec(instance_uuid=instance, request=Request(vcpus=1), move=move)
        await tracker.place(spec)
        await tracker.fail_move(move.id, by=BY)
        assert await ask(database, "SELECT status FROM migrations") == [("error",)]
        assert (await tracker.audit()).findings == ()


async def test_a_row_that_makes_no_sense_stops_no_other(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker(SPEC) as tracker:
        first, second = await place(tracker), await place(tracker)
        await write(
            database,
            "UPDATE instance_extra SET numa_topology = 'no JSON' WHERE instance_uuid = ?",
            str(first),
        )
        await write(database, "UPDATE instances SET vcpus = 9 WHERE uuid = ?", str(second))
        found = by_kind((await tracker.audit()).findings)
        assert sorted(found) == ["row_differs", "row_unreadable"]
        assert str(first) in found["row_unreadable"].subject
        assert found["row_differs"].subject == str(second)
        assert await ask(database, "SELECT count(*) FROM innkeeper_claims WHERE live = 1") == [(2,)]


async def test_without_novas_tables_nothing_of_them_is_asked(
    make_tracker: MakeTracker, database: Path, config: Config
) -> None:
    words = config.model_copy(update={"nova": config.nova.model_copy(update={"tables": "none"})})
    async with make_tracker(SPEC, config=words) as tracker:
        assert (await tracker.audit()).findings == ()
