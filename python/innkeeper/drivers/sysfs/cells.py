"""NUMA cells: their CPUs, memory, hugepages and distances."""

from __future__ import annotations

import re
from dataclasses import dataclass

from innkeeper.drivers.sysfs.cpus import CPU, CpuSets
from innkeeper.drivers.sysfs.pages import pages_of_meminfo, read_pages, sum_of_pages
from innkeeper.drivers.sysfs.parse import (
    numbers_of,
    parse_ids,
    parse_mask,
    parse_meminfo,
    parse_numbers,
)
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.objects import Cell, Pages

CELLS = "sys/devices/system/node"

_CELL = re.compile(r"node(\d{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Memory:
    """Cells, and the memory of the machine as a whole."""

    cells: tuple[Cell, ...]
    cell_of: dict[int, int]
    """The cell of each CPU, offline ones included where the host says it."""
    memory_kib: int
    pages: tuple[Pages, ...]


def read_memory(tree: Tree, cpus: CpuSets) -> Memory:
    """Cells by ascending kernel id; a host without NUMA is one cell 0 with everything."""
    ids = _cell_ids(tree)
    pages = read_pages(tree, "sys/kernel/mm/hugepages")
    memory_kib = _mem_total(tree, "proc/meminfo")
    if not ids:
        pages = pages or pages_of_meminfo(tree)
        cell = Cell(id=0, cpus=tuple(sorted(cpus.online)), memory_kib=memory_kib or 0, pages=pages)
        return Memory((cell,), dict.fromkeys(cpus.present, 0), memory_kib or 0, pages)
    cell_of = _cells_of_cpus(tree, ids, cpus)
    cells = tuple(_read_cell(tree, cell, ids, cell_of, cpus) for cell in ids)
    pages = pages or sum_of_pages(cell.pages for cell in cells) or pages_of_meminfo(tree)
    if memory_kib is None:
        memory_kib = sum(cell.memory_kib for cell in cells)
    return Memory(cells, cell_of, memory_kib, pages)


def _cell_ids(tree: Tree) -> tuple[int, ...]:
    # The kernel has a directory for each cell that is online and for no other.
    return tuple(sorted(numbers_of(_CELL, tree.names(CELLS))))


def _mem_total(tree: Tree, path: str) -> int | None:
    amounts = tree.parsed(path, parse_meminfo)
    if amounts is None:
        tree.notes.add(path, "does not say how much memory there is")
        return None
    return amounts["MemTotal"]


def _read_cell(
    tree: Tree, cell: int, ids: tuple[int, ...], cell_of: dict[int, int], cpus: CpuSets
) -> Cell:
    path = f"{CELLS}/node{cell}"
    return Cell(
        id=cell,
        cpus=tuple(sorted(cpu for cpu in cpus.online if cell_of.get(cpu) == cell)),
        memory_kib=_mem_total(tree, f"{path}/meminfo") or 0,
        pages=read_pages(tree, f"{path}/hugepages"),
        distances=_read_distances(tree, f"{path}/distance", ids),
    )


def _read_distances(tree: Tree, path: str, ids: tuple[int, ...]) -> dict[int, int]:
    distances = tree.parsed(path, parse_numbers)
    if distances is None:
        return {}
    # One column for each online cell, in order of their ids.
    if len(distances) != len(ids):
        tree.notes.add(path, f"has {len(distances)} distances for {len(ids)} cells")
        return {}
    return dict(zip(ids, distances, strict=True))


def _cells_of_cpus(tree: Tree, ids: tuple[int, ...], cpus: CpuSets) -> dict[int, int]:
    cell_of: dict[int, int] = {}
    for cell in ids:
        listed = _listed_cpus(tree, cell) & cpus.present
        if listed & cell_of.keys():
            # Some firmware puts every CPU into every cell.
            problem = (
                f"{len(listed & cell_of.keys())} of its CPUs are in lower cells, which keep them"
            )
            tree.notes.add(f"{CELLS}/node{cell}/cpulist", problem)
        cell_of |= dict.fromkeys(listed - cell_of.keys(), cell)
    for cell in ids if cpus.present - cell_of.keys() else ():
        for cpu in _linked_cpus(tree, cell) & cpus.present:
            cell_of.setdefault(cpu, cell)
    return cell_of


def _listed_cpus(tree: Tree, cell: int) -> frozenset[int]:
    path = f"{CELLS}/node{cell}"
    cpus = tree.parsed(f"{path}/cpulist", parse_ids)
    if cpus is None:
        cpus = tree.parsed(f"{path}/cpumap", parse_mask)
    return cpus or frozenset()


def _linked_cpus(tree: Tree, cell: int) -> frozenset[int]:
    """CPUs that the cell links to: offline ones, too, which are in no list."""
    return frozenset(numbers_of(CPU, tree.names(f"{CELLS}/node{cell}")))
