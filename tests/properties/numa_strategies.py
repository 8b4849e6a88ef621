"""Small hosts with NUMA cells, and requests with guest cells that nearly fit them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

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
    Quantity,
    Request,
)
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import EmulatorThreads, PageWant, ThreadPolicy

GIB = 1024 * 1024
VENDOR = "8086"
#: Of ordinary and other pages: sizes in KiB; none at all on hosts that list none.
SIZES: list[tuple[int, ...]] = [(), (4,), (4, 2048), (4, 2048, GIB), (2048, GIB), (64, 16384)]
NOVAS_POLICIES = [None, ThreadPolicy.PREFER, ThreadPolicy.REQUIRE, ThreadPolicy.ISOLATE]
RATIOS = st.sampled_from([1.0, 1.0, 1.5, 2.0])
PAGES: st.SearchStrategy[PageWant | None] = st.sampled_from(
    [None] * 8 + ["small", "small", "large", "any", "any", "any", 4, 2048, 2048, GIB, 64, 3]
)
MEMORY = st.sampled_from([256, 64, 64, 64, 128, 128, 256, 512, 1024, 1024, 2048, 100])
NETWORKS = st.sampled_from(
    [
        *[None] * 8,
        Networks(physnets=("a",)),
        Networks(physnets=("a", "b")),
        Networks(physnets=("b",), tunneled=True),
    ]
)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Up to four cells of up to eight CPUs; the whole host has room for everything."""
    few = draw(st.sampled_from([3, 1, 2, 2, 3, 4, 4]))
    ids = draw(st.lists(st.integers(0, 5), min_size=few, max_size=few, unique=True))
    sizes, first, cells = draw(st.sampled_from(SIZES)), 0, []
    for cell in sorted(ids):
        cores = draw(_cores(first))
        first += sum(map(len, cores))
        cells.append(draw(_cells(cell, cores, sizes)))
    return Inventory(
        vcpus=Quantity(total=2**30, allocation_ratio=draw(RATIOS)),
        memory_mib=Quantity(total=2**30, allocation_ratio=draw(RATIOS)),
        disk_mib=Quantity(total=0),
        devices=tuple(draw(_devices(ids))),
        cells=tuple(cells),
        cell_order=draw(st.sampled_from(CellOrder)),
    )


