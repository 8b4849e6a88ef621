"""CPUs, cells and memory of a simulated host, numbered as Linux numbers them on x86."""

from __future__ import annotations

from itertools import accumulate

from innkeeper.drivers.simulated.cells import shares
from innkeeper.drivers.simulated.spec import SimulatedSpec
from innkeeper.drivers.sysfs.pages import sum_of_pages
from innkeeper.objects import Cell, Cpu, Pages

#: Sockets with a direct link to each other; further ones are two hops away.
_SOCKETS_IN_REACH = 4

_DISTANCE_SELF = 10
_DISTANCE_IN_SOCKET = 12
_DISTANCE_ONE_HOP = 21
_DISTANCE_TWO_HOPS = 31

_SMALL_KIB = 2_048
_LARGE_KIB = 1_048_576


def lay_out_cpus(spec: SimulatedSpec) -> tuple[Cpu, ...]:
    """First one CPU of every core, cell by cell, then the second ones in the same order, and so on."""
    cores = _lay_out_cores(spec)
    cpus = tuple(
        core.model_copy(update={"id": core.id + thread * len(cores)})
        for thread in range(spec.threads)
        for core in cores
    )
    cpus = _isolating(cpus, spec.isolated) if spec.isolated else cpus
    return _without(cpus, spec.offline) if spec.offline else cpus


def _isolating(cpus: tuple[Cpu, ...], isolated: frozenset[int]) -> tuple[Cpu, ...]:
    return tuple(
        cpu.model_copy(update={"isolated": True}) if cpu.id in isolated else cpu for cpu in cpus
    )


def _without(cpus: tuple[Cpu, ...], offline: frozenset[int]) -> tuple[Cpu, ...]:
    """As the kernel shows it: of a CPU that is offline nothing but its cell is known."""
    lowest: dict[int | None, int] = {}
    for cpu in cpus:
        if cpu.id not in offline:
            lowest.setdefault(cpu.l3, cpu.id)
    unknown = {"online": False, "siblings": (), "socket": None, "die": None, "core": None}
    return tuple(
        cpu.model_copy(update={**unknown, "l3": None})
        if cpu.id in offline
        else cpu.model_copy(
            update={
                "siblings": tuple(one for one in cpu.siblings if one not in offline),
                "l3": None if cpu.l3 is None else lowest[cpu.l3],
            }
        )
        for cpu in cpus
    )


def _lay_out_cores(spec: SimulatedSpec) -> list[Cpu]:
    """The first CPU of every core."""
    total = spec.cpus // spec.threads
    own = [None if cpus is None else cpus // spec.threads for cpus in spec.own("cpus")]
    counts = shares(total, own)
    starts = [0, *accumulate(counts)]
    cells_per_socket = spec.cells // spec.sockets
    return [
        Cpu(
            id=first,
            socket=cell // cells_per_socket,
            die=0,
            core=first - starts[cell // cells_per_socket * cells_per_socket],
            cell=cell,
            l3=_l3(spec, first, starts[cell]),
            siblings=tuple(range(first, spec.cpus, total)),
        )
        for cell in range(spec.cells)
        for first in range(starts[cell], starts[cell + 1])
    ]


def _l3(spec: SimulatedSpec, core: int, first_of_cell: int) -> int | None:
    """The first core under the same cache."""
    return core - (core - first_of_cell) % spec.l3 if spec.l3 else None


def lay_out_cells(spec: SimulatedSpec, cpus: tuple[Cpu, ...]) -> tuple[Cell, ...]:
    """Cells with their share of CPUs, memory and pages."""
    cpus_of: list[list[int]] = [[] for _ in range(spec.cells)]
    for cpu in cpus:
        if cpu.online:
            cpus_of[cpu.cell or 0].append(cpu.id)
    memory = spec.of_cells("memory_mib")
    pages = _pages_by_cell(spec)
    return tuple(
        Cell(
            id=cell,
            cpus=tuple(cpus_of[cell]),
            memory_kib=memory[cell] * 1024,
            pages=pages[cell],
            distances=_distances(spec, cell),
        )
        for cell in range(spec.cells)
    )


def pages_of_host(cells: tuple[Cell, ...]) -> tuple[Pages, ...]:
    """Hugepages of the whole host by size."""
    return sum_of_pages(cell.pages for cell in cells)


def _pages_by_cell(spec: SimulatedSpec) -> list[tuple[Pages, ...]]:
    small, large = spec.of_cells("pages_2m"), spec.of_cells("pages_1g")
    return [
        (
            _pages(_SMALL_KIB, small[number], spec.cell(number).used_2m),
            _pages(_LARGE_KIB, large[number], spec.cell(number).used_1g),
        )
        for number in range(spec.cells)
    ]


def _pages(size_kib: int, total: int, used: int) -> Pages:
    return Pages(size_kib=size_kib, total=total, free=total - used)


def _distances(spec: SimulatedSpec, here: int) -> dict[int, int]:
    own = spec.cell(here).distances
    if own is not None:
        return dict(enumerate(own))
    return {
        there: _distance(spec.cells // spec.sockets, here, there) for there in range(spec.cells)
    }


def _distance(cells_per_socket: int, here: int, there: int) -> int:
    if here == there:
        return _DISTANCE_SELF
    ours, theirs = here // cells_per_socket, there // cells_per_socket
    if ours == theirs:
        return _DISTANCE_IN_SOCKET
    one_hop = ours // _SOCKETS_IN_REACH == theirs // _SOCKETS_IN_REACH
    return _DISTANCE_ONE_HOP if one_hop else _DISTANCE_TWO_HOPS
