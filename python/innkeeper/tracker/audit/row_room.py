"""Whether a placement that a row tells of could be booked beside the claims that are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from innkeeper.objects import Inventory, InventoryCell, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.topology import GuestTopology, PlacedCell
from innkeeper.requests.strangers import Use, cpus_of
from innkeeper.tracker.convert import usage_object
from innkeeper.tracker.parts import Parts


def why_no_room(
    parts: Parts, placement: Placement, topology: GuestTopology | None, own: Use | None
) -> Iterator[str]:
    """A sentence for each thing that is held already, or not on the host.

    `own` is what the hypervisor says that the instance uses, which is kept for it already.
    """
    yield from _of_amounts(parts, placement, own)
    yield from _of_cells(placement, parts.inventory)
    yield from _of_cpus(parts, placement)
    # Memory of a guest with neither a size of pages nor CPUs of its own may be overcommitted.
    if topology is not None and (topology.pages or any(cell.pins for cell in placement.cells)):
        yield from _of_pages(parts, placement)


def _of_amounts(parts: Parts, placement: Placement, own: Use | None) -> Iterator[str]:
    usage = usage_object(parts.ledger.usage())
    kept_vcpus, kept_mib = (0, 0) if own is None else (own.vcpus, own.memory_mib)
    for what, wanted, amounts, kept in (
        ("vCPUs", placement.vcpus, usage.vcpus, kept_vcpus),
        ("MiB of memory", placement.memory_mib, usage.memory_mib, kept_mib),
        ("MiB of disk", placement.disk_mib, usage.disk_mib, 0),
    ):
        free = amounts.capacity - amounts.used + kept
        if wanted > max(free, 0):
            yield f"it has {wanted} {what}, and {max(free, 0)} are free: release claims first"


def _of_cells(placement: Placement, inventory: Inventory) -> Iterator[str]:
    known = {cell.id: cell for cell in inventory.cells}
    for number, count in Counter(cell.cell for cell in placement.cells).items():
        if number not in known:
            yield f"the host has no cell {number}"
        elif count > 1:
            yield f"{count} of its cells are on cell {number}: each is on one of its own"
    for cell in placement.cells:
        if cell.cell in known:
            yield from _of_cell(cell, known[cell.cell])


def _of_cell(cell: PlacedCell, host: InventoryCell) -> Iterator[str]:
    own = frozenset(cell.pins.values()) | parse_cpu_spec(cell.emulator)
    strange = own - parse_cpu_spec(host.dedicated)
    if strange:
        yield f"CPUs {format_cpu_spec(strange)} are none of the dedicated CPUs of cell {host.id}"
    if len(set(cell.pins.values())) != len(cell.pins):
        yield f"two of its vCPUs are on one CPU of cell {host.id}"
    if cell.shared and not host.shared:
        yield f"cell {host.id} has no shared CPUs"
    if host.pages and cell.page_kib not in {pages.size_kib for pages in host.pages}:
        size = "a size that is not chosen" if cell.page_kib is None else f"{cell.page_kib} KiB"
        yield f"cell {host.id} has no pages of {size}"


def _of_cpus(parts: Parts, placement: Placement) -> Iterator[str]:
    wanted = cpus_of(placement)
    if not wanted:
        return
    for claim in parts.register:
        if both := wanted & cpus_of(claim.placement):
            yield f"CPUs {format_cpu_spec(both)} are held by claim {claim.id}"


def _of_pages(parts: Parts, placement: Placement) -> Iterator[str]:
    wanted: Counter[tuple[int, int]] = Counter()
    for cell in placement.cells:
        if cell.page_kib is not None:
            wanted[cell.cell, cell.page_kib] += cell.pages
    for cell_usage in usage_object(parts.ledger.usage()).cells:
        for pages in cell_usage.pages:
            count = wanted[cell_usage.cell, pages.size_kib]
            left = max(pages.total - pages.used, 0)
            if count > left:
                yield (
                    f"it has {count} pages of {pages.size_kib} KiB on cell {cell_usage.cell}, and claims "
                    f"leave {left}"
                )
