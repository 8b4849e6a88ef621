"""The cells of an inventory: CPUs by core and cache, and what cordons take."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from innkeeper import Ledger, simulated
from innkeeper.config import Config
from innkeeper.objects import Cell, Cordon, Cpu, Host, Inventory
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.objects.host import CellOrder, InventoryCell
from innkeeper.requests.inventory import take_inventory

AT = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = "cpus=16,cells=2,threads=2,memory=16GiB"


def cordon(kind: str, subject: str) -> Cordon:
    return Cordon.model_validate({"kind": kind, "subject": subject, "reason": "broken", "at": AT})


def taken(host: Host, *cordons: Cordon, **cpus: str) -> Inventory:
    return take_inventory(host, Config.model_validate({"cpus": cpus}), cordons=cordons)


def cell_of(*cpus: Cpu) -> InventoryCell:
    """The one cell of a host with these CPUs, all of them shared."""
    on_it = tuple(cpu.model_copy(update={"cell": 0}) for cpu in cpus)
    return take_inventory(Host(hostname="h", cpus=on_it, cells=(Cell(id=0),))).cells[0]


def test_a_cell_has_the_shared_and_dedicated_cpus_that_are_on_it() -> None:
    cells = taken(simulated(SPEC), shared="0-1,8-9", dedicated="2-5,10-13").cells
    assert [(cell.shared, cell.dedicated) for cell in cells] == [
        ("0-1,8-9", "2-3,10-11"),
        ("", "4-5,12-13"),
    ]
    assert [cell.cores for cell in cells] == [("0,8", "1,9", "2,10", "3,11"), ("4,12", "5,13")]


def test_without_words_every_cpu_is_shared() -> None:
    inventory = taken(simulated(SPEC))
    assert [cell.shared for cell in inventory.cells] == ["0-3,8-11", "4-7,12-15"]
    assert {cell.dedicated for cell in inventory.cells} == {""}


def test_cores_are_cut_down_to_what_may_be_handed_out() -> None:
    cells = taken(simulated(SPEC), shared="0", dedicated="8-9,4").cells
    assert [cell.cores for cell in cells] == [("0,8", "9"), ("4",)]


def test_offline_siblings_leave_ragged_cores() -> None:
    cells = taken(simulated(f"{SPEC},offline=0,10")).cells
    assert cells[0].cores == ("1,9", "2", "3,11", "8")


def test_cores_stand_by_their_lowest_cpu() -> None:
    cpus = [Cpu(id=one, siblings=(one, one + 20)) for one in (7, 4, 12)]
    cpus += [Cpu(id=one + 20, siblings=(one, one + 20)) for one in (12, 4, 7)]
    assert cell_of(*cpus).cores == ("4,24", "7,27", "12,32")


def test_without_siblings_ids_tell_the_cores_apart() -> None:
    cpus = [
        Cpu(id=4 * socket + one, socket=socket, core=one // 2)
        for socket in (0, 1)
        for one in range(4)
    ]
    assert cell_of(*cpus).cores == ("0-1", "2-3", "4-5", "6-7")


def test_a_cpu_of_which_nothing_is_known_is_a_core() -> None:
    assert cell_of(Cpu(id=0), Cpu(id=1)).cores == ("0", "1")


def test_caches_are_told_where_the_host_tells_them() -> None:
    assert cell_of(Cpu(id=0), Cpu(id=1)).l3_groups == ()
    cpus = [Cpu(id=one, l3=one // 2 * 2) for one in range(4)]
    assert cell_of(*cpus).l3_groups == ("0-1", "2-3")
    cells = taken(simulated("cpus=64,cells=2,threads=2"), dedicated="9-20,40-41").cells
    assert [cell.l3_groups for cell in cells] == [("9-15,40-41",), ("16-20",)]


def test_the_socket_is_the_one_with_most_cpus() -> None:
    cpus = [Cpu(id=one, socket=socket) for one, socket in enumerate((3, 1, 1, 3, 1, None))]
    assert cell_of(*cpus).socket == 1
    assert cell_of(Cpu(id=0)).socket is None


def test_cells_stand_by_id_whatever_holes_there_are() -> None:
    cells = (Cell(id=34, distances={34: 10, 0: 20}), Cell(id=0, memory_kib=2048), Cell(id=8))
    host = Host(hostname="h", cpus=(Cpu(id=5, cell=8), Cpu(id=6, cell=34)), cells=cells)
    found = take_inventory(host).cells
    assert [(cell.id, cell.shared, cell.memory_mib) for cell in found] == [
        (0, "", 2),
        (8, "5", 0),
        (34, "6", 0),
    ]
    assert found[2].distances == {34: 10, 0: 20}


def test_cells_are_spread_over_unless_the_operator_wants_them_packed() -> None:
    host = simulated("cpus=2")
    assert take_inventory(host).cell_order is CellOrder.SPREAD
    pack = Config.model_validate({"placement": {"cells": "pack"}})
    assert take_inventory(host, pack).cell_order is CellOrder.PACK


def test_a_cordoned_cpu_leaves_both_sets() -> None:
    cordons = [cordon("cpu", "0"), cordon("cpu", "9")]
    inventory = taken(simulated(SPEC), *cordons, shared="0-1", dedicated="8-9")
    cell = inventory.cells[0]
    assert (cell.shared, cell.dedicated, cell.cores) == ("1", "8", ("1", "8"))
    assert (inventory.vcpus.total, inventory.vcpus.cordoned, inventory.shared_cpus) == (1, 1, "1")


def test_a_cordoned_cell_keeps_its_cpus_and_offers_none() -> None:
    inventory = taken(simulated(SPEC), cordon("cell", "1"), shared="0-7", dedicated="8-15")
    cell = inventory.cells[1]
    assert (cell.shared, cell.dedicated) == ("4-7", "12-15")
    assert cell.cordoned is not None
    assert cell.cordoned.startswith("cell 1 cordoned")
    assert (inventory.vcpus.total, inventory.vcpus.cordoned) == (4, 4)
    assert inventory.shared_cpus == "0-3"


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """Ragged in every way: cells without CPUs, CPUs without a cell, offline ones, broken siblings."""
    cells = draw(st.sets(st.integers(0, 40), min_size=1, max_size=4))
    ids = draw(st.sets(st.integers(0, 30), max_size=12))
    some = st.none() | st.integers(0, 2)
    cpus = [
        Cpu(
            id=number,
            online=draw(st.booleans()),
            isolated=draw(st.booleans()),
            socket=draw(some),
            core=draw(some),
            l3=draw(some),
            cell=draw(st.none() | st.sampled_from(sorted(cells))),
            siblings=tuple(sorted(draw(st.sets(st.integers(0, 30), max_size=2)) | {number})),
        )
        for number in sorted(ids)
    ]
    return Host(hostname="h", cpus=tuple(cpus), cells=tuple(Cell(id=one) for one in sorted(cells)))


def cpus_in(lists: Iterable[str]) -> list[int]:
    return sorted(cpu for text in lists for cpu in parse_cpu_spec(text))


@given(host=hosts(), data=st.data())
def test_cores_are_the_cpus_of_the_cell_each_once(host: Host, data: st.DataObject) -> None:
    numbers = [cpu.id for cpu in host.cpus if cpu.online]
    dedicated = data.draw(st.sets(st.sampled_from(numbers)) if numbers else st.just(set()))
    schedulable = {cpu.id for cpu in host.cpus if cpu.online and not cpu.isolated}
    shared = schedulable - dedicated
    lists = {"shared": shared, "dedicated": dedicated}
    words = {key: ",".join(map(str, cpus)) for key, cpus in lists.items() if cpus}
    inventory = taken(host, **words)
    for cell in inventory.cells:
        own = {cpu.id for cpu in host.cpus if cpu.cell == cell.id}
        assert cpus_in([cell.dedicated]) == sorted(own & dedicated)
        if words:
            assert cpus_in([cell.shared]) == sorted(own & shared)
        assert cpus_in(cell.cores) == cpus_in([cell.shared, cell.dedicated])
        assert set(cpus_in(cell.l3_groups)) <= set(cpus_in(cell.cores))
        lowest = [min(parse_cpu_spec(core)) for core in cell.cores]
        assert lowest == sorted(lowest)
    # The core refuses cells that contradict each other.
    Ledger(inventory)
