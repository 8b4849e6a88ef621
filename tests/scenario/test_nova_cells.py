"""Cells in Nova's tables: of the host with what is held of them, and of each guest."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.scenario.conftest import MakeTracker
from tests.scenario.test_nova_tables import HOLDER, Rows

from innkeeper.config import Config
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimUpdate,
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    Request,
    ThreadPolicy,
)
from innkeeper.objects.numa import NUMACell
from innkeeper.objects.stored_guest import read_instance_topology
from innkeeper.objects.stored_host import read_topology
from innkeeper.tracker import Tracker

HOST = "cpus=16,threads=2,cells=2,memory=16GiB,pages_2m=2048"


@pytest.fixture
def config() -> Config:
    return Config.model_validate(
        {
            "nova": {"tables": "embedded"},
            "cpus": {"shared": "0-1", "dedicated": "2-15"},
            "reserved": {"memory_mib": 0},
        }
    )


@pytest.fixture
def rows(database: Path) -> Rows:
    return Rows(database)


MIXED = Request(
    vcpus=4,
    memory_mib=1024,
    topology=GuestTopology(
        cells=(GuestCell(shared="0-1", dedicated="2-3", memory_mib=1024),), pages=2048
    ),
)


async def place(tracker: Tracker, request: Request, instance: UUID) -> Claim:
    spec = ClaimSpec(instance_uuid=instance, holder=HOLDER, request=request)
    return (await tracker.place(spec)).claim


async def node_of(rows: Rows) -> tuple[dict[str, Any], tuple[NUMACell, ...]]:
    (node,) = await rows.of("SELECT * FROM compute_nodes WHERE deleted = 0")
    topology = read_topology(node["numa_topology"])
    assert topology is not None
    return node, topology.cells


def pages_used(cell: NUMACell) -> dict[int, int]:
    return {page.size_kb: page.used for page in cell.mempages if page.used}


async def test_the_host_s_cells_are_there_from_the_start(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    async with make_tracker(HOST) as tracker:
        node, cells = await node_of(rows)
        offered = tracker.inventory.cells
    assert [cell.id for cell in cells] == [0, 1]
    assert [cell.memory for cell in cells] == [cell.memory_mib for cell in offered]
    assert cells[0].cpuset | cells[0].pcpuset | cells[1].pcpuset == frozenset(range(16))
    assert [len(cell.siblings) for cell in cells] == [len(cell.cores) for cell in offered]
    assert [[(page.size_kb, page.total) for page in cell.mempages] for cell in cells] == [
        [(page.size_kib, page.total) for page in cell.pages] for cell in offered
    ]
    assert all((cell.cpu_usage, cell.memory_usage) == (0, 0) for cell in cells)
    assert all(cell.pinned_cpus == frozenset() for cell in cells)
    assert (node["vcpus_used"], node["memory_mb_used"]) == (0, 0)


async def test_a_guest_s_cells_and_their_usage_follow_its_claim(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    instance = uuid4()
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, MIXED, instance)
        (placed,) = claim.placement.cells
        (extra,) = await rows.of("SELECT * FROM instance_extra WHERE deleted = 0")
        guest = read_instance_topology(extra["numa_topology"], str(instance))
        assert guest is not None
        (cell,) = guest.cells
        assert (cell.id, cell.cpuset, cell.pcpuset) == (
            placed.cell,
            frozenset({0, 1}),
            frozenset({2, 3}),
        )
        assert (cell.cpu_pinning, cell.pagesize, cell.memory) == (placed.pins, 2048, 1024)
        assert cell.cpu_policy == "mixed"
        (row,) = await rows.of("SELECT * FROM instances")
        assert (row["vcpus"], row["memory_mb"]) == (4, 1024)
        node, cells = await node_of(rows)
        assert (node["vcpus_used"], node["memory_mb_used"]) == (4, 1024)
        used = cells[placed.cell]
        assert (used.cpu_usage, used.memory_usage) == (2, 1024)
        assert used.pinned_cpus == frozenset(placed.pins.values())
        assert pages_used(used) == {2048: 512}
        await tracker.release(claim.id, by=HOLDER)
        node, cells = await node_of(rows)
        assert (node["vcpus_used"], node["memory_mb_used"], node["running_vms"]) == (0, 0, 0)
        used = cells[placed.cell]
        assert (used.cpu_usage, used.memory_usage, used.pinned_cpus) == (0, 0, frozenset())
        assert pages_used(used) == {}


@pytest.mark.parametrize(("vcpus", "memory_mib"), [(3, 512), (2, 1024), (4, 1536)])
async def test_rows_follow_an_update_in_its_own_step(
    make_tracker: MakeTracker, rows: Rows, vcpus: int, memory_mib: int
) -> None:
    instance = uuid4()
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, MIXED, instance)
        change = ClaimUpdate(vcpus=vcpus, memory_mib=memory_mib)
        await tracker.update(claim.id, change, by=HOLDER)
        (row,) = await rows.of("SELECT * FROM instances")
        assert (row["vcpus"], row["memory_mb"]) == (vcpus, memory_mib)
        (extra,) = await rows.of("SELECT * FROM instance_extra WHERE deleted = 0")
        guest = read_instance_topology(extra["numa_topology"], str(instance))
        assert guest is not None
        assert len(guest.cells[0].cpuset) == vcpus - 2
        node, cells = await node_of(rows)
        assert (node["vcpus_used"], node["memory_mb_used"]) == (vcpus, memory_mib)
        used = cells[claim.placement.cells[0].cell]
        assert (used.cpu_usage, used.memory_usage) == (vcpus - 2, memory_mib)
        assert pages_used(used) == {2048: memory_mib // 2}
        assert len(used.pinned_cpus) == 2


async def test_whole_cores_and_the_emulator_are_pinned(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    topology = GuestTopology(
        cells=(GuestCell(dedicated="0-1", memory_mib=512),),
        threads=ThreadPolicy.ISOLATE,
        emulator_threads=EmulatorThreads.ISOLATE,
    )
    request = Request(vcpus=2, memory_mib=512, topology=topology)
    async with make_tracker(HOST) as tracker:
        claim = await place(tracker, request, uuid4())
        node, cells = await node_of(rows)
        assert len(cells[claim.placement.cells[0].cell].pinned_cpus) == 6
        assert node["vcpus_used"] == 2
        smaller = await tracker.update(claim.id, ClaimUpdate(vcpus=1), by=HOLDER)
        node, cells = await node_of(rows)
        pinned = cells[smaller.placement.cells[0].cell].pinned_cpus
        assert len(pinned) == 4
        assert node["vcpus_used"] == 1
