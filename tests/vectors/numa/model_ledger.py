"""A ledger whose cells are given out by the slow model with all corrections.

It reads and writes innkeeper's own objects, so that it can stand where the core stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.vectors.numa.corrections import ALL
from tests.vectors.numa.model_fit import Search
from tests.vectors.numa.model_host import Bounds, Guest, GuestCell, HostCell, Pages
from tests.vectors.numa.placing import cells_of, cpus_in, placement_of

from innkeeper.errors import NoFit
from innkeeper.objects import Inventory, InventoryCell, PlacedCell, Placement, Request
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.topology import GuestTopology, Networks

UNLIMITED = 1e15
PAGE_WANTS = {"small": -1, "large": -2, "any": -3}
DEV_TYPES = {"pci": "type-PCI", "pf": "type-PF", "vf": "type-VF", "vdpa": "vdpa"}


@dataclass(frozen=True)
class PagesUsage:
    """Pages of one size of a cell."""

    size_kib: int
    total: int
    reserved: int
    used: int
    free: int


@dataclass(frozen=True)
class CellUsage:
    """What is in use of a cell."""

    cell: int
    shared_vcpus: int
    memory_mib: int
    charged: str
    pages: list[PagesUsage]


@dataclass(frozen=True)
class Usage:
    """What is in use of the host, as far as the model knows."""

    cells: list[CellUsage]


class ModelLedger:
    """Bookings by claim; what is in use is summed anew for each question."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory
        self.bookings: dict[str, Placement] = {}

    def restore(self, bookings: Iterable[tuple[str, Placement]]) -> None:
        self.bookings |= dict(bookings)

    def unbook(self, claim_id: str) -> bool:
        return self.bookings.pop(claim_id, None) is not None

    def book(self, claim_id: str, request: Request) -> Placement:
        """Hold what `fit` answers."""
        self.bookings[claim_id] = self.fit(request)
        return self.bookings[claim_id]

    def fit(self, request: Request) -> Placement:
        """The first selection.

        Raises:
            NoFit: there is none.
        """
        assert request.topology
        guest, host = guest_of(request.topology), self.host()
        search = Search(host, guest, self._bounds(request), self._pci(request), ALL)
        placed = search.first(self.inventory.cell_order)
        if placed is None:
            raise NoFit("no selection of cells fits")
        return placement_of(host, cells_of(host, guest, placed))

    def usage(self) -> Usage:
        """What is in use of each cell."""
        return Usage([_usage(it) for it in self.host()])

    def host(self) -> tuple[HostCell, ...]:
        """The cells with what the bookings use of them."""
        placed = [it for booking in self.bookings.values() for it in booking.cells]
        taken = frozenset(cpu for it in placed for cpu in cpus_in(it.charged))
        return tuple(
            _host_cell(cell, [it for it in placed if it.cell == cell.id], taken)
            for cell in self.inventory.cells
        )

    def _bounds(self, request: Request) -> Bounds:
        limits, near = request.limits, request.networks or Networks()
        vcpus = self.inventory.vcpus.allocation_ratio
        memory = self.inventory.memory_mib.allocation_ratio
        if limits is not None:
            vcpus, memory = limits.vcpus or UNLIMITED, limits.memory or UNLIMITED
        return Bounds(vcpus, memory, frozenset(near.physnets), near.tunneled)

    def _pci(self, request: Request) -> Mapping[str, Any]:
        held = {it.address for one in self.bookings.values() for it in one.devices}
        pools = [
            {
                "vendor_id": it.vendor_id,
                "product_id": it.product_id,
                "dev_type": DEV_TYPES[it.kind],
                "numa_node": it.cell,
                "count": 1,
            }
            for it in self.inventory.devices
            if it.address not in held
        ]
        return {"pools": pools, "requests": list(_requests(request))}


def _requests(request: Request) -> Iterator[Mapping[str, Any]]:
    for it in request.devices:
        yield {"spec": it.alternatives, "count": it.count, "numa_policy": it.numa_policy}


def _host_cell(
    cell: InventoryCell, placed: Sequence[PlacedCell], taken: frozenset[int]
) -> HostCell:
    cores = tuple(cpus_in(core) for core in cell.cores)
    return HostCell(
        id=cell.id,
        shared=cpus_in(cell.shared),
        dedicated=cpus_in(cell.dedicated),
        memory=cell.memory_mib,
        pages=tuple(
            Pages(
                it.size_kib,
                it.total,
                sum(one.pages for one in placed if one.page_kib == it.size_kib),
                it.reserved,
            )
            for it in cell.pages
        ),
        cores=cores,
        socket=cell.socket,
        vcpus_used=sum(len(cpus_in(it.shared)) for it in placed),
        memory_used=sum(it.memory_mib for it in placed),
        taken=taken.intersection(frozenset[int]().union(*cores)),
        physnets=frozenset(cell.networks.physnets if cell.networks else ()),
        tunneled=bool(cell.networks and cell.networks.tunneled),
    )


def _usage(cell: HostCell) -> CellUsage:
    pages = [
        PagesUsage(it.size, it.total, it.reserved, it.used, max(it.free, 0)) for it in cell.pages
    ]
    return CellUsage(cell.id, cell.vcpus_used, cell.memory_used, format_cpu_spec(cell.taken), pages)


def guest_of(topology: GuestTopology) -> Guest:
    """What is asked for, with the policy that its vCPUs amount to."""
    cells = tuple(
        GuestCell(cpus_in(it.shared), cpus_in(it.dedicated), it.memory_mib) for it in topology.cells
    )
    pages = topology.pages
    return Guest(
        cells=cells,
        threads=topology.threads,
        pages=PAGE_WANTS[pages] if isinstance(pages, str) else pages,
        emulator=topology.emulator_threads,
    ).renamed()
