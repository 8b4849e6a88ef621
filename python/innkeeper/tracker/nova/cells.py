"""The cells of a host as Nova keeps them in `compute_nodes.numa_topology`.

Each cell is made anew only when it, or what is held of it, is another; so is the text of all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from innkeeper import _core
from innkeeper.objects import Inventory, InventoryCell, PlacedCell, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.numa import NetworkMetadata, NUMACell, NUMAPagesTopology
from innkeeper.store.nova.cell_texts import cell_text, cells_text


class NovaCells:
    """Makes the text of one host's cells for readers of one release."""

    def __init__(self, release: str) -> None:
        self._release = release
        self._made: dict[int, _Made] = {}
        self._texts: list[str] = []
        self._text: str | None = None

    def text(
        self, inventory: Inventory, usage: _core.Usage, leaving: Iterable[Placement]
    ) -> str | None:
        """Null for a host without cells."""
        gone = [cell for placement in leaving for cell in placement.cells]
        used = {cell.cell: _used(cell, gone) for cell in usage.cells}
        texts = [self._cell_text(cell, used[cell.id]) for cell in inventory.cells]
        if texts != self._texts:
            self._texts = texts
            self._text = cells_text(texts, self._release)
        return self._text

    def _cell_text(self, cell: InventoryCell, used: Used) -> str:
        made = self._made.get(cell.id)
        if made is None or made.cell is not cell or made.used != used:
            text = cell_text(nova_cell(cell, used), self._release)
            made = self._made[cell.id] = _Made(cell, used, text)
        return made.text


@dataclass(frozen=True, slots=True)
class Used:
    """What is held of one cell, once what leaves is gone; memory in MiB, pages by size in KiB."""

    shared_vcpus: int
    memory_mib: int
    charged: str
    pages: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Made:
    cell: InventoryCell
    used: Used
    text: str


def _used(cell: _core.CellUsage, gone: Iterable[PlacedCell]) -> Used:
    pages = {one.size_kib: one.used for one in cell.pages}
    shared, memory_mib, charged = cell.shared_vcpus, cell.memory_mib, cell.charged
    for one in gone:
        if one.cell == cell.cell:
            shared -= len(parse_cpu_spec(one.shared))
            memory_mib -= one.memory_mib
            charged = format_cpu_spec(parse_cpu_spec(charged) - parse_cpu_spec(one.charged))
            if one.page_kib in pages:
                pages[one.page_kib] -= one.pages
    return Used(shared, memory_mib, charged, tuple(pages.items()))


def nova_cell(cell: InventoryCell, used: Used) -> NUMACell:
    """One cell as Nova 34 has it: usage beside what there is; pinned CPUs are dedicated ones."""
    dedicated = parse_cpu_spec(cell.dedicated)
    pages_used = dict(used.pages)
    networks = cell.networks
    return NUMACell(
        id=cell.id,
        cpuset=parse_cpu_spec(cell.shared),
        pcpuset=dedicated,
        memory=cell.memory_mib,
        cpu_usage=used.shared_vcpus,
        memory_usage=used.memory_mib,
        pinned_cpus=parse_cpu_spec(used.charged) & dedicated,
        siblings=tuple(map(parse_cpu_spec, cell.cores)),
        mempages=tuple(
            NUMAPagesTopology(
                size_kb=one.size_kib,
                total=one.total,
                used=pages_used.get(one.size_kib, 0),
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
