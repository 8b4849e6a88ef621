"""What the cells of a host have in use after a guest was charged, or given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.vectors.numa.corrections import Corrections, NovaError
from tests.vectors.numa.model_cell import WHOLE_CORES
from tests.vectors.numa.model_host import HostCell, Pages

Words = Mapping[str, Any]
Usage = dict[str, Any]


def charge(
    host: Sequence[HostCell], instance: Words, sign: int, corrections: Corrections
) -> tuple[HostCell, ...]:
    """The host with each guest cell charged (`sign` 1) or given back (-1) on the cell of its id.

    Raises:
        NovaError: CPUs that are not the cell's, that are taken already, or that are not taken.
    """
    if sign < 0 and "only-what-was-booked" in corrections:
        return _given_back(host, instance, corrections - {"only-what-was-booked"})
    charged = []
    for start in host:
        cell = start
        for guest in instance["cells"]:
            if guest["id"] == cell.id:
                cell = _Charge(cell, guest, sign, corrections).made()
        charged.append(_floored(cell))
    if sign > 0 and "restored-as-it-is" in corrections:
        return _seated(charged, host, instance)
    return tuple(charged)


def _seated(
    cells: Sequence[HostCell], host: Sequence[HostCell], instance: Words
) -> tuple[HostCell, ...]:
    """CPUs are in use where they are now, on whatever cell the guest was placed."""
    known = {it.id: it for it in host}
    charged = (charged_to(known.get(it["id"]), it) for it in instance["cells"])
    cpus = frozenset[int]().union(*charged)
    return tuple(replace(it, taken=it.taken | cpus & it.cpus) for it in cells)


def _given_back(
    host: Sequence[HostCell], instance: Words, corrections: Corrections
) -> tuple[HostCell, ...]:
    """The host without what this guest has; unchanged when it cannot have been charged."""
    try:
        rest = charge(host, instance, -1, corrections)
        held = charge(rest, instance, 1, corrections - {"restored-as-it-is"})
    except NovaError:
        return tuple(host)
    return rest if held == tuple(host) else tuple(host)


def charged_to(cell: HostCell | None, guest: Words) -> frozenset[int]:
    """CPUs that a guest cell has for itself; of isolated cores every sibling, if the cell is known."""
    if guest["cpu_policy"] not in ("dedicated", "mixed"):
        return frozenset()
    pins = (guest.get("cpu_pinning") or {}).values()
    cpus = frozenset(pins) | frozenset(guest.get("cpuset_reserved") or ())
    if cell is None or guest["cpu_thread_policy"] not in WHOLE_CORES:
        return cpus
    return cpus.union(*(core for core in cell.cores if core & cpus))


class _Charge:
    """One guest cell on one host cell."""

    def __init__(self, cell: HostCell, guest: Words, sign: int, corrections: Corrections) -> None:
        self.cell, self.guest, self.sign, self.corrections = cell, guest, sign, corrections

    def made(self) -> HostCell:
        return replace(
            self.cell,
            pages=self._pages(),
            memory_used=self.cell.memory_used + self.sign * self.guest["memory"],
            vcpus_used=self.cell.vcpus_used + self.sign * len(self.guest["cpuset"]),
            taken=self._taken(),
        )

    def _pages(self) -> tuple[Pages, ...]:
        pages = self.cell.pages
        wanted = self.guest["pagesize"]
        if not wanted and not pages:
            if "no-page-records" in self.corrections:
                return pages
            raise NovaError("IndexError")
        size = wanted or pages[0].size
        return tuple(self._used(it) if it.size == size else it for it in pages)

    def _used(self, pages: Pages) -> Pages:
        """Whole pages; what is below none is none."""
        used = pages.used + self.sign * self.guest["memory"] * 1024 / pages.size
        return replace(pages, used=int(max(used, 0)))

    def _taken(self) -> frozenset[int]:
        cpus = charged_to(self.cell, self.guest)
        if self.guest["cpu_thread_policy"] == "isolate":
            cpus &= self.cell.cpus  # D6: what is on no core is lost
        if self.sign > 0:
            return self._pinned(cpus)
        return self._unpinned(cpus)

    def _pinned(self, cpus: frozenset[int]) -> frozenset[int]:
        if "restored-as-it-is" in self.corrections:
            return self.cell.taken
        if not cpus <= self.cell.dedicated:
            raise NovaError("CPUPinningUnknown")
        if cpus & self.cell.taken:
            raise NovaError("CPUPinningInvalid")
        return self.cell.taken | cpus

    def _unpinned(self, cpus: frozenset[int]) -> frozenset[int]:
        if not cpus <= self.cell.dedicated:
            raise NovaError("CPUUnpinningUnknown")
        if not cpus <= self.cell.taken:
            raise NovaError("CPUUnpinningInvalid")
        return self.cell.taken - cpus


def _floored(cell: HostCell) -> HostCell:
    return replace(cell, memory_used=max(cell.memory_used, 0), vcpus_used=max(cell.vcpus_used, 0))


def usage_of(cell: HostCell) -> Usage:
    """The changing amounts of a cell, as they are recorded."""
    return {
        "id": cell.id,
        "cpu_usage": cell.vcpus_used,
        "memory_usage": cell.memory_used,
        "pages_used": {str(it.size): it.used for it in cell.pages},
        "pinned_cpus": sorted(cell.taken),
    }
