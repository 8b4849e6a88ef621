"""CPUs and cells from libvirt's capabilities.

CPUs that are offline do not stand there, nor does it say which are isolated. The order of sizes of pages is not
relied upon: the smallest are ordinary memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from innkeeper.drivers.libvirt.xml import Element, kib_of, read_xml
from innkeeper.drivers.sysfs.notes import Notes
from innkeeper.drivers.sysfs.parse import HIGHEST_ID, parse_amount, parse_ids, parse_number, shown
from innkeeper.objects import Cell, Cpu, Pages

CELLS = "host/topology/cells/cell"

FreePages = Mapping[int, Mapping[int, int]]
"""By cell and size in KiB."""


@dataclass(frozen=True, slots=True)
class Topology:
    """What capabilities tell of CPUs and cells; empty where they tell nothing of cells."""

    cpus: tuple[Cpu, ...]
    cells: tuple[Cell, ...]
    page_kib: int | None


@dataclass(frozen=True, slots=True)
class _Row:
    """A CPU as it stands there."""

    id: int
    cell: int
    socket: int | None
    die: int | None
    core: int | None
    siblings: frozenset[int]


class Capabilities:
    """One text of libvirt's.

    Raises:
        ValueError: it is no capabilities.
    """

    def __init__(self, text: str, notes: Notes) -> None:
        self._root = read_xml(text, "capabilities")
        self._notes = notes
        self._cells = dict(self._identified(CELLS, "cell"))

    @property
    def cell_ids(self) -> list[int]:
        """Ascending."""
        return sorted(self._cells)

    @property
    def page_kib(self) -> int | None:
        """The size of ordinary pages in KiB."""
        sizes = [one.get("size", "") for one in self._root.iterfind("host/cpu/pages")]
        return min(
            (int(size) for size in sizes if size.isdecimal() and len(size) < 12), default=None
        )

    @property
    def hugepage_sizes(self) -> list[int]:
        """In KiB, ascending."""
        sizes = {page for cell in self._cells.values() for page, _ in self._pages(cell)}
        return sorted(size for size in sizes if size != self._smallest(sizes))

    def topology(self, free: FreePages) -> Topology:
        """CPUs and cells by id; what is malformed is left out with a warning."""
        rows = self._rows()
        cells = tuple(self._cell(cell, rows, free.get(cell, {})) for cell in self.cell_ids)
        return Topology(self._cpus(rows), cells, self.page_kib)

    def _smallest(self, sizes: set[int]) -> int | None:
        return self.page_kib or min(sizes, default=None)

    def _identified(self, path: str, what: str) -> Iterator[tuple[int, Element]]:
        for element in self._root.iterfind(path):
            try:
                yield _id_of(element), element
            except ValueError as error:
                self._notes.say(f"libvirt's capabilities: a {what} is left out: {error}")

    def _rows(self) -> dict[int, _Row]:
        rows: dict[int, _Row] = {}
        for cell in self.cell_ids:
            for row in self._rows_of(cell):
                if row.id in rows:
                    problem = f"CPU {row.id} is in cell {rows[row.id].cell} too, which keeps it"
                    self._notes.say(f"libvirt's capabilities: cell {cell}: {problem}")
                rows.setdefault(row.id, row)
        return rows

    def _rows_of(self, cell: int) -> Iterator[_Row]:
        for element in self._cells[cell].iterfind("cpus/cpu"):
            try:
                yield _row(element, cell)
            except ValueError as error:
                self._notes.say(
                    f"libvirt's capabilities: a CPU of cell {cell} is left out: {error}"
                )

    def _cpus(self, rows: Mapping[int, _Row]) -> tuple[Cpu, ...]:
        l3 = self._l3(frozenset(rows))
        return tuple(
            Cpu(
                id=row.id,
                socket=row.socket,
                die=row.die,
                core=row.core,
                cell=row.cell,
                l3=l3.get(row.id),
                siblings=tuple(sorted(row.siblings & rows.keys() | {row.id})),
            )
            for _, row in sorted(rows.items())
        )

    def _l3(self, online: frozenset[int]) -> dict[int, int]:
        lowest: dict[int, int] = {}
        for bank in self._root.iterfind("host/cache/bank[@level='3']"):
            try:
                cpus = parse_ids(bank.get("cpus", "")) & online
            except ValueError as error:
                self._notes.say(f"libvirt's capabilities: an L3 cache is left out: {error}")
                continue
            lowest |= dict.fromkeys(cpus, min(cpus, default=0))
        return lowest

    def _cell(self, cell: int, rows: Mapping[int, _Row], free: Mapping[int, int]) -> Cell:
        element = self._cells[cell]
        pages = dict(self._pages(element))
        ordinary = self._smallest(set(pages))
        return Cell(
            id=cell,
            cpus=tuple(sorted(row.id for row in rows.values() if row.cell == cell)),
            memory_kib=self._memory(cell, element),
            pages=tuple(
                Pages(size_kib=size, total=total, free=min(free.get(size, total), total))
                for size, total in sorted(pages.items())
                if size != ordinary
            ),
            distances=self._distances(cell, element),
        )

    def _memory(self, cell: int, element: Element) -> int:
        memory = element.find("memory")
        if memory is None:
            # Of a cell that has none libvirt says nothing.
            return 0
        try:
            return kib_of(memory)
        except ValueError as error:
            self._notes.say(f"libvirt's capabilities: memory of cell {cell}: {error}")
            return 0

    def _pages(self, element: Element) -> Iterator[tuple[int, int]]:
        for pages in element.iterfind("pages"):
            try:
                yield parse_amount(pages.get("size", "")), parse_amount((pages.text or "").strip())
            except ValueError as error:
                self._notes.say(f"libvirt's capabilities: pages of a cell are left out: {error}")

    def _distances(self, cell: int, element: Element) -> dict[int, int]:
        siblings = element.findall("distances/sibling")
        try:
            distances = {_id_of(one): parse_amount(one.get("value", "")) for one in siblings}
        except ValueError as error:
            self._notes.say(f"libvirt's capabilities: distances of cell {cell}: {error}")
            return {}
        if distances and distances.keys() != self._cells.keys():
            self._notes.say(
                f"libvirt's capabilities: distances of cell {cell} are not to all cells"
            )
            return {}
        return dict(sorted(distances.items()))


def _id_of(element: Element) -> int:
    number = parse_amount(element.get("id", ""))
    if number > HIGHEST_ID:
        raise ValueError(f"{shown(str(number))} is no id up to {HIGHEST_ID}")
    return number


def _row(element: Element, cell: int) -> _Row:
    return _Row(
        id=_id_of(element),
        cell=cell,
        socket=_place(element, "socket_id"),
        die=_place(element, "die_id"),
        core=_place(element, "core_id"),
        siblings=parse_ids(element.get("siblings", "")),
    )


def _place(element: Element, name: str) -> int | None:
    text = element.get(name)
    number = parse_number(text) if text is not None else -1
    return number if number >= 0 else None
