"""What a placement holds of cells, pages and CPUs, and where its instance is going, in words."""

from __future__ import annotations

from datetime import datetime

from innkeeper.cli.quantities import page_size, size
from innkeeper.objects import Claim, PlacedCell, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec


def hugepage_cells(placement: Placement) -> tuple[PlacedCell, ...]:
    """Cells whose memory comes from hugepages.

    `Placement.memory_mib` is what comes from the host's smallest pages: where there is any, the least
    size in the cells is theirs.
    """
    sized = [cell for cell in placement.cells if cell.page_kib and cell.memory_mib]
    unsized = sum(cell.memory_mib for cell in placement.cells if not cell.page_kib)
    has_small = placement.memory_mib > unsized
    small = min((cell.page_kib or 0 for cell in sized), default=0) if has_small else 0
    return tuple(cell for cell in sized if cell.page_kib != small)


def pins_text(cell: PlacedCell) -> str:
    """`0:4 1:20`: each dedicated vCPU and its CPU."""
    return " ".join(f"{vcpu}:{cpu}" for vcpu, cpu in sorted(cell.pins.items()))


def pages_text(cell: PlacedCell) -> str:
    """`2 x 1 GiB`."""
    return f"{cell.pages} x {page_size(cell.page_kib or 0)}"


def cell_lines(placement: Placement) -> tuple[tuple[str, str], ...]:
    """A name and a line of text for each guest cell."""
    huge = hugepage_cells(placement)
    return tuple(
        (f"guest cell {number}", _cell_text(cell, pages_text(cell) if cell in huge else ""))
        for number, cell in enumerate(placement.cells)
    )


def _cell_text(cell: PlacedCell, pages: str) -> str:
    memory = size(cell.memory_mib) if cell.memory_mib else ""
    parts = (
        f"on cell {cell.cell}",
        f"{memory} in {pages}" if pages else memory,
        f"vCPUs {cell.shared} over CPUs {cell.cpus}" if cell.shared else "",
        f"vCPU:CPU {pins_text(cell)}" if cell.pins else "",
        f"emulator on CPU {cell.emulator}" if cell.emulator else "",
        _idle_text(cell),
    )
    return ", ".join(part for part in parts if part)


def _idle_text(cell: PlacedCell) -> str:
    busy = frozenset(cell.pins.values()) | parse_cpu_spec(cell.emulator)
    idle = format_cpu_spec(parse_cpu_spec(cell.charged) - busy)
    return f"CPUs {idle} kept idle" if idle else ""


def earlier(claim: Claim, booted_at: datetime | None) -> str:
    """What is said beside the state of a claim that nobody touched since the host started anew."""
    return " before boot" if claim.is_of_earlier_boot(booted_at) else ""


def moving(claim: Claim) -> str:
    """Where its instance is going, or comes from; empty when it stays."""
    move = claim.move
    if move is None or not move.state.open:
        return ""
    if move.source == move.destination:
        return ", resizing to" if move.is_arriving else ", resizing from"
    return f", from {move.source}" if move.is_arriving else f", to {move.destination}"
