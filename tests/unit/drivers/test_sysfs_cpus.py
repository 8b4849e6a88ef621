"""CPUs, cells, memory and hugepages of odd hosts."""

from __future__ import annotations

import pytest
from tests.unit.drivers.conftest import HostTree

from innkeeper.objects import Host, Pages

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"


def online(host: Host) -> list[int]:
    return [cpu.id for cpu in host.cpus if cpu.online]


def isolated(host: Host) -> list[int]:
    return [cpu.id for cpu in host.cpus if cpu.isolated]


def cells(host: Host) -> dict[int, tuple[int, ...]]:
    return {cell.id: cell.cpus for cell in host.cells}


def test_a_host_without_a_numa_directory_is_one_cell_with_everything(empty: HostTree) -> None:
    empty.file(f"{CPU}/online", "0-3\n")
    empty.file("proc/meminfo", "MemTotal: 4096 kB\n")
    pages = "sys/kernel/mm/hugepages/hugepages-2048kB"
    empty.file(f"{pages}/nr_hugepages", "3\n")
    empty.file(f"{pages}/free_hugepages", "1\n")
    host = empty.observe()
    (cell,) = host.cells
    assert (cell.id, cell.cpus, cell.memory_kib, cell.distances) == (0, (0, 1, 2, 3), 4096, {})
    assert cell.pages == host.pages == (Pages(size_kib=2048, total=3, free=1),)
    assert {cpu.cell for cpu in host.cpus} == {0}
    assert host.warnings == ()


def test_an_old_kernel_says_online_only_by_directories(empty: HostTree) -> None:
    for number in (0, 1, 2):
        empty.cpu(number)
    empty.file(f"{CPU}/cpu1/online", "1\n")
    empty.file(f"{CPU}/cpu2/online", "0\n")
    empty.file("proc/meminfo", "MemTotal: 1 kB\n")
    host = empty.observe()
    assert online(host) == [0, 1]
    assert [cpu.id for cpu in host.cpus] == [0, 1, 2]


def test_without_any_cpu_directory_cpuinfo_tells(empty: HostTree) -> None:
    empty.file("proc/cpuinfo", "processor\t: 0\nmodel name : x\n\nprocessor\t: 3\n")
    empty.file("proc/meminfo", "MemTotal: 1 kB\n")
    assert online(empty.observe()) == [0, 3]


def test_lists_that_end_in_blanks_and_a_nul_are_read(tree: HostTree) -> None:
    tree.file(f"{CPU}/online", b"0-1\n \x00")
    assert online(tree.observe()) == [0, 1]
    assert tree.observe().warnings == ()


def test_a_deconfigured_cpu_is_no_cpu_of_the_host(tree: HostTree) -> None:
    tree.file(f"{CPU}/present", "0-1\n")
    tree.file(f"{CPU}/possible", "0-7\n")
    tree.cpu(7)
    assert [cpu.id for cpu in tree.observe().cpus] == [0, 1]


def test_an_offline_cpu_keeps_its_cell_and_loses_its_siblings(tree: HostTree) -> None:
    tree.file(f"{CPU}/online", "0\n")
    tree.file(f"{CPU}/present", "0-1\n")
    tree.file(f"{NODE}/node0/cpulist", "0\n")
    tree.link(f"{NODE}/node0/cpu1", "../../cpu/cpu1")
    tree.cpu(0, thread_siblings_list="0-1")
    first, second = tree.observe().cpus
    assert (first.siblings, first.online) == ((0,), True)
    assert (second.siblings, second.online, second.cell, second.l3) == ((), False, 0, None)
    assert cells(tree.observe()) == {0: (0,)}


def test_siblings_come_from_lists_or_masks(empty: HostTree) -> None:
    empty.file(f"{CPU}/online", "0-3\n")
    empty.file("proc/meminfo", "MemTotal: 1 kB\n")
    empty.cpu(0, core_cpus_list="0,2")
    empty.cpu(1, core_cpus="0000000a")
    empty.cpu(2, thread_siblings="00000000,00000005")
    empty.cpu(3, core_cpus_list="junk", thread_siblings="a")
    host = empty.observe()
    assert [cpu.siblings for cpu in host.cpus] == [(0, 2), (1, 3), (0, 2), (1, 3)]
    assert host.warnings == (
        f"/{CPU}/cpu3/topology/core_cpus_list: is malformed: 'junk' is no range of ids",
    )


def test_a_cpu_without_topology_stands_alone(tree: HostTree) -> None:
    tree.file(f"{CPU}/online", "0-2\n")
    cpu = tree.observe().cpus[2]
    assert (cpu.siblings, cpu.core, cpu.socket, cpu.die, cpu.l3) == ((2,), None, None, None, None)


def test_unknown_ids_are_null(tree: HostTree) -> None:
    tree.cpu(1, physical_package_id=-1, core_id=-1, die_id=-1)
    cpu = tree.observe().cpus[1]
    assert (cpu.socket, cpu.core, cpu.die) == (None, None, None)