@st.composite
def _cores(draw: st.DrawFn, first: int) -> list[list[int]]:
    """Up to four cores of two threads or eight of one, or ragged; CPUs numbered core by core or not."""
    threads = draw(st.sampled_from([[2], [2], [2], [1], [1, 2], [1, 2, 3]]))
    most = 8 // max(threads)
    count = draw(st.sampled_from([most, most, most, most - 1, most // 2, 0]))
    widths = draw(st.lists(st.sampled_from(threads), min_size=count, max_size=count))
    numbers, rounds = iter(range(first, first + sum(widths))), max(widths, default=0)
    if draw(st.booleans()):
        return [[next(numbers) for _ in range(width)] for width in widths]
    cores: list[list[int]] = [[] for _ in widths]
    for number in range(rounds):
        for core, width in zip(cores, widths, strict=True):
            if number < width:
                core.append(next(numbers))
    return cores


@st.composite
def _cells(
    draw: st.DrawFn, cell: int, cores: Sequence[Sequence[int]], sizes: Sequence[int]
) -> InventoryCell:
    everything = [cpu for core in cores for cpu in core]
    shared, dedicated = draw(_roles(cores))
    offered = {*shared, *dedicated}
    pages = tuple(draw(_pages(size)) for size in sizes)
    listed = sum(it.total * it.size_kib for it in pages) // 1024
    memory = listed or draw(st.sampled_from([2048, 4096, 512, 0]))
    assert offered <= set(everything)
    kept = [format_cpu_spec(offered & set(core)) for core in cores]
    return InventoryCell(
        id=cell,
        socket=draw(st.sampled_from([None, 0, 0, 1])),
        shared=format_cpu_spec(shared),
        dedicated=format_cpu_spec(dedicated),
        memory_mib=memory,
        pages=pages,
        cores=tuple(core for core in kept if core),
        networks=draw(NETWORKS),
    )


@st.composite
def _roles(draw: st.DrawFn, cores: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
    """Shared and dedicated CPUs: all of one kind, core by core, or CPU by CPU."""
    everything = [cpu for core in cores for cpu in core]
    match draw(st.integers(0, 3)):
        case 0:
            return [], everything
        case 1:
            return everything[:2], everything[2:]
        case 2:
            few = draw(st.integers(0, len(cores)))
            return (
                [cpu for core in cores[:few] for cpu in core],
                [cpu for core in cores[few:] for cpu in core],
            )
    roles = [
        draw(st.sampled_from(["shared", "dedicated", "dedicated", "host"])) for _ in everything
    ]
    named = list(zip(everything, roles, strict=True))
    return (
        [cpu for cpu, role in named if role == "shared"],
        [cpu for cpu, role in named if role == "dedicated"],
    )


@st.composite
def _pages(draw: st.DrawFn, size: int) -> InventoryPages:
    total = draw(st.sampled_from([2048, 1024, 4096, 4096, 512, 0])) * 1024 // size
    reserved = draw(st.sampled_from([0, 0, 0, 1, 128 * 1024 // size]))
    return InventoryPages(size_kib=size, total=total, reserved=reserved)


@st.composite
def _devices(draw: st.DrawFn, ids: Sequence[int]) -> list[Device]:
    count = draw(st.sampled_from([4, 0, 0, 2, 6]))
    return [
        Device(
            address=f"0000:{number:02x}:00.0",
            vendor_id=VENDOR,
            product_id=draw(st.sampled_from(["1592", "1889"])),
            kind=draw(st.sampled_from([PciKind.PCI, PciKind.PCI, PciKind.VF, PciKind.PF])),
            cell=draw(st.sampled_from([None, *ids])),
        )
        for number in range(count)
    ]


@st.composite
def requests(
    draw: st.DrawFn, threads: Sequence[ThreadPolicy | None] = tuple(NOVAS_POLICIES)
) -> Request:
    """One to three guest cells, of which some have only dedicated or only shared vCPUs."""
    cells, first = [], 0
    kinds = draw(st.sampled_from(["dedicated", "dedicated", "shared", "mixed"]))
    for _ in range(draw(st.sampled_from([1, 2, 2, 3]))):
        shared = draw(st.sampled_from([1, 1, 2, 3, 0])) if kinds != "dedicated" else 0
        dedicated = draw(st.sampled_from([2, 1, 2, 3, 4, 0])) if kinds != "shared" else 0
        vcpus = range(first, first + max(shared + dedicated, 1))
        first = vcpus.stop
        cut = vcpus[shared:] if kinds != "shared" else range(0)
        cells.append(
            GuestCell(
                shared=format_cpu_spec(set(vcpus) - set(cut)),
                dedicated=format_cpu_spec(cut),
                memory_mib=draw(MEMORY),
            )
        )
    return Request(
        vcpus=first,
        memory_mib=sum(it.memory_mib for it in cells),
        devices=tuple(
            draw(_device_requests()) for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2])))
        ),
        topology=GuestTopology(
            cells=tuple(cells),
            pages=draw(PAGES),
            threads=draw(st.sampled_from(threads)),
            emulator_threads=draw(st.sampled_from([None, None, *EmulatorThreads])),
        ),
        limits=draw(_limits()),
        networks=draw(NETWORKS),
    )


def _device_requests() -> st.SearchStrategy[DeviceRequest]:
    kinds = ["type-PCI", "type-PF", "type-VF"]
    by_kind = st.sampled_from(kinds).map(lambda it: ({"vendor_id": VENDOR, "dev_type": it},))
    by_product = st.sampled_from(["1592", "1889"]).map(lambda it: ({"product_id": it},))
    anything = st.just(({"vendor_id": VENDOR},))
    return st.builds(
        DeviceRequest,
        alternatives=st.one_of(anything, by_kind, by_product),
        count=st.sampled_from([1, 1, 2]),
        numa_policy=st.sampled_from([None, *NumaPolicy]),
    )


@st.composite
def _limits(draw: st.DrawFn) -> Limits | None:
    ratios = st.sampled_from([None, 1.0, 1.5, 4.0])
    return draw(st.sampled_from([None, None, Limits(vcpus=draw(ratios), memory=draw(ratios))]))


def shuffled(inventory: Inventory, random: Random) -> Inventory:
    """The same host, told in another order."""
    cells = random.sample(inventory.cells, len(inventory.cells))
    devices = random.sample(inventory.devices, len(inventory.devices))
    return inventory.model_copy(update={"cells": tuple(cells), "devices": tuple(devices)})
