"""What an instance of Nova's has, as a request and a placement that say the same."""

from __future__ import annotations

from collections.abc import Sequence

from innkeeper.errors import BadRequest
from innkeeper.objects import (
    DeviceRequest,
    Flavor,
    Instance,
    Inventory,
    PlacedDevice,
    Placement,
    Request,
)
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.topology import GuestTopology, PlacedCell
from innkeeper.requests.flavor_requests import request_of_flavor
from innkeeper.requests.numa_words.nova_placed import placed_of_nova
from innkeeper.requests.numa_words.nova_topology import guest_of_nova


def request_of_instance(
    instance: Instance, devices: tuple[DeviceRequest, ...], *, boots_from_volume: bool
) -> Request:
    """Its sizes by the flavor that it lives by, and its cells as they were asked for.

    Extra specs are not looked at: where it was put says what became of them.

    Raises:
        BadRequest: a size is missing, 0 or out of bounds, or its cells make no sense beside its sizes.
    """
    sizes = _sizes(instance)
    for name in ("vcpus", "memory_mb"):
        if not getattr(sizes, name):
            raise BadRequest(f"its {name} is {getattr(sizes, name)}; from 1 is known")
    request = request_of_flavor(sizes, volume_backed=boots_from_volume)
    topology = _topology(instance)
    if topology is not None:
        _require_sums(request, topology)
    return request.model_copy(update={"topology": topology, "devices": devices})


def _sizes(instance: Instance) -> Flavor:
    source = instance.flavor if instance.is_set("flavor") else instance
    swap = source.swap if isinstance(source, Flavor) and source.is_set("swap") else 0
    return Flavor(
        vcpus=source.vcpus or 0,
        memory_mb=source.memory_mb or 0,
        root_gb=source.root_gb or 0,
        ephemeral_gb=source.ephemeral_gb or 0,
        swap=swap,
    )


def _topology(instance: Instance) -> GuestTopology | None:
    nova = instance.numa_topology if instance.is_set("numa_topology") else None
    return None if nova is None else guest_of_nova(nova)


def _require_sums(request: Request, topology: GuestTopology) -> None:
    vcpus = [one for cell in topology.cells for one in _vcpus(cell.shared, cell.dedicated)]
    memory_mib = sum(cell.memory_mib for cell in topology.cells)
    if len(vcpus) != request.vcpus or len(set(vcpus)) != len(vcpus):
        raise BadRequest(f"its cells have {len(vcpus)} vCPUs, and it has {request.vcpus}")
    if memory_mib != request.memory_mib:
        raise BadRequest(
            f"its cells have {memory_mib} MiB of memory, and it has {request.memory_mib}"
        )


def _vcpus(shared: str, dedicated: str) -> list[int]:
    return [*parse_cpu_spec(shared), *parse_cpu_spec(dedicated)]


def placement_of_instance(
    instance: Instance,
    request: Request,
    devices: Sequence[PlacedDevice],
    inventory: Inventory,
) -> Placement:
    """What it holds on the host; `request` is its own, with what the hypervisor needs beside.

    Raises:
        BadRequest: a cell is not placed.
    """
    if request.topology is None:
        return Placement(
            vcpus=request.vcpus or 0,
            memory_mib=request.memory_mib or 0,
            disk_mib=request.disk_mib or 0,
            cpus=inventory.shared_cpus,
            devices=tuple(devices),
        )
    assert instance.numa_topology is not None
    cells = placed_of_nova(instance.numa_topology, inventory)
    return Placement(
        vcpus=sum(len(parse_cpu_spec(cell.shared)) for cell in cells),
        memory_mib=sum(cell.memory_mib for cell in cells if _is_ordinary(cell, inventory)),
        disk_mib=request.disk_mib or 0,
        cpus=_cpus_of(cells),
        devices=tuple(devices),
        cells=cells,
    )


def _is_ordinary(cell: PlacedCell, inventory: Inventory) -> bool:
    """Whether its memory is of the smallest pages of its host cell, as the ledger counts it."""
    host = next((one for one in inventory.cells if one.id == cell.cell), None)
    smallest = host.pages[0].size_kib if host and host.pages else None
    return cell.page_kib == smallest


def _cpus_of(cells: Sequence[PlacedCell]) -> str:
    """Those that it may run on, its emulator's own among them."""
    found = frozenset[int]().union(
        *(
            frozenset(cell.pins.values())
            | parse_cpu_spec(cell.cpus)
            | parse_cpu_spec(cell.emulator)
            for cell in cells
        )
    )
    return format_cpu_spec(found)
