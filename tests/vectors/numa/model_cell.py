"""Whether one guest cell fits on one host cell, and what it gets: pages, CPUs, the emulator's CPU.

Each rule stands where Nova asks it, so that each correction is one condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.vectors.numa.corrections import Corrections, NovaError
from tests.vectors.numa.model_host import (
    ANY,
    LARGE,
    SMALL,
    Bounds,
    Guest,
    GuestCell,
    HostCell,
    Pages,
)

#: Thread policies under which no other guest is on a core; the second is innkeeper's own.
WHOLE_CORES = ("isolate", "full_cores")


@dataclass(frozen=True)
class Placed:
    """One guest cell on its host cell."""

    cell: int
    page: int | None
    """The size that was asked for and found; null when none was asked for."""
    pins: dict[int, int] = field(default_factory=dict)
    emulator: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Question:
    """A guest, its limits, and what is corrected."""

    guest: Guest
    bounds: Bounds | None
    corrections: Corrections

    def has(self, name: str) -> bool:
        return name in self.corrections

    def fit(self, number: int, host: HostCell) -> Placed | None:
        """Guest cell `number` on this host cell; null when it does not fit."""
        cell = self.guest.cells[number]
        reserve = self._reserve(number)
        found, page = self._page(cell, host)
        if not found or not self._has_cpus(cell, host, reserve):
            return None
        pins, emulator = self._pinned(cell, host, reserve)
        if pins is None or not self._within_bounds(cell, host):
            return None
        return Placed(host.id, page, pins, emulator)

    def _reserve(self, number: int) -> int:
        """How many CPUs more this guest cell needs for the emulator."""
        if self.guest.emulator != "isolate" or not self.guest.pins:
            return 0
        if not self.has("cells-without-pins"):
            return int(number == 0)
        pinned = [bool(cell.dedicated) for cell in self.guest.cells]
        return int(True in pinned and number == pinned.index(True))

    # Memory

    def _page(self, cell: GuestCell, host: HostCell) -> tuple[bool, int | None]:
        """Whether the memory is there, and the size of its pages if one was asked for."""
        if self.guest.pages is None:
            return self._has_memory(cell, host), None
        for pages in self._sizes(host):
            if _divides(pages, cell) and pages.free * pages.size >= cell.memory * 1024:
                return True, pages.size
        return False, None

    def _sizes(self, host: HostCell) -> Sequence[Pages]:
        """Pages that may be taken, in the order in which they are tried."""
        match self.guest.pages:
            case n if n == SMALL:
                return host.pages[:1]
            case n if n == LARGE:
                return host.pages[:0:-1]
            case n if n == ANY:
                return host.pages[::-1]
        return [pages for pages in host.pages if pages.size == self.guest.pages]

    def _has_memory(self, cell: GuestCell, host: HostCell) -> bool:
        if not host.pages:
            room = host.memory - host.memory_used if self.guest.pins else host.memory
            return room >= cell.memory
        small = host.pages[0]
        count = small.free if self.guest.pins else self._ordinary(small)
        return _divides(small, cell) and count * small.size >= cell.memory * 1024

    def _within_bounds(self, cell: GuestCell, host: HostCell) -> bool:
        """Whether what is shared stays within the limits."""
        if not self.guest.floats or self.bounds is None:
            return True
        if not self._has_vcpus(self.bounds, cell, host):
            return False
        used, total = float(host.memory_used), float(host.memory)
        if self.has("memory-apart"):
            if self.guest.pins or self.guest.pages is not None:
                return True
            if host.pages:
                small = host.pages[0]
                used = small.used * small.size / 1024
                total = self._ordinary(small) * small.size / 1024
        return used + cell.memory <= total * self.bounds.memory

    def _has_vcpus(self, bounds: Bounds, cell: GuestCell, host: HostCell) -> bool:
        if not cell.shared and self.has("nothing-asked"):
            return True
        return host.vcpus_used + len(cell.shared) <= len(host.shared) * bounds.vcpus

    def _ordinary(self, small: Pages) -> int:
        """Pages of which more may be promised than there are."""
        return small.total - (small.reserved if self.has("reserved-pages") else 0)

    # CPUs

    def _has_cpus(self, cell: GuestCell, host: HostCell, reserve: int) -> bool:
        """Whether a guest alone has room, and what is dedicated is free."""
        if self.guest.floats and len(cell.shared) > len(host.shared):
            return False
        wanted = len(cell.dedicated) + reserve
        return not self.guest.pins or wanted <= len(host.free_cpus)

    def _pinned(
        self, cell: GuestCell, host: HostCell, reserve: int
    ) -> tuple[dict[int, int] | None, frozenset[int]]:
        """The CPU of each dedicated vCPU, null when there are none to be had; the emulator's CPU."""
        nothing: frozenset[int] = frozenset()
        if not self.guest.pins:
            return {}, nothing
        if not cell.dedicated and self.has("cells-without-pins"):
            return {}, nothing
        if not host.cores and not self.has("no-cores"):
            raise NovaError("ValueError")
        cpus = self._choose(len(cell.dedicated), host)
        if cpus is None:
            return None, nothing
        if not reserve:
            return dict(zip(sorted(cell.dedicated), cpus, strict=True)), nothing
        own = self._emulator(cpus, host) if cell.dedicated else None
        if own is None:
            return None, nothing
        return dict(zip(sorted(cell.dedicated), cpus, strict=True)), frozenset({own})

    def _choose(self, count: int, host: HostCell) -> list[int] | None:
        cores = host.free_cores
        most = max((len(core) for core in cores), default=0)
        if self.guest.threads == "isolate":
            return self._isolated(count, host)
        if self.guest.threads == "full_cores":
            return _filled(count, host)
        if self.guest.threads == "require":
            if host.threads < 2:
                return None
            return _packed(count, cores, range(most, 1, -1))
        packed = _packed(count, cores, range(most, 0, -1))
        single = [cpu for core in cores for cpu in core]
        return packed if packed is not None else single[:count] if len(single) >= count else None

    def _isolated(self, count: int, host: HostCell) -> list[int] | None:
        """A core each, of which every thread is free; Nova has none for no vCPU."""
        if host.threads > 1 and host.dedicated != host.shared and not self.has("isolate-split"):
            return None
        whole = [core for core in host.free_cores if core and len(core) >= host.threads]
        return [core[0] for core in whole[:count]] if 0 < count <= len(whole) else None

    def _emulator(self, pinned: Sequence[int], host: HostCell) -> int | None:
        """The first CPU left; for isolated vCPUs, on a core that has none of them."""
        cores = [core for core in host.free_cores if core]
        if self.guest.threads in WHOLE_CORES:
            cores = [core for core in cores if not set(core) & set(pinned)]
            if self.has("whole-emulator-core"):
                cores = [core for core in cores if len(core) >= host.threads]
        left = [cpu for core in cores for cpu in core if cpu not in pinned]
        return left[0] if left else None


def _packed(count: int, cores: Sequence[Sequence[int]], widths: Sequence[int]) -> list[int] | None:
    """CPUs from as many threads of each core as possible, the same number from each."""
    for width in widths:
        enough = [core for core in cores if len(core) >= width]
        if width * len(enough) >= count:
            return [cpu for core in enough for cpu in core[:width]][:count]
    return None


def _filled(count: int, host: HostCell) -> list[int] | None:
    """Whole cores and no other (a policy of innkeeper's own)."""
    whole = [core for core in host.free_cores if core and len(core) >= host.threads]
    chosen = [cpu for core in whole for cpu in core][:count]
    return chosen if count % host.threads == 0 and len(chosen) == count else None


def _divides(pages: Pages, cell: GuestCell) -> bool:
    return cell.memory * 1024 % pages.size == 0
