"""The cells of a host as Nova keeps them in `compute_nodes.numa_topology`.

Each cell is made anew only when it, or what is held of it, is another; so is the text of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from innkeeper import _core
from innkeeper.objects import Inventory, InventoryCell, PlacedCell, Placement
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.objects.numa import NetworkMetadata, NUMACell, NUMAPagesTopology, NUMATopology
from innkeeper.objects.stored_host import write_topology


@dataclass(frozen=True, slots=True)
class CellInUse:
    """What is held of one cell, once what leaves is gone; memory in MiB, pages by size in KiB."""

    shared_vcpus: int
    memory_mib: int
    charged: frozenset[int]
    pages: tuple[tuple[int, int], ...]


class NovaCells:
    """Makes the text of one host's cells for readers of one release."""

    def __init__(self, release: str) -> None:
        self._release = release
        self._made: dict[int, tuple[InventoryCell, CellInUse, NUMACell]] = {}
        self._cells: tuple[NUMACell, ...] = ()
        self._text: str | None = None

    def text(
        self, inventory: Inventory, usage: _core.Usage, leaving: Iterable[Placement]
    ) -> str | None:
        """Null for a host without cells."""
        gone = [cell for placement in leaving for cell in placement.cells]
        in_use = {cell.cell: _in_use(cell, gone) for cell in usage.cells}
        cells = tuple(self._cell(cell, in_use[cell.id]) for cell in inventory.cells)
        if len(cells) != len(self._cells) or any(map(_differ, cells, self._cells)):
            self._text = write_topology(NUMATopology(cells=cells), self._release)
            self._cells = cells
        return self._text

    def _cell(self, cell: InventoryCell, in_use: CellInUse) -> NUMACell:
        made = self._made.get(cell.id)
        if made is None or made[0] is not cell or made[1] != in_use:
            made = self._made[cell.id] = cell, in_use, nova_cell(cell, in_use)
        return made[2]


def _differ(one: NUMACell, other: NUMACell) -> bool:
    return one is not other


def _in_use(cell: _core.CellUsage, gone: Iterable[PlacedCell]) -> CellInUse:
    here = [one for one in gone if one.cell == cell.cell]
    charged = parse_cpu_spec(cell.charged)
    pages = {one.size_kib: one.used for one in cell.pages}
    for one in here:
        charged -= parse_cpu_spec(one.charged)
        if one.page_kib in pages:
            pages[one.page_kib] -= one.pages
    return CellInUse(
        shared_vcpus=cell.shared_vcpus - sum(len(parse_cpu_spec(one.shared)) for one in here),
        memory_mib=cell.memory_mib - sum(one.memory_mib for one in here),
        charged=charged,
        pages=tuple(pages.items()),
    )


def nova_cell(cell: InventoryCell, in_use: CellInUse) -> NUMACell:
    """One cell as Nova 34 has it: usage beside what there is; pinned CPUs are dedicated ones."""
    dedicated = parse_cpu_spec(cell.dedicated)
    used = dict(in_use.pages)
    networks = cell.networks
    return NUMACell(
        id=cell.id,
        cpuset=parse_cpu_spec(cell.shared),
        pcpuset=dedicated,
        memory=cell.memory_mib,
        cpu_usage=in_use.shared_vcpus,
        memory_usage=in_use.memory_mib,
        pinned_cpus=in_use.charged & dedicated,
        siblings=tuple(map(parse_cpu_spec, cell.cores)),
        mempages=tuple(
            NUMAPagesTopology(
                size_kb=one.size_kib,
                total=one.total,
                used=used.get(one.size_kib, 0),
                reserved=one.reserved,
            )
            for one in cell.pages
        ),
        network_metadata=NetworkMetadata(
            physnets=frozenset(networks.physnets if networks else ()),
            tunneled=networks.tunneled if networks else False,
        ),
        socket=cell.socket,
    )
