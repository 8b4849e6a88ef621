"""The host and the guest of a recorded row, as values. Memory in MiB, sizes of pages in KiB."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

Words = Mapping[str, Any]

SMALL, LARGE, ANY = -1, -2, -3


@dataclass(frozen=True)
class Pages:
    """Pages of one size; `used` may be more than there are, when they are overcommitted."""

    size: int
    total: int
    used: int = 0
    reserved: int = 0

    @property
    def free(self) -> int:
        return self.total - self.used - self.reserved


@dataclass(frozen=True)
class HostCell:
    """A cell of the host with what is used of it."""

    id: int
    shared: frozenset[int]
    dedicated: frozenset[int]
    memory: int
    pages: tuple[Pages, ...] = ()
    """By size, ascending."""
    cores: tuple[frozenset[int], ...] = ()
    socket: int | None = None
    vcpus_used: int = 0
    memory_used: int = 0
    """Of pages of all sizes."""
    taken: frozenset[int] = frozenset()
    physnets: frozenset[str] = frozenset()
    tunneled: bool = False

    @property
    def free_cpus(self) -> frozenset[int]:
        return self.dedicated - self.taken

    @property
    def cpus(self) -> frozenset[int]:
        return frozenset[int]().union(*self.cores)

    @property
    def free_cores(self) -> list[list[int]]:
        """Free CPUs of each core, ascending, in the order of the cores."""
        return [sorted(core & self.free_cpus) for core in self.cores]

    @property
    def threads(self) -> int:
        """Siblings of the largest core, whoever may have them."""
        return max((len(core) for core in self.cores), default=0)


@dataclass(frozen=True)
class GuestCell:
    """vCPUs and memory of one guest cell."""

    shared: frozenset[int]
    dedicated: frozenset[int]
    memory: int


@dataclass(frozen=True)
class Guest:
    """What is asked for."""

    cells: tuple[GuestCell, ...]
    policy: str | None = None
    threads: str | None = None
    pages: int | None = None
    """Null, SMALL, LARGE, ANY or a size."""
    emulator: str | None = None

    @property
    def pins(self) -> bool:
        """Whether Nova would look for CPUs of its own."""
        return self.policy in ("dedicated", "mixed")

    @property
    def floats(self) -> bool:
        return self.policy != "dedicated"

    def renamed(self) -> Guest:
        """The same with the policy that its vCPUs amount to."""
        pinned = any(cell.dedicated for cell in self.cells)
        floating = any(cell.shared for cell in self.cells) or not pinned
        policy = {(False, True): "shared", (True, False): "dedicated"}.get((pinned, floating))
        return replace(self, policy=policy or "mixed")


@dataclass(frozen=True)
class Bounds:
    """Ratios for what is shared, and networks that the guest is on."""

    vcpus: float
    memory: float
    physnets: frozenset[str] = frozenset()
    tunneled: bool = False


def host_of(words: Words) -> tuple[HostCell, ...]:
    """The cells of a recorded host, in its order."""
    return tuple(_host_cell(it) for it in words["cells"])


def _host_cell(words: Words) -> HostCell:
    network = words.get("network") or {}
    return HostCell(
        id=words["id"],
        shared=frozenset(words["cpuset"]),
        dedicated=frozenset(words["pcpuset"]),
        memory=words["memory"],
        pages=tuple(sorted((_pages(it) for it in words["mempages"]), key=lambda it: it.size)),
        cores=tuple(frozenset(core) for core in words["siblings"]),
        socket=words["socket"],
        vcpus_used=words["cpu_usage"],
        memory_used=words["memory_usage"],
        taken=frozenset(words["pinned_cpus"]),
        physnets=frozenset(network.get("physnets", ())),
        tunneled=network.get("tunneled", False),
    )


def _pages(words: Words) -> Pages:
    return Pages(words["size_kb"], words["total"], words["used"], words["reserved"])


def guest_of(words: Words) -> Guest:
    """A recorded instance before it is placed: one policy and one size for all its cells."""
    first = words["cells"][0]
    return Guest(
        cells=tuple(_guest_cell(it) for it in words["cells"]),
        policy=first["cpu_policy"],
        threads=first["cpu_thread_policy"],
        pages=first["pagesize"] or None,
        emulator=words["emulator_threads_policy"],
    )


def _guest_cell(words: Words) -> GuestCell:
    return GuestCell(frozenset(words["cpuset"]), frozenset(words["pcpuset"]), words["memory"])


def bounds_of(words: Words | None) -> Bounds | None:
    """Recorded limits."""
    if words is None:
        return None
    network = words.get("network") or {}
    return Bounds(
        words["cpu_allocation_ratio"],
        words["ram_allocation_ratio"],
        frozenset(network.get("physnets", ())),
        network.get("tunneled", False),
    )
