"""Memory of cells by size of pages: what is reserved, and what somebody without a claim uses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper.config import Config, Reserved
from innkeeper.objects import Cell, Host, Pages, PlacedCell
from innkeeper.requests.host_pages import NOBODY, OthersPages, pages_held
from innkeeper.requests.host_remarks import remarks_on_host
from innkeeper.requests.inventory import inventory_warnings, take_inventory

MIB = 1024
GIB = 1024 * MIB
Row = tuple[int, int, int]
"""Size in KiB, total, reserved."""


def host_of(*cells: Cell, **changes: Any) -> Host:
    memory = sum(cell.memory_kib for cell in cells)
    return Host(hostname="h", cells=cells, memory_kib=memory, **changes)


def cell(number: int, memory_mib: int, *pages: tuple[int, int, int]) -> Cell:
    """Of each size the pages there are, and those that are free."""
    sizes = tuple(Pages(size_kib=size, total=total, free=free) for size, total, free in pages)
    return Cell(id=number, memory_kib=memory_mib * MIB, pages=sizes)


def rows(host: Host, *placed: PlacedCell, **reserved: Any) -> list[list[Row]]:
    config = Config(reserved=Reserved.model_validate(reserved))
    cells = take_inventory(host, config, placed=placed).cells
    return [[(it.size_kib, it.total, it.reserved) for it in one.pages] for one in cells]


def test_ordinary_pages_are_what_hugepages_leave() -> None:
    one = cell(0, 8192, (2048, 512, 512), (GIB, 2, 2))
    assert rows(host_of(one)) == [[(4, 5 * GIB // 4, 0), (2048, 512, 0), (GIB, 2, 0)]]


def test_hugepages_stand_by_size_and_those_of_which_there_are_none_are_known() -> None:
    one = cell(0, 64, (GIB, 0, 0), (2048, 1, 1))
    assert rows(host_of(one)) == [[(4, 62 * 256, 0), (2048, 1, 0), (GIB, 0, 0)]]


def test_a_host_may_have_larger_ordinary_pages() -> None:
    one = cell(0, 1024, (2048, 1, 1), (524_288, 1, 1))
    assert rows(host_of(one, page_kib=64)) == [[(64, 510 * 16, 0), (2048, 1, 0), (524_288, 1, 0)]]


def test_a_cell_without_memory_has_pages_of_which_there_are_none() -> None:
    assert rows(host_of(cell(7, 0))) == [[(4, 0, 0)]]
    assert rows(host_of(cell(7, 1, (2048, 9, 9)))) == [[(4, 0, 0), (2048, 9, 0)]]


def test_what_the_operator_reserves_of_a_cell_is_kept() -> None:
    host = host_of(cell(0, 100), cell(1, 100, (2048, 10, 10)))
    pages = [{"cell": 1, "size_kib": 2048, "count": 3}, {"cell": 0, "size_kib": 4, "count": 5}]
    found = rows(host, pages=pages, cells=[{"cell": 0, "memory_mib": 2}])
    assert found == [[(4, 25_600, 517)], [(4, 20_480, 0), (2048, 10, 3)]]


def test_memory_that_is_reserved_is_rounded_up_to_pages() -> None:
    host = host_of(cell(0, 100), page_kib=2048)
    assert rows(host, cells=[{"cell": 0, "memory_mib": 3}]) == [[(2048, 50, 2)]]


def test_no_more_is_reserved_than_there_is() -> None:
    host = host_of(cell(0, 4, (2048, 1, 1)))
    pages = [{"cell": 0, "size_kib": 2048, "count": 3}, {"cell": 9, "size_kib": 2048, "count": 3}]
    reserved = {"pages": pages, "cells": [{"cell": 0, "memory_mib": 3}]}
    assert rows(host, **reserved) == [[(4, 512, 512), (2048, 1, 1)]]
    config = Config(reserved=Reserved.model_validate({"memory_mib": 0, **reserved}))
    pages_1, pages_2, cells_1 = inventory_warnings(host, config)
    assert pages_1 == (
        "reserved.pages[1] keeps 3 pages of 2048 KiB of cell 0, which has 1: none of them is handed out"
    )
    assert pages_2.endswith(" of cell 9, and the host has cells 0: it keeps nothing")
    assert cells_1.startswith(
        "reserved.cells[1] keeps 3 MiB of cell 0, which has 2 MiB of ordinary"
    )
    other = {"memory_mib": 0, "pages": [{**pages[0], "size_kib": GIB}]}
    (unknown,) = inventory_warnings(host, Config(reserved=Reserved.model_validate(other)))
    assert unknown.endswith("of cell 0, which has pages of 4, 2048 KiB: it keeps nothing")


@pytest.mark.parametrize(("whole", "counts"), [(512, 512), (100, 300), (0, 300)])
def test_the_hosts_reservation_is_its_own_or_that_of_its_cells(whole: int, counts: int) -> None:
    host = host_of(cell(0, 1000), cell(1, 1000))
    cells = [{"cell": 0, "memory_mib": 100}, {"cell": 1, "memory_mib": 200}]
    config = Config(reserved=Reserved.model_validate({"memory_mib": whole, "cells": cells}))
    assert take_inventory(host, config).memory_mib.reserved == counts


# -- pages in use --------------------------------------------------------------------------------


def test_hugepages_in_use_without_a_claim_are_not_handed_out() -> None:
    host = host_of(cell(0, 100, (2048, 10, 7)), cell(1, 100, (2048, 10, 10)))
    assert rows(host) == [[(4, 20_480, 0), (2048, 10, 3)], [(4, 20_480, 0), (2048, 10, 0)]]
    held = PlacedCell(cell=0, page_kib=2048, pages=2, memory_mib=4)
    assert rows(host, held)[0][1] == (2048, 10, 1)


def test_what_is_reserved_is_there_for_others_to_use() -> None:
    host = host_of(cell(0, 100, (2048, 10, 7)))
    for count, kept in ((2, 3), (5, 5)):
        pages = [{"cell": 0, "size_kib": 2048, "count": count}]
        assert rows(host, pages=pages)[0][1] == (2048, 10, kept)


def test_pages_of_others_are_told_unless_they_are_reserved() -> None:
    host = host_of(cell(0, 100, (2048, 10, 7)))
    others = NOBODY.after(host, {})
    (remark,) = remarks_on_host(host, Config(), others)
    assert (remark.kind, remark.subject) == ("pages_in_use", "cell 0 pages of 2048 KiB")
    assert remark.message.startswith("3 pages of 2048 KiB of cell 0 are in use and no claim holds")
    pages = [{"cell": 0, "size_kib": 2048, "count": 3}]
    config = Config(reserved=Reserved.model_validate({"pages": pages}))
    assert remarks_on_host(host, config, others) == ()


def others_after(others: OthersPages, used: int, held: int) -> int:
    host = host_of(cell(0, 1000, (2048, 100, 100 - used)))
    return others.after(host, {(0, 2048): held}).counts.get((0, 2048), 0)


def test_a_claim_whose_guest_has_not_started_hides_nothing() -> None:
    seen = OthersPages({(0, 2048): 3})
    assert others_after(seen, used=3, held=20) == 3
    assert others_after(seen, used=23, held=20) == 3
    assert others_after(seen, used=20, held=20) == 3
    assert others_after(seen, used=1, held=20) == 1
    assert others_after(seen, used=0, held=0) == 0


@given(
    before=st.integers(0, 100),
    theirs=st.integers(0, 60),
    started=st.integers(0, 40),
    waiting=st.integers(0, 40),
)
def test_what_was_seen_of_others_stays_withheld_while_they_use_it(
    before: int, theirs: int, started: int, waiting: int
) -> None:
    """Whatever of the claims has started, no page of others is handed out that was ever seen."""
    used = theirs + started
    found = others_after(OthersPages({(0, 2048): before}), used, started + waiting)
    assert found >= min(theirs, before)
    assert found <= used
    assert waiting > 0 or found >= theirs


def test_pages_of_several_placements_are_summed() -> None:
    placed = [
        PlacedCell(cell=1, page_kib=2048, pages=3),
        PlacedCell(cell=1, page_kib=2048, pages=4),
        PlacedCell(cell=2, page_kib=GIB, pages=1),
        PlacedCell(cell=2, memory_mib=9),
    ]
    assert pages_held(placed) == {(1, 2048): 7, (2, GIB): 1}
