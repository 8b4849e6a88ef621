"""Nova's windows that are no place in a step: what goes wrong around it, and what cannot here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.crash.kill.stories import INSTANCE, OTHER
from tests.crash.nova_process import STORIES, Process, alive, asked, take, tell
from tests.crash.windows import ELSEWHERE
from tests.scenario.hosts import until
from tests.scenario.nova_reader import EXTRA, Reader

from innkeeper.errors import HostUnreadable
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Holder,
    MoveKind,
    MoveSpec,
    Request,
)

BY = Holder(user="ann")
VF = DeviceRequest(alternatives=({"dev_type": "type-VF"},))
AVAILABLE = "SELECT * FROM pci_devices WHERE deleted = 0 AND status = 'available'"
DAMAGE = "UPDATE innkeeper_claims SET body = '{' WHERE id = ?"


async def free(process: Process) -> int:
    """Devices that are available by their rows."""
    return len(await Reader(process.database).of(AVAILABLE))


async def test_nothing_is_said_to_placement(tmp_path: Path) -> None:
    """C13, C14: there is nothing of it that could be newer, or left over."""
    async with alive(tmp_path) as process:
        await process.look()
    with closing(sqlite3.connect(process.database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert tables.isdisjoint({"allocations", "inventories", "resource_providers", "consumers"})
    assert ELSEWHERE.keys() == {"C13", "C14"}


async def test_a_move_that_nobody_goes_on_with_ends_by_itself(
    tmp_path: Path, short_dir: Path
) -> None:
    """C8: in Nova the claim is held until an operator resets the instance."""
    async with asked(tmp_path, short_dir) as (process, served):
        story = STORIES["resize here claim"]
        await tell(served, story)
        holding = process.tracker.usage().claims
        assert await take(served, story.step) < 300
    async with alive(tmp_path) as process:
        assert process.tracker.usage().claims == holding + 1
        await process.clock.advance(601)
        await until(lambda: process.tracker.usage().claims == holding)
        assert not process.tracker.moving()
        await process.look()


def pinned() -> ClaimSpec:
    cells = (GuestCell(dedicated="0-1", memory_mib=256),)
    request = Request(vcpus=2, memory_mib=256, topology=GuestTopology(cells=cells))
    return ClaimSpec(instance_uuid=uuid4(), request=request)


def charged(claims: Iterable[Claim]) -> list[int]:
    return [cpu for one in claims for cell in one.placement.cells for cpu in cell.pins.values()]


@pytest.mark.parametrize(
    "broken", [HostUnreadable("a test says so"), ZeroDivisionError("a test says so")], ids=repr
)
async def test_an_audit_that_fails_changes_nothing_of_what_is_held(
    tmp_path: Path, broken: Exception
) -> None:
    """E1: in Nova it forgets whom it had not come to, and the next claims are given their CPUs."""
    async with alive(tmp_path) as process:
        claims = [(await process.tracker.place(pinned())).claim for _ in range(3)]
        process.driver.broken = broken
        with suppress(ZeroDivisionError):
            assert (await process.tracker.audit()).findings
        assert process.tracker.usage().claims == 3
        claims.append((await process.tracker.place(pinned())).claim)
        assert len(set(charged(claims))) == len(charged(claims)) == 8
        process.driver.broken = None
        await process.look()


async def test_one_bad_record_lets_go_of_no_other(tmp_path: Path) -> None:
    """E1: in Nova one bad row makes the host give everything twice that is listed after it."""
    async with alive(tmp_path) as process:
        claims = [(await process.tracker.place(pinned())).claim for _ in range(4)]
    bad = sorted(claims, key=lambda claim: claim.id)[1]
    others = [claim for claim in claims if claim is not bad]
    with closing(sqlite3.connect(process.database)) as connection:
        connection.execute(DAMAGE, (str(bad.id),))
        connection.commit()
    async with alive(tmp_path) as process:
        found = {finding.kind for finding in (await process.tracker.audit()).findings}
        assert "claim_unreadable" in found
        new = [(await process.tracker.place(pinned())).claim]
        assert len(set(charged([*others, *new]))) == 8


async def test_all_devices_of_an_instance_are_one_claim_s(
    tmp_path: Path,
) -> None:
    """E4: in Nova the flavor's and the ports' are two, and the second hides the first."""
    port = VF.model_copy(update={"requester": str(uuid4())})
    request = Request(vcpus=1, devices=(VF, port))
    move = MoveSpec(id=uuid4(), kind=MoveKind.LIVE_MIGRATION, source="host-a")
    async with alive(tmp_path) as process:
        before = await process.look()
        spec = ClaimSpec(instance_uuid=uuid4(), request=request, move=move)
        claim = (await process.tracker.place(spec)).claim
        assert len(claim.placement.devices) == 2
        await process.look()
        await process.tracker.fail_move(move.id, by=BY)
        assert (await process.look()).rows_of("pci_devices") == before.rows_of("pci_devices")


async def test_pools_follow_the_rows_of_devices(tmp_path: Path, short_dir: Path) -> None:
    """E5: in Nova the check of a live migration saves devices and not their pools."""
    async with asked(tmp_path, short_dir) as (process, served):
        for name in ("live-migration claim", "live-migration arrives"):
            assert await take(served, STORIES[name].step) < 300
            assert await Reader(process.database).free_in_pools() == await free(process)


@pytest.mark.parametrize("verb", ["abort", "release"])
async def test_a_move_claim_that_ends_leaves_what_was(
    tmp_path: Path, short_dir: Path, verb: str
) -> None:
    """E6: in Nova pins, devices and context stay when the instance was read before."""
    async with asked(tmp_path, short_dir) as (process, served):
        story = STORIES["resize here claim"]
        await tell(served, story)
        usage, before = process.tracker.usage(), await free(process)
        assert await take(served, story.step) < 300
        assert await free(process) == before - 2
        await getattr(process.tracker, verb)(UUID(OTHER), by=BY)
        await process.look()
        left = process.tracker.usage()
        assert (left.vcpus, left.memory_mib, left.devices, left.cells) == (
            usage.vcpus,
            usage.memory_mib,
            usage.devices,
            usage.cells,
        )
        assert await free(process) == before
        (extra,) = await Reader(process.database).of(EXTRA, INSTANCE)
        assert extra["migration_context"] is None


async def test_an_evacuated_instance_counts_whatever_became_of_it(
    tmp_path: Path, short_dir: Path
) -> None:
    """E7: in Nova one in vm_state ERROR is not counted on its destination after the first audit."""
    async with asked(tmp_path, short_dir) as (process, served):
        assert await take(served, STORIES["evacuation claim"].step) < 300
        held = process.tracker.usage()
        with closing(sqlite3.connect(process.database)) as connection:
            connection.execute("UPDATE instances SET vm_state = 'error'")
            connection.commit()
        await process.look()
    async with alive(tmp_path) as process:
        await process.look()
        usage = process.tracker.usage()
        assert (usage.vcpus, usage.devices, usage.cells) == (held.vcpus, held.devices, held.cells)
