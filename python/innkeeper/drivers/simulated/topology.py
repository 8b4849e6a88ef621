"""CPUs, cells and memory of a simulated host, numbered as Linux numbers them on x86."""

from __future__ import annotations

from itertools import accumulate

from innkeeper.drivers.simulated.spec import SimulatedSpec
from innkeeper.objects import Cell, Cpu, Pages

#: Cores under one L3 cache, as on EPYC.
_CORES_PER_L3 = 8

#: Sockets with a direct link to each other; further ones are two hops away.
_SOCKETS_IN_REACH = 4

_DISTANCE_SELF = 10
_DISTANCE_IN_SOCKET = 12
_DISTANCE_ONE_HOP = 21
_DISTANCE_TWO_HOPS = 31

_SIZES_KIB = {"pages_2m": 2_048, "pages_1g": 1_048_576}


def lay_out_cpus(spec: SimulatedSpec) -> tuple[Cpu, ...]:
    """First one CPU of every core, cell by cell, then the second ones in the same order, and so on."""
    cores = _lay_out_cores(spec)
    cpus = tuple(
        core.model_copy(update={"id": core.id + thread * len(cores)})
        for thread in range(spec.threads)
        for core in cores
    )
    return _without(cpus, spec.offline) if spec.offline else cpus


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
                "l3": lowest[cpu.l3],
            }
        )
        for cpu in cpus
    )


def _lay_out_cores(spec: SimulatedSpec) -> list[Cpu]:
    """The first CPU of every core."""
    total = spec.cpus // spec.threads
    counts = spread(total, spec.cells)
    starts = [0, *accumulate(counts)]
    cells_per_socket = spec.cells // spec.sockets
    return [
        Cpu(
            id=first,
            socket=cell // cells_per_socket,
            die=0,
            core=first - starts[cell // cells_per_socket * cells_per_socket],
            cell=cell,
            l3=starts[cell] + (first - starts[cell]) // _CORES_PER_L3 * _CORES_PER_L3,
            siblings=tuple(range(first, spec.cpus, total)),
        )
        for cell in range(spec.cells)
        for first in range(starts[cell], starts[cell + 1])
    ]


def lay_out_cells(spec: SimulatedSpec, cpus: tuple[Cpu, ...]) -> tuple[Cell, ...]:
    """Cells with their share of CPUs, memory and pages."""
    cpus_of: list[list[int]] = [[] for _ in range(spec.cells)]
    for cpu in cpus:
        if cpu.online:
            cpus_of[cpu.cell or 0].append(cpu.id)
    memory = spread(spec.memory_mib, spec.cells)
    pages = {name: spread(getattr(spec, name), spec.cells) for name in _SIZES_KIB}
    return tuple(
        Cell(
            id=cell,
            cpus=tuple(cpus_of[cell]),
            memory_kib=memory[cell] * 1024,
            pages=_pages({name: shares[cell] for name, shares in pages.items()}),
            distances=_distances(spec, cell),
        )
        for cell in range(spec.cells)
    )


def pages_of_host(spec: SimulatedSpec) -> tuple[Pages, ...]:
    """Hugepages of the whole host by size; none of them is in use."""
    return _pages({name: getattr(spec, name) for name in _SIZES_KIB})


def _pages(counts: dict[str, int]) -> tuple[Pages, ...]:
    return tuple(
        Pages(size_kib=_SIZES_KIB[name], total=count, free=count) for name, count in counts.items()
    )


def _distances(spec: SimulatedSpec, here: int) -> dict[int, int]:
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


def spread(total: int, places: int) -> list[int]:
    """As even a share for each place as whole numbers allow, the larger shares first."""
    share, rest = divmod(total, places)
    return [share + (place < rest) for place in range(places)]
