"""Simulated hosts whose cells are not alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from innkeeper.drivers.simulated import simulated
from innkeeper.drivers.simulated.cells import shares
from innkeeper.errors import BadRequest
from innkeeper.objects import Cell, Host

GIB_IN_KIB = 1024 * 1024


def pages(cell: Cell) -> list[tuple[int, int, int]]:
    return [(one.size_kib, one.total, one.free) for one in cell.pages]


def test_a_cell_may_lack_cpus_memory_or_both() -> None:
    host = simulated(
        "cpus=8,cells=4,sockets=2,memory=8GiB,cell1.cpus=0,cell2.memory=0,cell3.cpus=0,cell3.memory=0"
    )
    assert [cell.cpus for cell in host.cells] == [(0, 1, 4, 5), (), (2, 3, 6, 7), ()]
    assert [cell.memory_kib // GIB_IN_KIB for cell in host.cells] == [4, 4, 0, 0]
    assert {cpu.cell for cpu in host.cpus} == {0, 2}
    assert host.memory_kib == 8 * GIB_IN_KIB
    assert Host.model_validate(host.model_dump()) == host


def test_cells_may_have_pages_of_several_sizes_each_its_own() -> None:
    host = simulated(
        "cpus=4,cells=2,memory=16GiB,pages_2m=100,cell0.pages_2m=64,cell1.pages_1g=3,cell1.used_1g=1"
    )
    assert [pages(cell) for cell in host.cells] == [
        [(2048, 64, 64), (GIB_IN_KIB, 0, 0)],
        [(2048, 36, 36), (GIB_IN_KIB, 3, 2)],
    ]
    assert [(one.size_kib, one.total, one.free) for one in host.pages] == [
        (2048, 100, 100),
        (GIB_IN_KIB, 3, 2),
    ]


def test_caches_may_be_smaller_than_a_cell_or_not_told() -> None:
    small = simulated("cpus=16,cells=2,threads=2,l3=2")
    assert [cpu.l3 for cpu in small.cpus[:8]] == [0, 0, 2, 2, 4, 4, 6, 6]
    silent = simulated("cpus=4,threads=2,l3=0,offline=1")
    assert {cpu.l3 for cpu in silent.cpus} == {None}


def test_lists_of_cpus_may_have_commas() -> None:
    host = simulated("cpus=8,offline=1,3-4,isolated=6,7,cells=2")
    assert [cpu.id for cpu in host.cpus if not cpu.online] == [1, 3, 4]
    assert [cpu.id for cpu in host.cpus if cpu.isolated] == [6, 7]
    assert len(host.cells) == 2


def test_distances_are_those_that_were_given() -> None:
    cells = simulated("cpus=4,cells=2,cell0.distances=10/17").cells
    assert cells[0].distances == {0: 10, 1: 17}
    assert cells[1].distances == {0: 21, 1: 10}


def test_ordinary_pages_may_be_large() -> None:
    assert simulated("cpus=1").page_kib == 4
    assert simulated("cpus=1,page_kib=64").page_kib == 64


def test_a_file_has_a_table_for_each_cell(tmp_path: Path) -> None:
    file = tmp_path / "host.toml"
    file.write_text('cpus = 4\ncells = 2\n[cell1]\ncpus = 0\npages_2m = 3\ndistances = "20/10"\n')
    host = simulated(str(file))
    assert host == simulated("cpus=4,cells=2,cell1.cpus=0,cell1.pages_2m=3,cell1.distances=20/10")


def test_what_is_left_is_shared_out_evenly() -> None:
    assert shares(10, [None, 3, None]) == [4, 3, 3]
    assert shares(3, [3, 0]) == [3, 0]
    assert shares(0, [None]) == [0]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("cells=2,cell2.cpus=1", "'cell2.cpus' names no cell; the last is cell1"),
        ("cells=2,cell1.cpu=1", "did you mean `cpus`?"),
        ("cpus=4,cells=2,threads=2,cell0.cpus=1", "should be whole cores of threads=2"),
        ("cpus=4,cells=2,cell0.cpus=6", "cpus '4' are not what its cells have of their own, 6"),
        ("cpus=4,cells=1,cell0.cpus=2", "cpus '4' are not what its cells have of their own, 2"),
        ("cells=2,memory=1GiB,cell0.memory=2GiB", "memory '1024MiB' are not what its cells have"),
        ("cells=2,memory=4GiB,cell0.memory=0,cell0.pages_2m=1", "less than the 2 MiB of its"),
        ("cells=2,cell0.pages_2m=1,cell0.used_2m=2", "are more than its 1 pages"),
        ("cells=2,cell0.distances=10", "should be 2 distances, one to each cell"),
        ("cells=2,cell0.distances=10 21", "should be distances such as 10/21/31"),
        ("cells=2,cell0.memory=1MB", "decimal"),
        ("cpus=4,isolated=4", "should be some of the CPUs 0-3"),
        ("cpus=4,5", "'4,5' should be a whole number"),
        ("5,cpus=4", "a part '5' without `=`"),
    ],
)
def test_cells_that_cannot_be_are_refused(spec: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        simulated(spec)
    assert said in refused.value.message
