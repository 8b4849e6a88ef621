"""Inventories of captured hosts: whatever a host is like, its cells add up.

Our own captures have nine cells, one without memory and one without CPUs; in the last one SMT is off.
Those of others are read where `TEST_INNKEEPER_CAPTURES` names their folder (see test_captures).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest
from tests.contract.test_captures import CAPTURES, observed

from innkeeper import Ledger
from innkeeper.config import Config
from innkeeper.objects import GuestCell, GuestTopology, Host, Inventory, Request
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.host import InventoryCell
from innkeeper.requests.inventory import take_inventory


def cpus_in(lists: Iterable[str]) -> list[int]:
    """With repetitions, ascending."""
    return sorted(cpu for text in lists for cpu in parse_cpu_spec(text))


def all_shared(host: Host) -> Inventory:
    """As it is without words: isolated CPUs are nobody's."""
    return take_inventory(host)


def half_dedicated(host: Host) -> Inventory:
    """Every second core, and those that are isolated."""
    online = [cpu for cpu in host.cpus if cpu.online]
    cores = sorted({cpu.siblings for cpu in online})
    isolated = {cpu.id for cpu in online if cpu.isolated}
    dedicated = isolated.union(*cores[1::2])
    shared = {cpu.id for cpu in online} - dedicated
    words = {"shared": format_cpu_spec(shared), "dedicated": format_cpu_spec(dedicated)}
    return take_inventory(host, Config.model_validate({"cpus": words}))


Take = Callable[[Host], Inventory]
WAYS = [all_shared, half_dedicated]


@pytest.mark.parametrize("take", WAYS)
@pytest.mark.parametrize("name", CAPTURES)
def test_every_cpu_is_in_one_cell_and_one_core(name: str, take: Take) -> None:
    host = observed(name)
    inventory = take(host)
    usable = [
        cpu.id for cpu in host.cpus if cpu.online and not (cpu.isolated and take is all_shared)
    ]
    lists = [text for cell in inventory.cells for text in (cell.shared, cell.dedicated)]
    assert cpus_in(lists) == sorted(usable)
    for cell in inventory.cells:
        assert cpus_in(cell.cores) == cpus_in([cell.shared, cell.dedicated])
        lowest = [min(parse_cpu_spec(core)) for core in cell.cores]
        assert lowest == sorted(lowest)
        assert cpus_in(cell.l3_groups) in ([], cpus_in(cell.cores))


@pytest.mark.parametrize("name", CAPTURES)
def test_cores_are_those_of_the_host(name: str) -> None:
    host = observed(name)
    of_host = {frozenset(cpu.siblings) for cpu in host.cpus if cpu.online}
    cores = [parse_cpu_spec(core) for cell in half_dedicated(host).cells for core in cell.cores]
    assert len(cores) == len(set(cores))
    assert set(cores) == of_host


@pytest.mark.parametrize("name", CAPTURES)
def test_pages_of_all_sizes_are_the_memory_of_the_cell(name: str) -> None:
    for cell in take_inventory(observed(name)).cells:
        assert [it.size_kib for it in cell.pages] == sorted({it.size_kib for it in cell.pages})
        kib = sum(it.size_kib * it.total for it in cell.pages)
        # What is no whole page, and what is no whole MiB.
        assert 0 <= cell.memory_mib - kib // 1024 <= 1
        assert all(it.reserved <= it.total for it in cell.pages)


@pytest.mark.parametrize("take", WAYS)
@pytest.mark.parametrize("name", CAPTURES)
def test_the_host_offers_what_its_cells_offer(name: str, take: Take) -> None:
    inventory = take(observed(name))
    assert inventory.vcpus.total == len(cpus_in(cell.shared for cell in inventory.cells))
    assert inventory.shared_cpus == format_cpu_spec(cpus_in(it.shared for it in inventory.cells))
    ids = [cell.id for cell in inventory.cells]
    assert ids == sorted(set(ids))
    for cell in inventory.cells:
        assert set(cell.distances) in (set(), set(ids))


@pytest.mark.parametrize("take", WAYS)
@pytest.mark.parametrize("name", CAPTURES)
def test_the_core_takes_it_and_counts_the_same(name: str, take: Take) -> None:
    inventory = take(observed(name))
    ledger = Ledger(inventory)
    for cell, usage in zip(inventory.cells, ledger.usage().cells, strict=True):
        assert usage.cell == cell.id
        assert usage.dedicated_cpus.total == len(parse_cpu_spec(cell.dedicated))
        assert [(it.size_kib, it.total) for it in usage.pages] == [
            (it.size_kib, it.total) for it in cell.pages
        ]


@pytest.mark.parametrize("name", CAPTURES)
def test_a_guest_gets_whole_cores_of_a_cell_that_has_them(name: str) -> None:
    inventory = half_dedicated(observed(name))
    for cell in inventory.cells:
        asked = parse_cpu_spec(cell.dedicated)
        if not asked or not cell.memory_mib:
            continue
        ledger = Ledger(inventory)
        guests = GuestCell(dedicated=f"0-{len(asked) - 1}", memory_mib=1)
        request = Request(vcpus=len(asked), memory_mib=1, topology=GuestTopology(cells=(guests,)))
        (placed,) = ledger.book("guest", request).cells
        of_cell = next(it for it in inventory.cells if it.id == placed.cell)
        assert set(placed.pins.values()) <= parse_cpu_spec(of_cell.dedicated)
        assert len(set(placed.pins.values())) == len(asked)


def sorts_of_cells(cells: Iterable[InventoryCell]) -> Iterator[tuple[bool, bool]]:
    return ((bool(cell.cores), cell.memory_mib > 0) for cell in cells)


def test_our_captures_have_cells_of_every_sort() -> None:
    """Cell 7 has isolated CPUs and no memory, cell 8 no CPUs; without SMT every core has one CPU."""
    host = observed("qemu64-9n-A-novfs")
    cells = half_dedicated(host).cells
    assert list(sorts_of_cells(cells))[6:] == [(True, True), (True, False), (False, True)]
    assert (cells[7].shared, cells[7].dedicated) == ("", "56-63")
    assert [it.total for it in cells[7].pages] == [0, 0, 0]
    assert all_shared(host).cells[7].cores == ()
    assert {len(parse_cpu_spec(core)) for cell in cells for core in cell.cores} == {2}
    without_smt = half_dedicated(observed("qemu64-9n-D-smt-off")).cells
    assert {len(parse_cpu_spec(core)) for cell in without_smt for core in cell.cores} == {1}
    pages = {(cell.id, it.size_kib): it.total for cell in without_smt for it in cell.pages}
    assert (pages[8, 2048], pages[1, 2048], pages[8, 1048576]) == (72, 16, 0)
