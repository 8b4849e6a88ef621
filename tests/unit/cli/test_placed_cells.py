"""What was placed in cells: as a table, as lines for a shell, and as elements for libvirt."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from uuid import UUID

import pytest

from innkeeper.api.views import FitAnswer
from innkeeper.cli.exits import tell
from innkeeper.cli.held import hugepage_cells
from innkeeper.cli.libvirt_xml import libvirt_text
from innkeeper.cli.placements import environment
from innkeeper.cli.refusals import refusal_lines
from innkeeper.cli.tables import claims_table, count_table, placement_table
from innkeeper.errors import NoFit
from innkeeper.objects import (
    CellMisfit,
    Claim,
    ClaimState,
    Holder,
    Misfit,
    PlacedCell,
    PlacedDevice,
    Placement,
    Request,
)

CLAIM = UUID("6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11")

MIXED = PlacedCell(
    cell=1,
    shared="0",
    cpus="0-3",
    pins={1: 4, 2: 20},
    emulator="5",
    charged="4-5,20-21",
    memory_mib=1024,
    page_kib=1_048_576,
    pages=1,
)
PINNED = PlacedCell(
    cell=0, pins={3: 8, 4: 24}, charged="8,24", memory_mib=2048, page_kib=4, pages=524_288
)
PLACED = Placement(
    vcpus=1,
    memory_mib=2048,
    cpus="0-4,8,20,24",
    cells=(MIXED, PINNED),
    devices=(PlacedDevice(address="0000:3b:01.7", vendor_id="8086", product_id="1889"),),
)


def test_the_sums_count_what_floats_and_what_is_dedicated() -> None:
    assert PLACED.all_vcpus == 5
    assert PLACED.all_memory_mib == 3072
    assert Placement(vcpus=3).all_vcpus == 3
    assert Placement(memory_mib=7).all_memory_mib == 7


def test_the_smallest_pages_are_ordinary_memory() -> None:
    assert hugepage_cells(PLACED) == (MIXED,)
    huge = Placement(cells=(MIXED, PINNED.model_copy(update={"page_kib": 2048, "pages": 1024})))
    assert len(hugepage_cells(huge)) == 2
    unsized = PlacedCell(cell=0, memory_mib=64)
    assert hugepage_cells(Placement(memory_mib=64, cells=(unsized,))) == ()
    assert hugepage_cells(Placement(memory_mib=64, cells=(unsized, MIXED))) == (MIXED,)


def test_a_table_has_a_line_for_each_guest_cell() -> None:
    lines = placement_table(PLACED).splitlines()
    assert lines[0].split() == ["vCPUs", "5", "on", "CPUs", "0-4,8,20,24"]
    assert lines[1].split() == ["memory", "3", "GiB"]
    assert lines[2] == (
        "  guest cell 0 on cell 1, 1 GiB in 1 x 1 GiB, vCPUs 0 over CPUs 0-3, vCPU:CPU 1:4 2:20, "
        "emulator on CPU 5, CPUs 21 kept idle"
    )
    assert lines[3] == "  guest cell 1 on cell 0, 2 GiB, vCPU:CPU 3:8 4:24"


def test_a_wide_list_has_cells_pins_and_pages() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    held = Claim(
        id=CLAIM,
        node="vm",
        state=ClaimState.CONFIRMED,
        holder=Holder(),
        request=Request(vcpus=5),
        placement=PLACED,
        fingerprint="0" * 64,
        created_at=now,
        updated_at=now,
    )
    head, row = claims_table([held], wide=True).splitlines()
    for name in ("CELLS", "PINS", "PAGES"):
        assert name in head
    assert row[head.index("VCPUS") :].split()[0] == "5"
    assert row[head.index("PINS") :].startswith("1:4 2:20 3:8 4:24 ")
    assert row[head.index("PAGES") :].startswith("1 x 1 GiB ")
    assert row[head.index("CELLS") :].startswith("1 0 ")


def test_a_shell_gets_cells_pins_and_pages() -> None:
    words = environment(PLACED, CLAIM)
    assert words["INNKEEPER_VCPUS"] == "5"
    assert words["INNKEEPER_MEMORY_MIB"] == "3072"
    assert words["INNKEEPER_CELLS"] == "1,0"
    assert words["INNKEEPER_PINS"] == "1:4,2:20,3:8,4:24"
    assert words["INNKEEPER_PAGES"] == "1:1048576:1,0:4:524288"
    assert "INNKEEPER_CELLS" not in environment(Placement(vcpus=1), None)


def xml(placement: Placement) -> ElementTree.Element:
    return ElementTree.fromstring(f"<domain>{libvirt_text(placement, CLAIM)}</domain>")


def test_libvirt_is_told_every_pin() -> None:
    domain = xml(PLACED)
    assert domain.findtext("vcpu") == "5"
    pins = {one.get("vcpu"): one.get("cpuset") for one in domain.iterfind("cputune/vcpupin")}
    assert pins == {"0": "0-3", "1": "4", "2": "20", "3": "8", "4": "24"}
    assert [one.get("cpuset") for one in domain.iterfind("cputune/emulatorpin")] == ["5"]


def test_libvirt_is_told_which_vcpus_an_update_left() -> None:
    first = PlacedCell(cell=0, pins={0: 4}, charged="4", memory_mib=512)
    second = PlacedCell(cell=1, pins={2: 12}, charged="12", memory_mib=512)
    text = libvirt_text(Placement(cells=(first, second), cpus="4,12"), CLAIM)
    domain = ElementTree.fromstring(f"<domain>{text}</domain>")
    vcpu = domain.find("vcpu")
    assert vcpu is not None
    assert (vcpu.text, vcpu.get("current")) == ("3", "2")
    switched = {one.get("id"): one.get("enabled") for one in domain.iterfind("vcpus/vcpu")}
    assert switched == {"0": "yes", "1": "no", "2": "yes"}
    cells = [one.get("cpus") for one in domain.iterfind("cpu/numa/cell")]
    assert cells == ["0-1", "2"]


def test_libvirt_is_told_where_each_cell_s_memory_is_and_of_which_pages() -> None:
    domain = xml(PLACED)
    cells = [dict(one.items()) for one in domain.iterfind("cpu/numa/cell")]
    assert cells == [
        {"id": "0", "cpus": "0-2", "memory": "1024", "unit": "MiB"},
        {"id": "1", "cpus": "3-4", "memory": "2048", "unit": "MiB"},
    ]
    nodes = {one.get("cellid"): one.get("nodeset") for one in domain.iterfind("numatune/memnode")}
    assert nodes == {"0": "1", "1": "0"}
    memory = domain.find("numatune/memory")
    assert memory is not None
    assert memory.get("nodeset") == "0-1"
    pages = [dict(one.items()) for one in domain.iterfind("memoryBacking/hugepages/page")]
    assert pages == [{"size": "1048576", "unit": "KiB", "nodeset": "0"}]


def test_the_emulator_runs_where_the_vcpus_do_unless_it_has_a_cpu() -> None:
    shared = PLACED.model_copy(update={"cells": (PINNED,)})
    pin = xml(shared).find("cputune/emulatorpin")
    assert pin is not None
    assert pin.get("cpuset") == PLACED.cpus


def test_a_placement_without_cells_pins_nothing() -> None:
    domain = xml(Placement(vcpus=2, memory_mib=64, cpus="0-7"))
    assert [one.tag for one in domain] == ["vcpu", "memory"]


# -- refused and counted ---------------------------------------------------------------------------


def short(code: str, cells: tuple[CellMisfit, ...] = (), resource: str = "cells") -> Misfit:
    return Misfit(
        code=code,
        resource=resource,
        message="the reason in words",
        asked=4,
        free=1,
        capacity=8,
        used=7,
        cells=cells,
    )


def cell_misfit(cell: int, code: str, asked: int, free: int) -> CellMisfit:
    return CellMisfit(guest_cell=1, cell=cell, code=code, asked=asked, free=free)


def test_a_refusal_has_each_host_cell_and_what_it_is_short_of() -> None:
    reason = short(
        "insufficient_dedicated_cpus",
        (
            cell_misfit(0, "insufficient_dedicated_cpus", 4, 1),
            cell_misfit(1, "insufficient_pages", 2048, 1024),
            cell_misfit(2, "insufficient_dedicated_cpus", 4, 1),
            cell_misfit(3, "cell_cordoned", 0, 0),
        ),
    )
    lines = [" ".join(line.split()) for line in refusal_lines([reason], None)]
    assert lines == [
        "cells: the reason in words",
        "GUEST CELL HOST CELLS SHORT OF ASKED FREE",
        "1 0,2 dedicated CPUs 4 1",
        "1 1 pages 2048 MiB 1024 MiB",
        "1 3 cells that are not cordoned - -",
        "nothing of this kind would fit now",
    ]


def test_what_nobody_looked_for_is_not_said_to_fit_nowhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reasons = (short("insufficient_dedicated_cpus", (cell_misfit(0, "any", 4, 1),)),)
    tell(NoFit("no", reasons=reasons))
    assert "would fit" not in capsys.readouterr().err
    tell(NoFit("no", reasons=reasons, nearest=Request(vcpus=1)))
    assert "would fit now: --vcpus 1" in capsys.readouterr().err


def test_many_cells_that_differ_are_counted() -> None:
    cells = tuple(cell_misfit(cell, "insufficient_cores", 4, cell) for cell in range(30))
    lines = list(refusal_lines([short("insufficient_cores", cells)], None))
    assert "    and 6 more cells; `innkeeper fit -o json` has them all" in lines


def test_a_count_says_what_runs_out() -> None:
    stopped = (
        short("insufficient_dedicated_cpus"),
        short("insufficient_devices", resource="nic"),
        short("insufficient_memory"),
    )
    answer = FitAnswer(placement=PLACED, count=1200, stopped_by=stopped)
    assert count_table(answer).splitlines() == [
        "1,200 more; then dedicated CPUs run out: the reason in words",
        "  and devices nic run out: the reason in words",
        "  and memory runs out: the reason in words",
    ]
    slots = FitAnswer(
        placement=PLACED, count=3, stopped_by=(short("insufficient_counter", resource="slots"),)
    )
    assert count_table(slots).startswith("3 more; then slots run out: ")
    assert "no end seen" in count_table(FitAnswer(placement=PLACED, count=10_000))
    assert "was not decided" in count_table(FitAnswer(placement=PLACED, count=None))
