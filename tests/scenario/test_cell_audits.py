"""CPUs and cells that are held twice, or are gone: findings for their holders, and nothing stops."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import HostOfSpec
from tests.scenario.test_nova_tables import Rows

from innkeeper.config import Config
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    EventKind,
    Finding,
    GuestCell,
    GuestTopology,
    Holder,
    Placement,
    Request,
)
from innkeeper.objects.stored_host import read_topology
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
HOST = "cpus=8,cells=2,memory=8GiB"
PINNED = Request(
    vcpus=2,
    memory_mib=256,
    topology=GuestTopology(cells=(GuestCell(dedicated="0-1", memory_mib=256),)),
)


@pytest.fixture
def config() -> Config:
    words = {"cpus": {"shared": "0", "dedicated": "1-7"}, "nova": {"tables": "embedded"}}
    return Config.model_validate(words)


async def place(tracker: Tracker) -> Claim:
    return (await tracker.place(ClaimSpec(instance_uuid=uuid4(), request=PINNED))).claim


def cpus_of(claim: Claim) -> list[int]:
    return sorted(claim.placement.cells[0].pins.values())


async def missing_cpus(tracker: Tracker) -> list[Finding]:
    """What an audit says of holders; that the operator's words name CPUs that are gone is another."""
    return [one for one in (await tracker.audit()).findings if one.kind == "cpu_missing"]


async def nothing_differs(tracker: Tracker, clock: VirtualClock) -> None:
    """Nova's row of the node does not know who else held what was held twice: the next beat mends it."""
    with anyio.fail_after(20):
        while (await tracker.audit()).findings:
            await clock.advance(11)
            await anyio.sleep(0.01)


def give_placement(database: Path, claim_id: UUID, placement: Placement) -> None:
    """As a database that was restored from two backups, or edited by hand, has it."""
    with closing(sqlite3.connect(database)) as connection, connection:
        query = "SELECT body FROM innkeeper_claims WHERE id = ?"
        ((text,),) = connection.execute(query, (str(claim_id),))
        body = json.loads(text) | {"placement": placement.model_dump(mode="json")}
        change = "UPDATE innkeeper_claims SET body = ? WHERE id = ?"
        connection.execute(change, (json.dumps(body), str(claim_id)))


async def test_cpus_of_two_claims_are_a_finding_that_names_both(
    make_tracker: MakeTracker, database: Path, clock: VirtualClock
) -> None:
    async with make_tracker(HOST) as tracker:
        one, other = await place(tracker), await place(tracker)
    await anyio.to_thread.run_sync(give_placement, database, other.id, one.placement)
    async with make_tracker(HOST) as tracker:
        (finding,) = (await tracker.audit()).findings
        subject = f"cpus {one.placement.cells[0].charged}"
        assert (finding.kind, finding.subject) == ("oversubscribed", subject)
        assert str(one.id) in finding.message
        assert str(other.id) in finding.message
        assert (await tracker.audit()).findings[0].id == finding.id
        taken = await place(tracker)
        assert not set(cpus_of(taken)) & set(cpus_of(one))
        await tracker.release(other.id, by=EVE)
        await nothing_differs(tracker, clock)
        again = await place(tracker)
        assert not set(cpus_of(again)) & {*cpus_of(one), *cpus_of(taken)}


async def test_a_held_cpu_that_goes_offline_is_a_finding_for_its_holder_until_it_is_back(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec(HOST)
    async with make_tracker(driver=driver) as tracker:
        holder, bystander = await place(tracker), await place(tracker)
        gone = cpus_of(holder)[0]
        driver.become(f"{HOST},offline={gone}")
        (finding,) = await missing_cpus(tracker)
        assert finding.claim_id == holder.id
        assert finding.subject == f"cpus {gone} of {holder.id}"
        assert (await tracker.find(holder.id)).placement == holder.placement
        assert tracker.usage().claims == 2
        driver.become(HOST)
        assert (await tracker.audit()).findings == ()
        kinds = [event.kind for event in await tracker.list_events(claim_id=holder.id)]
        assert kinds == [EventKind.CLAIMED, EventKind.FOUND, EventKind.CLEARED]
        assert len(await tracker.list_events(claim_id=bystander.id)) == 1


async def test_it_is_a_finding_no_more_when_its_holder_is_gone(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec(HOST)
    async with make_tracker(driver=driver) as tracker:
        holder = await place(tracker)
        driver.become(f"{HOST},offline={cpus_of(holder)[1]}")
        assert len(await missing_cpus(tracker)) == 1
        await tracker.release(holder.id, by=EVE)
        assert await missing_cpus(tracker) == []


async def test_a_cpu_that_is_gone_is_not_given_out_and_comes_back_to_its_holder(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec(HOST)
    async with make_tracker(driver=driver) as tracker:
        holder = await place(tracker)
        driver.become(f"{HOST},offline={cpus_of(holder)[0]}")
        await tracker.audit()
        others = [await place(tracker) for _ in range(2)]
        driver.become(HOST)
        assert (await tracker.audit()).findings == ()
        held = [cpu for claim in (holder, *others) for cpu in cpus_of(claim)]
        assert len(held) == len(set(held)) == 6


async def test_a_cell_that_is_gone_is_a_finding_and_its_claim_can_end(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    driver = HostOfSpec("cpus=8,cells=4,memory=8GiB")
    async with make_tracker(driver=driver) as tracker:
        claims = [await place(tracker) for _ in range(3)]
        held = next(claim for claim in claims if claim.placement.cells[0].cell > 1)
        driver.become(HOST)
        findings = (await tracker.audit()).findings
        missing = {one.subject: one.claim_id for one in findings if one.kind == "cell_missing"}
        assert missing[f"cell {held.placement.cells[0].cell}"] == held.id
        for claim in claims:
            await tracker.release(claim.id, by=EVE)
        await nothing_differs(tracker, clock)


async def test_nova_s_tables_have_the_cells_as_the_host_has_them_now(
    make_tracker: MakeTracker, database: Path
) -> None:
    driver, rows = HostOfSpec(HOST), Rows(database)
    async with make_tracker(driver=driver) as tracker:
        await place(tracker)
        before = await dedicated_cpus(rows)
        driver.become(f"{HOST},offline=7")
        await tracker.audit()
        assert await dedicated_cpus(rows) == before - {7}
        driver.become(HOST)
        await tracker.audit()
        assert await dedicated_cpus(rows) == before
        writes = tracker.statistics().store.change_sets
        await tracker.audit()
        assert tracker.statistics().store.change_sets == writes


async def dedicated_cpus(rows: Rows) -> frozenset[int]:
    (node,) = await rows.of("SELECT numa_topology FROM compute_nodes WHERE deleted = 0")
    topology = read_topology(node["numa_topology"])
    assert topology is not None
    return frozenset[int]().union(*(cell.pcpuset for cell in topology.cells))
