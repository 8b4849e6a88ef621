"""Guest cells in Nova's form and in innkeeper's, before they are placed and after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.vectors.numa.innkeeper_host import inventory_of
from tests.vectors.numa.model_host import host_of
from tests.vectors.numa.placing import held_by
from tests.vectors.rows import read_rows

from innkeeper.errors import BadRequest
from innkeeper.objects import GuestCell, GuestTopology, Inventory, PlacedCell, Quantity
from innkeeper.objects.instance_numa import InstanceNUMACell, InstanceNUMATopology
from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy
from innkeeper.requests.numa_words.nova_placed import nova_of_placed, placed_of_nova
from innkeeper.requests.numa_words.nova_topology import guest_of_nova, nova_of_guest

USAGE = Path(__file__).resolve().parents[2] / "data" / "vectors" / "numa" / "usage.jsonl.gz"
NO_HOST = Inventory(
    vcpus=Quantity(total=0), memory_mib=Quantity(total=0), disk_mib=Quantity(total=0)
)
MIXED = GuestTopology(
    cells=(GuestCell(shared="0", dedicated="1-2", memory_mib=8), GuestCell(memory_mib=0)),
    pages="large",
    threads=ThreadPolicy.ISOLATE,
    emulator_threads=EmulatorThreads.ISOLATE,
)


def nova_cell(**words: Any) -> InstanceNUMACell:
    known = {"id": 0, "cpuset": frozenset({0, 1}), "memory": 512}
    return InstanceNUMACell(**{**known, **words})


def nova(*cells: InstanceNUMACell) -> InstanceNUMATopology:
    return InstanceNUMATopology(cells=cells)


def test_a_guest_before_it_is_placed() -> None:
    made = nova_of_guest(MIXED)
    first, second = made.cells
    assert made.emulator_threads_policy == "isolate"
    assert (first.id, first.cpuset, first.pcpuset) == (0, frozenset({0}), frozenset({1, 2}))
    assert (first.memory, first.pagesize) == (8, -2)
    assert (first.cpu_policy, first.cpu_thread_policy) == ("mixed", "isolate")
    assert (first.cpu_pinning_raw, first.cpuset_reserved) == (None, None)
    assert (second.id, second.cpuset, second.pcpuset) == (1, frozenset(), frozenset())
    assert guest_of_nova(made) == MIXED


@pytest.mark.parametrize("pages", [None, "small", "large", "any", 4, 2048])
def test_pages_there_and_back(pages: Any) -> None:
    asked = MIXED.model_copy(update={"pages": pages})
    made = nova_of_guest(asked)
    numbers = {"small": -1, "large": -2, "any": -3}
    assert {cell.pagesize for cell in made.cells} == {numbers.get(pages, pages)}
    assert guest_of_nova(made) == asked


def test_whole_cores_are_required_siblings_to_nova() -> None:
    made = nova_of_guest(MIXED.model_copy(update={"threads": ThreadPolicy.FULL_CORES}))
    assert {cell.cpu_thread_policy for cell in made.cells} == {"require"}


def test_a_guest_that_shares_has_no_policy() -> None:
    made = nova_of_guest(GuestTopology(cells=(GuestCell(shared="0-1", memory_mib=1),)))
    assert made.cells[0].cpu_policy is None


@pytest.mark.parametrize(
    ("words", "dedicated"),
    [
        ({}, ""),
        ({"cpu_policy": "shared"}, ""),
        ({"cpu_policy": "dedicated"}, "0-1"),
        ({"cpu_pinning_raw": {}}, "0-1"),
        ({"cpu_pinning_raw": {}, "pcpuset": frozenset()}, ""),
        ({"cpu_policy": "mixed", "pcpuset": frozenset({7})}, "7"),
    ],
)
def test_old_cells_had_all_vcpus_in_one_set(words: dict[str, Any], dedicated: str) -> None:
    (cell,) = guest_of_nova(nova(nova_cell(**words))).cells
    assert cell.dedicated == dedicated


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ((), "without cells"),
        ((nova_cell(pagesize=4), nova_cell()), r"cells\[1\].pagesize is not set, but .* is 4"),
        ((nova_cell(pagesize=-7),), "pages"),
        ((nova_cell(memory=-1),), "memory_mib"),
        ((nova_cell(cpuset=frozenset({-1})),), "shared"),
    ],
)
def test_cells_of_nova_that_no_guest_has(cells: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message) as caught:
        guest_of_nova(nova(*cells))
    assert caught.value.details["errors"]


def test_a_guest_once_it_is_placed() -> None:
    cells = (
        PlacedCell(
            cell=3,
            shared="0",
            cpus="0-3",
            pins={2: 9, 1: 8},
            emulator="10",
            charged="8-11",
            memory_mib=8,
            page_kib=2048,
            pages=4,
        ),
        PlacedCell(cell=5, page_kib=2048),
    )
    first, second = nova_of_placed(MIXED, cells).cells
    assert (first.id, second.id) == (3, 5)
    assert (first.cpuset, first.pcpuset) == (frozenset({0}), frozenset({1, 2}))
    assert first.cpu_pinning == {1: 8, 2: 9}
    assert first.cpuset_reserved == frozenset({10})
    assert (second.cpu_pinning_raw, second.cpuset_reserved) == (None, None)
    assert {first.pagesize, second.pagesize} == {2048}
    ordinary = MIXED.model_copy(update={"pages": None})
    assert nova_of_placed(ordinary, cells).cells[0].pagesize is None


def test_recorded_guests_hold_what_the_model_says() -> None:
    """Every guest that Nova placed; those that are not placed, or lack a pin, are refused."""
    placed = refused = 0
    for row in read_rows(USAGE):
        made = _recorded(row["instance"])
        inventory = inventory_of(row | {"strategy": "spread"})
        if any(_lacks_pins(cell) for cell in row["instance"]["cells"]):
            with pytest.raises(BadRequest, match="is not placed"):
                placed_of_nova(made, inventory)
            refused += 1
        else:
            held = held_by(host_of(row["host"]), row["instance"])
            assert placed_of_nova(made, inventory) == held, row["n"]
            placed += 1
    assert (placed, refused) == (482, 218)


def _lacks_pins(cell: dict[str, Any]) -> bool:
    return len(cell.get("cpu_pinning") or ()) != len(cell["pcpuset"])


def _recorded(instance: dict[str, Any]) -> InstanceNUMATopology:
    return InstanceNUMATopology(
        cells=tuple(_recorded_cell(cell) for cell in instance["cells"]),
        emulator_threads_policy=instance["emulator_threads_policy"],
    )


def _recorded_cell(words: dict[str, Any]) -> InstanceNUMACell:
    pins = words.get("cpu_pinning")
    reserved = words.get("cpuset_reserved")
    return InstanceNUMACell(
        id=words["id"],
        cpuset=frozenset(words["cpuset"]),
        pcpuset=frozenset(words["pcpuset"]),
        memory=words["memory"],
        pagesize=words["pagesize"],
        cpu_policy=words["cpu_policy"],
        cpu_thread_policy=words["cpu_thread_policy"],
        cpu_pinning_raw=None if pins is None else {str(key): cpu for key, cpu in pins.items()},
        cpuset_reserved=None if reserved is None else frozenset(reserved),
    )


def test_cells_that_the_host_lacks_hold_what_they_say() -> None:
    cell = nova_cell(
        id=7,
        pcpuset=frozenset({2}),
        cpu_policy="mixed",
        cpu_thread_policy="isolate",
        cpu_pinning_raw={"2": 40},
        cpuset_reserved=frozenset({41}),
    )
    (held,) = placed_of_nova(nova(cell), NO_HOST)
    expected = {"shared": "0-1", "pins": {2: 40}, "emulator": "41", "charged": "40-41"}
    assert held == PlacedCell(cell=7, memory_mib=512, **expected)


def test_pins_of_vcpus_that_share_are_passed_over() -> None:
    """Nova's own reader does so."""
    pins = {"2": 40, "0": 41}
    cell = nova_cell(pcpuset=frozenset({2}), cpu_policy="mixed", cpu_pinning_raw=pins)
    (held,) = placed_of_nova(nova(cell), NO_HOST)
    assert (held.pins, held.charged) == ({2: 40}, "40")


def test_a_guest_that_was_taken_off_its_cells_is_not_placed() -> None:
    with pytest.raises(BadRequest, match=r"cells\[0\] is not placed: it is on cell -1"):
        placed_of_nova(nova(nova_cell(id=-1)), NO_HOST)