def test_l3_is_the_lowest_online_cpu_that_shares_it(tree: HostTree) -> None:
    tree.file(f"{CPU}/online", "1-3\n")
    for number, shared in ((1, "0-1"), (2, "2-3"), (3, "2-3")):
        path = f"{CPU}/cpu{number}/cache"
        for index, level in enumerate((1, 1, 2, 3)):
            tree.file(f"{path}/index{index}/level", f"{level}\n")
        tree.file(f"{path}/index3/shared_cpu_list", f"{shared}\n")
    tree.file(f"{CPU}/cpu0/cache/uevent")
    assert [cpu.l3 for cpu in tree.observe().cpus] == [None, 1, 2, 2]


@pytest.mark.parametrize(
    ("cmdline", "expected"),
    [
        ("quiet", []),
        ("isolcpus=1", [1]),
        ("isolcpus=0 isolcpus=1", [1]),
        ("isolcpus=domain,managed_irq,0-1", [0, 1]),
        ("isolcpus=managed_irq,0-1", []),
        ("isolcpus=nohz,0", []),
        ("isolcpus=", []),
    ],
)
def test_old_kernels_say_isolated_only_on_the_command_line(
    tree: HostTree, cmdline: str, expected: list[int]
) -> None:
    tree.file("proc/cmdline", f"root=/dev/sda {cmdline} rw\n")
    assert isolated(tree.observe()) == expected
    assert tree.observe().warnings == ()


def test_what_the_kernel_isolates_counts_before_the_command_line(tree: HostTree) -> None:
    tree.file("proc/cmdline", "isolcpus=0\n")
    tree.file(f"{CPU}/isolated", "1\n")
    assert isolated(tree.observe()) == [1]


def test_cells_have_the_kernels_ids_and_distances_by_id(tree: HostTree) -> None:
    tree.file(f"{NODE}/node0/cpulist", "0\n")
    tree.file(f"{NODE}/node0/distance", "10 17 21\n")
    tree.cell(33, "1", memory_kib=2048)
    tree.cell(45, "", memory_kib=0)
    host = tree.observe()
    assert cells(host) == {0: (0,), 33: (1,), 45: ()}
    assert [cell.memory_kib for cell in host.cells] == [1024, 2048, 0]
    assert [cell.distances for cell in host.cells] == [{0: 10, 33: 17, 45: 21}, {}, {}]
    assert [cpu.cell for cpu in host.cpus] == [0, 33]


def test_distances_of_another_number_of_cells_are_not_guessed(tree: HostTree) -> None:
    tree.file(f"{NODE}/node0/distance", "10 20\n")
    host = tree.observe()
    assert host.cells[0].distances == {}
    assert host.warnings == (f"/{NODE}/node0/distance: has 2 distances for 1 cells",)


def test_cpus_of_a_cell_come_from_its_mask_or_its_links(tree: HostTree) -> None:
    (tree.root / f"{NODE}/node0/cpulist").unlink()
    tree.file(f"{NODE}/node0/cpumap", "1\n")
    tree.folder(f"{NODE}/node8")
    tree.file(f"{NODE}/node8/meminfo", "Node 8 MemTotal: 1 kB\n")
    tree.link(f"{NODE}/node8/cpu1", "../../cpu/cpu1")
    assert cells(tree.observe()) == {0: (0,), 8: (1,)}


def test_a_cpu_is_in_one_cell_even_where_firmware_says_otherwise(tree: HostTree) -> None:
    tree.cell(1, "0-1")
    host = tree.observe()
    assert cells(host) == {0: (0, 1), 1: ()}
    assert host.warnings == (
        f"/{NODE}/node1/cpulist: 2 of its CPUs are in lower cells, which keep them",
    )


def test_hugepages_by_size_in_cells_and_in_the_sum(tree: HostTree) -> None:
    tree.cell(1, "")
    for cell, size, total, free in ((0, 1048576, 2, 2), (0, 2048, 8, 3), (1, 2048, 5, 5)):
        path = f"{NODE}/node{cell}/hugepages/hugepages-{size}kB"
        tree.file(f"{path}/nr_hugepages", f"{total}\n")
        tree.file(f"{path}/free_hugepages", f"{free}\n")
    tree.folder(f"{NODE}/node0/hugepages/hugepages-kB")
    host = tree.observe()
    two, one = Pages(size_kib=2048, total=8, free=3), Pages(size_kib=1048576, total=2, free=2)
    assert host.cells[0].pages == (two, one)
    assert host.pages == (Pages(size_kib=2048, total=13, free=8), one)


def test_the_oldest_kernels_say_hugepages_only_in_meminfo(tree: HostTree) -> None:
    tree.file(
        "proc/meminfo",
        "MemTotal: 9 kB\nHugePages_Total:  4\nHugePages_Free:  1\nHugepagesize:  2048 kB\n",
    )
    assert tree.observe().pages == (Pages(size_kib=2048, total=4, free=1),)


def test_memory_of_the_machine_is_the_sum_of_cells_when_it_is_not_said(tree: HostTree) -> None:
    (tree.root / "proc/meminfo").unlink()
    tree.cell(1, "", memory_kib=976)
    host = tree.observe()
    assert host.memory_kib == 2000
    assert host.warnings == ("/proc/meminfo: does not say how much memory there is",)
