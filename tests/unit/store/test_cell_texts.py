"""The text of cells, put together from those of each, is the one of all at once."""

from __future__ import annotations

import pytest

from innkeeper import _core
from innkeeper.config import Config
from innkeeper.drivers.simulated import simulated
from innkeeper.objects.numa import NUMATopology
from innkeeper.objects.releases import RELEASES
from innkeeper.objects.stored_host import read_topology, write_topology
from innkeeper.requests.inventory import take_inventory
from innkeeper.store.nova.cell_texts import cell_text, cells_text, topology_for
from innkeeper.tracker.nova.cells import NovaCells


def topology(cells: int) -> NUMATopology:
    spec = f"cpus=16,threads=2,cells={cells},memory=16GiB,pages_2m=64"
    inventory = take_inventory(
        simulated(spec), Config.model_validate({"cpus": {"shared": "0-3", "dedicated": "4-15"}})
    )
    text = NovaCells(RELEASES[-1]).text(inventory, _core.Ledger(inventory).usage(), ())
    found = read_topology(text)
    assert found is not None
    return found


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("cells", [1, 2, 4])
def test_it_is_the_text_of_all_cells_at_once(release: str, cells: int) -> None:
    host = topology(cells)
    made = cells_text([cell_text(cell, release) for cell in host.cells], release)
    assert made == write_topology(host, release)
    assert topology_for(made, release) is made


def test_a_text_of_somebody_else_is_brought_into_the_form_of_the_release() -> None:
    text = write_topology(topology(2), RELEASES[-1])
    assert topology_for(text, "kilo") == write_topology(topology(2), "kilo")
    assert topology_for("no topology", "kilo") == "no topology"
    assert topology_for(None, "kilo") is None
