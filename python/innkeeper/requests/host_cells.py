"""The host's cells as placements see them: CPUs by core and cache, memory by size of pages."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from innkeeper.config import Config
from innkeeper.objects import Cell, Cpu, Host
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.host import InventoryCell
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.cpu_sets import CpuSets
from innkeeper.requests.host_pages import (
    OthersPages,
    ReservedMemory,
    page_kib_of,
    pages_of_cell,
)


@dataclass(frozen=True, slots=True)
class CellMaker:
    """Makes the cells of one inventory."""

    sets: CpuSets
    cordoned: Cordoned
    reserved: ReservedMemory
    others: OthersPages
    page_kib: int

    @classmethod
    def of(cls, host: Host, config: Config, cordoned: Cordoned, others: OthersPages) -> CellMaker:
        """For a host and the operator's words."""
        return cls(
            sets=CpuSets.of(host, config),
            cordoned=cordoned,
            reserved=ReservedMemory.of(config.reserved),
            others=others,
            page_kib=page_kib_of(host),
        )

    def cells(self, host: Host) -> tuple[InventoryCell, ...]:
        """All of them, those that are cordoned too, by id."""
        cpus_of: dict[int | None, list[Cpu]] = {}
        for cpu in host.cpus:
            cpus_of.setdefault(cpu.cell, []).append(cpu)
        ascending = sorted(host.cells, key=lambda cell: cell.id)
        return tuple(self._cell(cell, cpus_of.get(cell.id, [])) for cell in ascending)

    def _cell(self, cell: Cell, cpus: list[Cpu]) -> InventoryCell:
        """A cordoned CPU leaves its sets; a cordoned cell keeps them, and says why it takes nothing."""
        kept = [cpu for cpu in cpus if cpu.id not in self.cordoned.cpus]
        shared = [cpu for cpu in kept if cpu.id in self.sets.shared]
        dedicated = [cpu for cpu in kept if cpu.id in self.sets.dedicated]
        both = shared + dedicated
        return InventoryCell(
            id=cell.id,
            socket=_most_common(cpu.socket for cpu in cpus),
            shared=_text(shared),
            dedicated=_text(dedicated),
            memory_mib=cell.memory_kib // 1024,
            pages=pages_of_cell(cell, self.page_kib, self.reserved, self.others),
            cores=_grouped(both, _core_of),
            l3_groups=_grouped((cpu for cpu in both if cpu.l3 is not None), lambda cpu: cpu.l3),
            distances=cell.distances,
            cordoned=self.cordoned.cells.get(cell.id),
        )


def _text(cpus: Iterable[Cpu]) -> str:
    return format_cpu_spec(cpu.id for cpu in cpus)


def _grouped(cpus: Iterable[Cpu], key: Callable[[Cpu], Hashable]) -> tuple[str, ...]:
    """CPUs of one key together; groups by their lowest CPU."""
    groups: dict[Hashable, list[Cpu]] = {}
    for cpu in sorted(cpus, key=lambda cpu: cpu.id):
        groups.setdefault(key(cpu), []).append(cpu)
    return tuple(map(_text, groups.values()))


def _core_of(cpu: Cpu) -> Hashable:
    """What CPUs of one physical core have alike; a CPU of which nothing is known is a core by itself."""
    if cpu.siblings:
        return cpu.siblings
    if cpu.core is not None:
        return cpu.socket, cpu.die, cpu.core
    return cpu.id


def _most_common(sockets: Iterable[int | None]) -> int | None:
    """Of sockets with equally many CPUs the lowest; null when no CPU is on any."""
    counts = Tally(socket for socket in sockets if socket is not None)
    return min(counts, key=lambda one: (-counts[one], one)) if counts else None
