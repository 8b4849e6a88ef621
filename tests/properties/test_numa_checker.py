"""The checker of placements sees each thing that can be wrong with one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.properties.numa_checker import broken_rules

from innkeeper import _core
from innkeeper.objects import (
    GuestCell,
    GuestTopology,
    Inventory,
    InventoryCell,
    InventoryPages,
    PlacedCell,
    Placement,
    Quantity,
    Request,
)
from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy

#: What is wrong, and how a right placement is made so.
WRONG: dict[str, Callable[[PlacedCell], PlacedCell]] = {
    "the host has no cell": lambda it: it.model_copy(update={"cell": 9}),
    "are pinned, not": lambda it: it.model_copy(update={"pins": {**it.pins, 7: 7}}),
    "two vCPUs are pinned to one CPU": lambda it: it.model_copy(update={"pins": {1: 4, 2: 4}}),
    "not in the order of the cores": lambda it: it.model_copy(update={"pins": {1: 6, 2: 4}}),
    "the emulator has CPUs": lambda it: it.model_copy(update={"emulator": ""}),
    "the emulator is on a vCPU's CPU": lambda it: it.model_copy(update={"emulator": "4"}),
    "the emulator shares a core": lambda it: it.model_copy(update={"emulator": "5"}),
    "charged": lambda it: it.model_copy(update={"charged": "4,6,8"}),
    "are not free": lambda it: it.model_copy(update={"charged": "2-9"}),
    "not one on each": lambda it: it.model_copy(update={"pins": {1: 4, 2: 5}}),
    "that is not whole": lambda it: it.model_copy(update={"charged": "4-8"}),
    "float instead of": lambda it: it.model_copy(update={"shared": "0-1"}),
    "they float over": lambda it: it.model_copy(update={"cpus": "0"}),
    "MiB instead of": lambda it: it.model_copy(update={"memory_mib": 128}),
    "pages of no size": lambda it: it.model_copy(update={"page_kib": None}),
    "no pages of 8 KiB": lambda it: it.model_copy(update={"page_kib": 8}),
    "pages of 4 KiB for large": lambda it: it.model_copy(update={"page_kib": 4}),
    "255 pages of 2048 KiB": lambda it: it.model_copy(update={"pages": 255}),
    "1024 pages of 512": lambda it: it.model_copy(update={"pages": 1024}),
}


@pytest.mark.parametrize("what", WRONG)
def test_the_checker_sees_what_is_wrong(what: str) -> None:
    """A mixed guest with isolated threads and emulator, on cores of two threads, one of them held."""
    inventory, request, held = _example()
    ledger = _core.Ledger(inventory)
    ledger.restore([("held", held)])
    right = Placement.model_validate(ledger.fit(request), from_attributes=True)
    assert broken_rules(inventory, request, [held], right) == []
    wrong = right.model_copy(update={"cells": (WRONG[what](right.cells[0]),)})
    assert any(what in it for it in broken_rules(inventory, request, [held], wrong))


def _example() -> tuple[Inventory, Request, Placement]:
    cell = InventoryCell(
        id=0,
        shared="0-1",
        dedicated="2-11",
        memory_mib=3072,
        pages=(
            InventoryPages(size_kib=4, total=512 * 1024),
            InventoryPages(size_kib=2048, total=513, reserved=1),
        ),
        cores=("0-1", "2-3", "4-5", "6-7", "8-9", "10-11"),
    )
    topology = GuestTopology(
        cells=(GuestCell(shared="0", dedicated="1-2", memory_mib=512),),
        pages="large",
        threads=ThreadPolicy.ISOLATE,
        emulator_threads=EmulatorThreads.ISOLATE,
    )
    everything = Quantity(total=2**30)
    inventory = Inventory(
        vcpus=everything, memory_mib=everything, disk_mib=everything, cells=(cell,)
    )
    held = Placement(cells=(PlacedCell(cell=0, charged="2"),))
    return inventory, Request(vcpus=3, memory_mib=512, topology=topology), held
