"""The text of a host's cells is made when one of them is another, and of those that are."""

from __future__ import annotations

import pytest

from innkeeper import _core
from innkeeper.config import Config
from innkeeper.drivers.simulated import simulated
from innkeeper.objects import GuestCell, GuestTopology, Inventory, Placement, Request
from innkeeper.objects.releases import RELEASES
from innkeeper.objects.stored_host import read_topology
from innkeeper.requests.inventory import take_inventory
from innkeeper.tracker.convert import placement_object
from innkeeper.tracker.nova.cells import NovaCells

WORDS = Config.model_validate({"cpus": {"shared": "0-1", "dedicated": "2-15"}})
PINNED = Request(
    vcpus=2,
    memory_mib=64,
    topology=GuestTopology(cells=(GuestCell(dedicated="0-1", memory_mib=64),)),
)


@pytest.fixture
def inventory() -> Inventory:
    return take_inventory(simulated("cpus=16,threads=2,cells=2,memory=16GiB"), WORDS)


def test_it_is_the_same_text_until_a_cell_is_another(inventory: Inventory) -> None:
    ledger, cells = _core.Ledger(inventory), NovaCells(RELEASES[-1])
    empty = cells.text(inventory, ledger.usage(), ())
    ledger.book("floats", Request(memory_mib=64))
    assert cells.text(inventory, ledger.usage(), ()) is empty
    ledger.book("pinned", PINNED)
    assert cells.text(inventory, ledger.usage(), ()) != empty
    ledger.unbook("pinned")
    assert cells.text(inventory, ledger.usage(), ()) == empty


def test_what_leaves_is_not_in_use(inventory: Inventory) -> None:
    ledger, cells = _core.Ledger(inventory), NovaCells(RELEASES[-1])
    empty = cells.text(inventory, ledger.usage(), ())
    leaving: Placement = placement_object(ledger.book("pinned", PINNED))
    ledger.book("other", PINNED)
    both = read_topology(cells.text(inventory, ledger.usage(), ()))
    one = read_topology(cells.text(inventory, ledger.usage(), [leaving]))
    assert both is not None
    assert one is not None
    assert sum(len(cell.pinned_cpus) for cell in both.cells) == 4
    assert sum(len(cell.pinned_cpus) for cell in one.cells) == 2
    assert sum(cell.memory_usage for cell in one.cells) == 64
    ledger.unbook("other")
    assert cells.text(inventory, ledger.usage(), [leaving]) == empty


def test_a_host_without_cells_has_no_text() -> None:
    bare = simulated("cpus=16,threads=2,cells=2,memory=16GiB").model_copy(update={"cells": ()})
    inventory = take_inventory(bare).model_copy(update={"cells": ()})
    ledger = _core.Ledger(inventory)
    assert NovaCells(RELEASES[-1]).text(inventory, ledger.usage(), ()) is None
