"""Recorded hosts, guests and placements as innkeeper's own objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.vectors.numa.model_host import HostCell
from tests.vectors.numa.placing import cpus_in

from innkeeper.objects import (
    CellOrder,
    Device,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Inventory,
    InventoryCell,
    InventoryPages,
    Limits,
    Networks,
    PciKind,
    PlacedCell,
    Placement,
    Quantity,
    Request,
)
from innkeeper.objects.cpu_spec import format_cpu_spec

Words = Mapping[str, Any]

PAGE_WANTS = {-1: "small", -2: "large", -3: "any"}
KINDS = {
    "type-PCI": PciKind.PCI,
    "type-PF": PciKind.PF,
    "type-VF": PciKind.VF,
    "vdpa": PciKind.VDPA,
}
AS_MUCH_AS_ONE_LIKES = Quantity(total=2**40)
"""Of the host as a whole, which Nova asks another service for: what is recorded are cells."""


def inventory_of(row: Words) -> Inventory:
    """The host before anything was used of it."""
    cells = tuple(_cell(it) for it in row["host"]["cells"])
    shared = {cpu for it in row["host"]["cells"] for cpu in it["cpuset"]}
    return Inventory(
        vcpus=AS_MUCH_AS_ONE_LIKES,
        memory_mib=AS_MUCH_AS_ONE_LIKES,
        disk_mib=Quantity(total=0),
        devices=tuple(_devices((row.get("pci") or {}).get("pools", ()))),
        shared_cpus=format_cpu_spec(shared),
        cells=cells,
        cell_order=CellOrder(row["strategy"]),
    )


def _cell(words: Words) -> InventoryCell:
    sizes = sorted(words["mempages"], key=lambda it: int(it["size_kb"]))
    return InventoryCell(
        id=words["id"],
        socket=words["socket"],
        shared=format_cpu_spec(words["cpuset"]),
        dedicated=format_cpu_spec(words["pcpuset"]),
        memory_mib=words["memory"],
        pages=tuple(
            InventoryPages(size_kib=it["size_kb"], total=it["total"], reserved=it["reserved"])
            for it in sizes
        ),
        cores=tuple(format_cpu_spec(core) for core in words["siblings"]),
        networks=_networks(words.get("network")),
    )


def _networks(words: Words | None) -> Networks | None:
    if words is None:
        return None
    return Networks(physnets=tuple(words["physnets"]), tunneled=words["tunneled"])


def _devices(pools: Sequence[Words]) -> Iterator[Device]:
    """So many devices of each pool, none of which is another's PF."""
    for place, pool in enumerate(pools, start=1):
        for number in range(pool["count"]):
            yield Device(
                address=f"0000:{place:02x}:{number // 8:02x}.{number % 8}",
                vendor_id=pool["vendor_id"],
                product_id=pool["product_id"],
                kind=KINDS[pool["dev_type"]],
                cell=pool["numa_node"],
            )


def used_before(host: Iterable[HostCell]) -> Placement:
    """All that is in use as one placement, of as many cells as it takes to say it.

    What a cell has in use of its memory and of its pages need not agree in a recording: the memory is
    said with the ordinary pages, and the other pages without.
    """
    cells = tuple(placed for cell in host for placed in _used(cell))
    return Placement(vcpus=sum(len(cpus_in(it.shared)) for it in cells), cells=cells)


def _used(cell: HostCell) -> Iterator[PlacedCell]:
    small = cell.pages[0] if cell.pages else None
    yield PlacedCell(
        cell=cell.id,
        shared=format_cpu_spec(range(cell.vcpus_used)),
        cpus=format_cpu_spec(cell.shared) if cell.vcpus_used else "",
        charged=format_cpu_spec(cell.taken),
        memory_mib=cell.memory_used,
        page_kib=small.size if small else None,
        pages=small.used if small else 0,
    )
    for pages in cell.pages[1:]:
        yield PlacedCell(cell=cell.id, page_kib=pages.size, pages=pages.used)


def request_of(row: Words) -> Request:
    """What the instance asks for; limits that are not recorded are none."""
    cells = row["instance"]["cells"]
    first = cells[0]
    limits = row["limits"] or {}
    return Request(
        vcpus=sum(len(it["cpuset"]) + len(it["pcpuset"]) for it in cells) or None,
        memory_mib=sum(it["memory"] for it in cells) or None,
        devices=tuple(_device_requests((row.get("pci") or {}).get("requests", ()))),
        topology=GuestTopology(
            cells=tuple(_guest_cell(it) for it in cells),
            pages=PAGE_WANTS.get(first["pagesize"], first["pagesize"]),
            threads=first["cpu_thread_policy"],
            emulator_threads=row["instance"]["emulator_threads_policy"],
        ),
        limits=Limits(
            vcpus=limits.get("cpu_allocation_ratio"), memory=limits.get("ram_allocation_ratio")
        ),
        networks=_networks(limits.get("network")),
    )


def _guest_cell(words: Words) -> GuestCell:
    return GuestCell(
        shared=format_cpu_spec(words["cpuset"]),
        dedicated=format_cpu_spec(words["pcpuset"]),
        memory_mib=words["memory"],
    )


def _device_requests(requests: Iterable[Words]) -> Iterator[DeviceRequest]:
    for it in requests:
        yield DeviceRequest(
            alternatives=tuple(it["spec"]), count=it["count"], numa_policy=it["numa_policy"]
        )
