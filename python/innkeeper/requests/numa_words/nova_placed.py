"""A guest's cells once they are placed, as Nova keeps them and as innkeeper does."""

from __future__ import annotations

from collections.abc import Sequence

from innkeeper.errors import BadRequest
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.host import Inventory, InventoryCell
from innkeeper.objects.instance_numa import InstanceNUMACell, InstanceNUMATopology
from innkeeper.objects.topology import GuestTopology, PlacedCell
from innkeeper.requests.numa_words.nova_topology import policies_of, said_by, vcpus_of


def nova_of_placed(topology: GuestTopology, cells: Sequence[PlacedCell]) -> InstanceNUMATopology:
    """Where the cells were put: `id` is the host cell, and pins and page sizes are settled.

    A guest that asked for no page size keeps none: Nova then takes the host cell's smallest.
    """
    policies = policies_of(topology)
    return InstanceNUMATopology(
        cells=tuple(
            InstanceNUMACell(
                id=cell.cell,
                cpuset=parse_cpu_spec(cell.shared),
                pcpuset=frozenset(cell.pins),
                memory=cell.memory_mib,
                pagesize=cell.page_kib if topology.pages else None,
                **policies,
                cpu_pinning_raw=_pins(cell),
                cpuset_reserved=parse_cpu_spec(cell.emulator) or None,
            )
            for cell in cells
        ),
        emulator_threads_policy=topology.emulator_threads and topology.emulator_threads.value,
    )


def _pins(cell: PlacedCell) -> dict[str, int] | None:
    return {str(vcpu): cpu for vcpu, cpu in sorted(cell.pins.items())} or None


def placed_of_nova(nova: InstanceNUMATopology, inventory: Inventory) -> tuple[PlacedCell, ...]:
    """What each cell of a guest that Nova placed holds of the host.

    What Nova does not store is the host's: over which CPUs vCPUs float, the smallest page, and the
    siblings that isolated cores leave idle. A cell that the host lacks holds what it says.

    Raises:
        BadRequest: a cell is not placed.
    """
    known = {cell.id: cell for cell in inventory.cells}
    return tuple(
        _placed(position, cell, known.get(cell.id)) for position, cell in enumerate(nova.cells)
    )


def _placed(position: int, cell: InstanceNUMACell, host: InventoryCell | None) -> PlacedCell:
    shared, dedicated = vcpus_of(cell)
    pins = {vcpu: cpu for vcpu, cpu in cell_pins(cell).items() if vcpu in dedicated}
    if cell.id < 0 or pins.keys() != dedicated:
        path = f"cells[{position}]"
        message = f"{path} is not placed: it is on cell {cell.id}, with {len(pins)} pins"
        error = {"path": path, "message": message, "cause": "CPUPinningInvalid"}
        raise BadRequest(f"{message} of {len(dedicated)} dedicated vCPUs", errors=[error])
    emulator = said_by(cell, "cpuset_reserved") or frozenset()
    page = _page(cell, host)
    return PlacedCell(
        cell=cell.id,
        shared=format_cpu_spec(shared),
        cpus=host.shared if host and shared else "",
        pins=pins,
        emulator=format_cpu_spec(emulator),
        charged=format_cpu_spec(_charged(cell, host, frozenset(pins.values()) | emulator)),
        memory_mib=cell.memory,
        page_kib=page,
        pages=cell.memory * 1024 // page if page else 0,
    )


def cell_pins(cell: InstanceNUMACell) -> dict[int, int]:
    """CPU of each dedicated vCPU, ascending; empty when nothing is pinned."""
    return dict(sorted(cell.cpu_pinning.items())) if cell.is_set("cpu_pinning_raw") else {}


def _page(cell: InstanceNUMACell, host: InventoryCell | None) -> int | None:
    """KiB; null for a size that was never chosen, of which Nova charges nothing."""
    chosen: int | None = said_by(cell, "pagesize")
    if chosen:
        return chosen if chosen > 0 else None
    return host.pages[0].size_kib if host and host.pages else None


def _charged(
    cell: InstanceNUMACell, host: InventoryCell | None, held: frozenset[int]
) -> frozenset[int]:
    """With `isolate` whole cores; CPUs of no core are charged all the same (D6)."""
    if host is None or said_by(cell, "cpu_thread_policy") != "isolate":
        return held
    cores = (parse_cpu_spec(core) for core in host.cores)
    return held.union(*(core for core in cores if core & held))
