"""Memory of the host's cells: ordinary pages, and preallocated hugepages by size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from innkeeper.config import Reserved
from innkeeper.objects import Cell, Host, Pages, PlacedCell
from innkeeper.objects.host import InventoryPages

#: Of a host that does not say: that of x86, and of most others.
USUAL_PAGE_KIB: Final = 4

CellPages = tuple[int, int]
"""A cell and a size of pages in KiB."""


@dataclass(frozen=True, slots=True)
class OthersPages:
    """Hugepages that somebody uses who has no claim on them: the host's own programs, or strangers.

    The kernel counts pages in use and not whose they are. A claim whose instance has not started yet
    uses none of its pages, so its booking may hide somebody else's use: what was once seen is believed
    until that many pages are no longer in use at all.
    """

    counts: Mapping[CellPages, int] = field(default_factory=dict)

    def after(self, host: Host, held: Mapping[CellPages, int]) -> OthersPages:
        """What is known with another observation, while claims hold `held`; the same object when it is the same."""
        counts: dict[CellPages, int] = {}
        for place, used in _pages_in_use(host):
            least = max(used - held.get(place, 0), 0)
            counts[place] = min(max(self.counts.get(place, 0), least), used)
        known = {place: count for place, count in counts.items() if count}
        return self if known == self.counts else OthersPages(known)


NOBODY: Final = OthersPages()


def pages_held(placed: Iterable[PlacedCell]) -> dict[CellPages, int]:
    """Pages of placements."""
    held: dict[CellPages, int] = {}
    for one in placed:
        if one.page_kib is not None:
            place = one.cell, one.page_kib
            held[place] = held.get(place, 0) + one.pages
    return held


def _pages_in_use(host: Host) -> Iterator[tuple[CellPages, int]]:
    return (
        ((cell.id, pages.size_kib), pages.total - min(pages.free, pages.total))
        for cell in host.cells
        for pages in cell.pages
    )


@dataclass(frozen=True, slots=True)
class ReservedMemory:
    """`[reserved]` by cell."""

    pages: Mapping[CellPages, int]
    ordinary_mib: Mapping[int, int]

    @classmethod
    def of(cls, reserved: Reserved) -> ReservedMemory:
        """The operator's words."""
        return cls(
            pages={(one.cell, one.size_kib): one.count for one in reserved.pages},
            ordinary_mib={one.cell: one.memory_mib for one in reserved.cells},
        )

    def ordinary_kib(self, cell: int, page_kib: int) -> int:
        """Of one cell; ordinary pages may be reserved as memory, or by their size, or both."""
        pages = self.pages.get((cell, page_kib), 0)
        return self.ordinary_mib.get(cell, 0) * 1024 + pages * page_kib


def ordinary_kib(place: Host | Cell) -> int:
    """What preallocated hugepages leave of the memory."""
    hugepages = sum(pages.size_kib * pages.total for pages in place.pages)
    return max(place.memory_kib - hugepages, 0)


def page_kib_of(host: Host) -> int:
    """Size of an ordinary page in KiB."""
    return host.page_kib or USUAL_PAGE_KIB


def pages_of_cell(
    cell: Cell, page_kib: int, reserved: ReservedMemory, others: OthersPages
) -> tuple[InventoryPages, ...]:
    """Every size that the cell has, ascending, ordinary pages first; of some there may be none now."""
    small = _pages(
        page_kib,
        ordinary_kib(cell) // page_kib,
        -(-reserved.ordinary_kib(cell.id, page_kib) // page_kib),
    )
    sizes = sorted((one for one in cell.pages if one.size_kib > page_kib), key=_size)
    huge = (
        _pages(one.size_kib, one.total, _kept(cell.id, one.size_kib, reserved, others))
        for one in sizes
    )
    return (small, *huge)


def _kept(cell: int, size_kib: int, reserved: ReservedMemory, others: OthersPages) -> int:
    # What is reserved is there to be used by others.
    place = cell, size_kib
    return max(reserved.pages.get(place, 0), others.counts.get(place, 0))


def _pages(size_kib: int, total: int, reserved: int) -> InventoryPages:
    return InventoryPages(size_kib=size_kib, total=total, reserved=min(reserved, total))


def _size(pages: Pages) -> int:
    return pages.size_kib
