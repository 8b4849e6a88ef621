"""Every rule that a placement of guest cells breaks, in words.

Written from the rules alone: it looks at what was given, and searches nothing. It knows what each
guest cell may hold, not which of several right placements comes first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from innkeeper.objects import (
    GuestCell,
    Inventory,
    InventoryCell,
    InventoryPages,
    PlacedCell,
    Placement,
    Request,
)
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.objects.topology import EmulatorThreads, GuestTopology, L3Policy, ThreadPolicy

Broken = Iterator[str]


def cpus(text: str) -> frozenset[int]:
    """The CPUs of a list; none of the empty one."""
    return parse_cpu_spec(text) if text else frozenset()


def broken_rules(
    inventory: Inventory, request: Request, before: Sequence[Placement], placement: Placement
) -> list[str]:
    """What is wrong with a placement on a host that held these placements before."""
    assert request.topology
    return list(_broken(inventory, request, before, placement))


def _broken(
    inventory: Inventory, request: Request, before: Sequence[Placement], placement: Placement
) -> Broken:
    topology, placed = _topology(request), placement.cells
    hosts = {cell.id: cell for cell in inventory.cells}
    if len(placed) != len(topology.cells):
        yield f"{len(topology.cells)} guest cells, {len(placed)} are placed"
        return
    if len({it.cell for it in placed}) < len(placed):
        yield "two guest cells are on one host cell"
    for number, (guest, it) in enumerate(zip(topology.cells, placed, strict=True)):
        if it.cell not in hosts:
            yield f"guest cell {number}: the host has no cell {it.cell}"
            continue
        held = [one for other in before for one in other.cells if one.cell == it.cell]
        one = _Pair(inventory, request, number, guest, it, hosts[it.cell], held)
        yield from (f"guest cell {number} on {it.cell}: {what}" for what in one.broken())
    yield from _broken_sums(inventory, placement)


def _topology(request: Request) -> GuestTopology:
    assert request.topology
    return request.topology


def _broken_sums(inventory: Inventory, placement: Placement) -> Broken:
    smallest = {it.id: it.pages[0].size_kib if it.pages else None for it in inventory.cells}
    ordinary = [it for it in placement.cells if it.page_kib == smallest.get(it.cell)]
    if placement.vcpus != sum(len(cpus(it.shared)) for it in placement.cells):
        yield f"{placement.vcpus} vCPUs float, other than the cells say"
    if placement.memory_mib != sum(it.memory_mib for it in ordinary):
        yield f"{placement.memory_mib} MiB of ordinary memory, other than the cells say"
    allowed = [cpus(it.cpus) | cpus(it.emulator) | set(it.pins.values()) for it in placement.cells]
    if cpus(placement.cpus) != frozenset[int]().union(*allowed):
        yield f"it may run on {placement.cpus}, other than the cells say"


@dataclass
class _Pair:
    """One guest cell where it was placed."""

    inventory: Inventory
    request: Request
    number: int
    guest: GuestCell
    placed: PlacedCell
    host: InventoryCell
    held: Sequence[PlacedCell]
    """What was held of the host cell before."""

    def __post_init__(self) -> None:
        self.topology = _topology(self.request)
        self.pins = frozenset(self.placed.pins.values())
        self.charged = cpus(self.placed.charged)
        self.emulator = cpus(self.placed.emulator)
        self.cores = [cpus(it) for it in self.host.cores]
        taken = frozenset[int]().union(*(cpus(it.charged) for it in self.held))
        self.free = cpus(self.host.dedicated) - taken
        self.is_whole = self.topology.threads in (ThreadPolicy.ISOLATE, ThreadPolicy.FULL_CORES)

    def broken(self) -> Broken:
        if self.host.cordoned is not None:
            yield "the host cell is cordoned"
        yield from self._floating()
        yield from self._pinned()
        yield from self._charged()
        yield from self._threads()
        yield from self._memory()

    # CPUs

    def _floating(self) -> Broken:
        wanted, here = cpus(self.guest.shared), cpus(self.host.shared)
        if cpus(self.placed.shared) != wanted:
            yield f"vCPUs {self.placed.shared} float instead of {self.guest.shared}"
        if cpus(self.placed.cpus) != (here if wanted else frozenset()):
            yield f"they float over {self.placed.cpus} instead of {self.host.shared}"
        if len(wanted) > len(here):
            yield f"{len(wanted)} vCPUs over {len(here)} CPUs overcommit against themselves"
        used = sum(len(cpus(it.shared)) for it in self.held)
        ratio = self._ratio("vcpus")
        if wanted and ratio is not None and used + len(wanted) > len(here) * ratio:
            yield f"{used} + {len(wanted)} vCPUs are more than {len(here)} CPUs x {ratio}"

    def _pinned(self) -> Broken:
        if frozenset(self.placed.pins) != cpus(self.guest.dedicated):
            yield f"vCPUs {sorted(self.placed.pins)} are pinned, not {self.guest.dedicated}"
        if len(self.pins) < len(self.placed.pins):
            yield "two vCPUs are pinned to one CPU"
        if len(self.emulator) != int(self._has_emulator()):
            yield f"the emulator has CPUs {sorted(self.emulator)}"
        if self.emulator & self.pins:
            yield "the emulator is on a vCPU's CPU"
        ordered = [cpu for _, cpu in sorted(self.placed.pins.items())]
        if ordered != sorted(ordered, key=lambda cpu: (self._core_of(cpu), cpu)):
            yield f"vCPUs in order are on {ordered}, not in the order of the cores"

    def _core_of(self, cpu: int) -> int:
        return next((n for n, core in enumerate(self.cores) if cpu in core), len(self.cores))

    def _has_emulator(self) -> bool:
        first = next((n for n, it in enumerate(self.topology.cells) if it.dedicated), None)
        return self.topology.emulator_threads == EmulatorThreads.ISOLATE and self.number == first

    def _charged(self) -> Broken:
        alone = self.pins | self.emulator
        if self.is_whole:
            alone = alone.union(*(core for core in self.cores if core & alone))
        if self.charged != alone:
            yield f"charged {sorted(self.charged)} instead of {sorted(alone)}"
        if not self.charged <= self.free:
            yield f"{sorted(self.charged - self.free)} are not free"

    def _threads(self) -> Broken:
        widest = max((len(core) for core in self.cores), default=0)
        counts = sorted(n for n in (len(core & self.pins) for core in self.cores) if n)
        policy = self.topology.threads
        if policy is ThreadPolicy.REQUIRE and self.pins:
            yield from self._siblings_together(counts)
        if policy is ThreadPolicy.ISOLATE and set(counts) - {1}:
            yield f"{counts} vCPUs on the cores, not one on each"
        if policy is ThreadPolicy.FULL_CORES and set(counts) - {widest}:
            yield f"{counts} vCPUs on the cores, not {widest} on each"
        emulated = [core for core in self.cores if core & self.emulator]
        if self.is_whole and any(core & self.pins for core in emulated):
            yield "the emulator shares a core with a vCPU"
        if self.is_whole and any(
            len(core & self.charged) not in (0, widest) for core in self.cores
        ):
            yield "a core was taken that is not whole"
        groups = [cpus(it) for it in self.host.l3_groups] or [self.pins]
        if self.topology.l3 is L3Policy.REQUIRE and not any(self.pins <= it for it in groups):
            yield "the vCPUs are on several L3 caches"

    def _siblings_together(self, counts: Sequence[int]) -> Broken:
        """Of a core as many threads as of the others, but for the last."""
        touched = [core for core in self.cores if core & self.pins]
        if any(len(core & self.free) < 2 for core in touched):
            yield "a core was taken that had no two free threads"
        full = Counter(counts)[counts[-1]]
        if len(counts) > 1 and (counts[-1] < 2 or full < len(counts) - 1):
            yield f"{counts} vCPUs on the cores are not siblings together"

    # Memory

    def _memory(self) -> Broken:
        sizes = {it.size_kib: it for it in self.host.pages}
        if self.placed.memory_mib != self.guest.memory_mib:
            yield f"{self.placed.memory_mib} MiB instead of {self.guest.memory_mib}"
        if self.placed.page_kib is None:
            yield from self._unlisted()
        elif self.placed.page_kib not in sizes:
            yield f"the host cell has no pages of {self.placed.page_kib} KiB"
        else:
            yield from self._size()
            yield from self._pages(sizes[self.placed.page_kib])

    def _unlisted(self) -> Broken:
        """Memory of a cell that lists no pages."""
        if self.host.pages or self.placed.pages or self.topology.pages is not None:
            yield "pages of no size"
        used = sum(it.memory_mib for it in self.held)
        yield from self._room(used, self.placed.memory_mib, self.host.memory_mib, "MiB")

    def _size(self) -> Broken:
        sizes = [it.size_kib for it in self.host.pages]
        right = {"small": sizes[:1], "large": sizes[1:], "any": sizes, None: sizes[:1]}
        wanted = self.topology.pages
        allowed = [wanted] if isinstance(wanted, int) else right[wanted]
        if self.placed.page_kib not in allowed:
            yield f"pages of {self.placed.page_kib} KiB for {wanted}"

    def _pages(self, pages: InventoryPages) -> Broken:
        if self.placed.pages * pages.size_kib != self.guest.memory_mib * 1024:
            yield f"{self.placed.pages} pages of {pages.size_kib} KiB"
        used = sum(it.pages for it in self.held if it.page_kib == pages.size_kib)
        yield from self._room(used, self.placed.pages, pages.total - pages.reserved, "pages")

    def _room(self, used: int, asked: int, total: int, unit: str) -> Broken:
        """Only ordinary memory of an instance without dedicated vCPUs is overcommitted."""
        exact = self.topology.pages is not None or self._is_pinned()
        ratio = 1.0 if exact else self._ratio("memory")
        if asked > max(total, 0):
            yield f"{asked} {unit} of {total}"
        if ratio is not None and used + asked > max(total, 0) * ratio:
            yield f"{used} + {asked} {unit} are more than {total} x {ratio}"

    def _is_pinned(self) -> bool:
        return any(it.dedicated for it in self.topology.cells)

    def _ratio(self, name: str) -> float | None:
        """Null is unlimited."""
        if self.request.limits is not None:
            limits = self.request.limits
            return limits.vcpus if name == "vcpus" else limits.memory
        quantity = self.inventory.vcpus if name == "vcpus" else self.inventory.memory_mib
        return quantity.allocation_ratio
