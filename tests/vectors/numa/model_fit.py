"""Which host cells a guest gets: every selection in turn, until one fits.

Slow and obvious: guest cell 0 goes on each host cell in the order in which they are tried, and the
rest on what is left. Nova's answer on fresh copies, see `corrections.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from tests.vectors.numa.corrections import NONE, Corrections
from tests.vectors.numa.model_cell import Placed, Question
from tests.vectors.numa.model_devices import Devices, networks_fit
from tests.vectors.numa.model_host import (
    Bounds,
    Guest,
    HostCell,
    Words,
    bounds_of,
    guest_of,
    host_of,
)

NO_DEVICES: Words = {"pools": [], "requests": []}


class Search:
    """One guest on one host."""

    def __init__(
        self,
        host: Sequence[HostCell],
        guest: Guest,
        bounds: Bounds | None,
        pci: Words | None = None,
        corrections: Corrections = NONE,
    ) -> None:
        self.host, self.bounds = host, bounds
        self.guest = guest.renamed() if "policy-by-vcpus" in corrections else guest
        self.pci = pci
        self.devices = Devices(pci or NO_DEVICES, host, corrections)
        self.fit_pair = cache(Question(self.guest, bounds, corrections).fit)

    def order(self, strategy: str) -> list[HostCell]:
        """Host cells as they are tried: three sorts, of which the last decides first."""
        cells = list(self.host)
        if len(cells) == len(self.guest.cells):
            return cells
        most_first = strategy == "spread"
        cells.sort(key=lambda it: it.memory - it.memory_used, reverse=most_first)
        if self.guest.pins:
            cells.sort(key=lambda it: len(it.free_cpus), reverse=most_first)
        else:
            cells.sort(key=lambda it: it.vcpus_used, reverse=not most_first)
        if self.pci is not None:
            asked = bool(self.pci["requests"])
            cells.sort(key=lambda it: self.devices.count_on(it.id), reverse=asked)
        return cells

    def first(self, strategy: str) -> list[Placed] | None:
        """The first selection that fits, in the order of the guest cells.

        Raises:
            NovaError: Nova's search ends in one.
        """
        if not self.host or len(self.host) < len(self.guest.cells):
            return None
        return next(self._selections(self.order(strategy), self._near_enough()), None)

    def _near_enough(self) -> Callable[[frozenset[int]], bool]:
        @cache
        def answer(cells: frozenset[int]) -> bool:
            return self.devices.fit(cells) and networks_fit(self.bounds, self.host, cells)

        return answer

    def _selections(
        self,
        cells: Sequence[HostCell],
        near_enough: Callable[[frozenset[int]], bool],
        placed: tuple[Placed, ...] = (),
    ) -> Iterator[list[Placed]]:
        if len(placed) == len(self.guest.cells):
            if near_enough(frozenset(it.cell for it in placed)):
                yield list(placed)
            return
        for cell in cells:
            found = self.fit_pair(len(placed), cell)
            if found:
                others = [it for it in cells if it is not cell]
                yield from self._selections(others, near_enough, (*placed, found))


def search_of(row: dict[str, Any], corrections: Corrections) -> Search:
    """The question of a recorded row."""
    return Search(
        host_of(row["host"]),
        guest_of(row["instance"]),
        bounds_of(row["limits"]),
        row.get("pci"),
        corrections,
    )
