"""Hosts of many cells and guests for them, for innkeeper and for Nova."""

from __future__ import annotations

from typing import Any

from innkeeper.objects import Device, DeviceRequest, Inventory, PciKind, Quantity, Request
from innkeeper.objects.host import InventoryCell, InventoryPages
from innkeeper.objects.topology import GuestCell, GuestTopology

GIB = 1024
HUGE = 2048
"""KiB of the pages that guests ask for."""
GUEST_MIB = 256
"""Memory of a guest cell."""
VF = {"vendor_id": "8086", "product_id": "1889"}
TRAPS = ("fits", "none_fits", "one_short", "pci_never")
"""Every cell fits; no cell is large enough; all cells but seven are full; VFs are never near enough."""


def host(cells: int, cpus: int, *, with_vfs: bool = False) -> Inventory:
    """So many dedicated CPUs of each cell, in cores of two; 8 GiB of ordinary memory, 64 GiB in hugepages."""
    none = Quantity(total=0)
    return Inventory(
        vcpus=none,
        memory_mib=Quantity(total=cells * 8 * GIB),
        disk_mib=none,
        cells=tuple(_cell(number, cpus) for number in range(cells)),
        devices=tuple(_vf(number) for number in range(cells)) if with_vfs else (),
    )


def _cell(number: int, cpus: int) -> InventoryCell:
    first = number * cpus
    return InventoryCell(
        id=number,
        socket=number // 4,
        dedicated=f"{first}-{first + cpus - 1}",
        memory_mib=72 * GIB,
        pages=(
            InventoryPages(size_kib=4, total=8 * GIB * 256),
            InventoryPages(size_kib=HUGE, total=32 * GIB),
        ),
        cores=tuple(f"{first + n}-{first + n + 1}" for n in range(0, cpus, 2)),
    )


def _vf(cell: int) -> Device:
    return Device(address=f"0000:{cell:02x}:00.0", kind=PciKind.VF, cell=cell, **VF)


def guest(cells: int, vcpus: int, *, vfs: int = 0) -> Request:
    """So many dedicated vCPUs and 256 MiB in hugepages of each guest cell."""
    parts = tuple(
        GuestCell(dedicated=f"{n * vcpus}-{(n + 1) * vcpus - 1}", memory_mib=GUEST_MIB)
        for n in range(cells)
    )
    return Request(
        vcpus=cells * vcpus,
        memory_mib=cells * GUEST_MIB,
        topology=GuestTopology(cells=parts, pages=HUGE),
        devices=(_near(vfs),) if vfs else (),
    )


def _near(vfs: int) -> DeviceRequest:
    kind = {**VF, "dev_type": "type-VF"}
    return DeviceRequest(alias="vf", alternatives=(kind,), count=vfs, numa_policy="required")


def trap(name: str, cells: int, cpus: int) -> tuple[Inventory, Request, int]:
    """A host, a guest of eight cells, and how many cells are taken before."""
    vcpus = cpus + 1 if name == "none_fits" else 4
    inventory = host(cells, cpus, with_vfs=name == "pci_never")
    wanted = guest(8, vcpus, vfs=9 if name == "pci_never" else 0)
    return inventory, wanted, cells - 7 if name == "one_short" else 0


def as_nova_is_told(name: str, cells: int, cpus: int) -> dict[str, Any]:
    """The same trap in numbers: (cells, CPUs of each, cells taken), (guest cells, vCPUs of each), VFs."""
    _, wanted, taken = trap(name, cells, cpus)
    vcpus = (wanted.vcpus or 0) // 8
    vfs = sum(part.count for part in wanted.devices)
    return {"host": [cells, cpus, taken], "guest": [8, vcpus], "vfs": vfs}
