"""`[[reserved.pages]]` and `[[reserved.cells]]` on a host that has less than they say."""

from __future__ import annotations

from collections.abc import Iterator

from innkeeper.config import Reserved
from innkeeper.objects import Inventory
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.host import InventoryCell


def reserved_warnings(inventory: Inventory, reserved: Reserved) -> tuple[str, ...]:
    """One line for each entry that names what is not there, or more than there is."""
    cells = {cell.id: cell for cell in inventory.cells}
    return (*_of_pages(cells, reserved), *_of_memory(cells, reserved))


def _of_pages(cells: dict[int, InventoryCell], reserved: Reserved) -> Iterator[str]:
    for number, entry in enumerate(reserved.pages, start=1):
        said = f"reserved.pages[{number}] keeps {entry.count} pages of {entry.size_kib} KiB of cell {entry.cell}"
        cell = cells.get(entry.cell)
        if cell is None:
            yield f"{said}, and {_cells(cells)}: it keeps nothing"
            continue
        totals = {pages.size_kib: pages.total for pages in cell.pages}
        if entry.size_kib not in totals:
            sizes = ", ".join(map(str, totals))
            yield f"{said}, which has pages of {sizes} KiB: it keeps nothing"
        elif entry.count > totals[entry.size_kib]:
            yield f"{said}, which has {totals[entry.size_kib]}: none of them is handed out"


def _of_memory(cells: dict[int, InventoryCell], reserved: Reserved) -> Iterator[str]:
    for number, entry in enumerate(reserved.cells, start=1):
        said = f"reserved.cells[{number}] keeps {entry.memory_mib} MiB of cell {entry.cell}"
        cell = cells.get(entry.cell)
        if cell is None:
            yield f"{said}, and {_cells(cells)}: it keeps nothing"
            continue
        ordinary = cell.pages[0].total * cell.pages[0].size_kib // 1024 if cell.pages else 0
        if entry.memory_mib > ordinary:
            yield (
                f"{said}, which has {ordinary} MiB of ordinary memory: nothing of it is handed out"
            )


def _cells(cells: dict[int, InventoryCell]) -> str:
    return f"the host has cells {format_cpu_spec(cells)}" if cells else "the host has no cells"
