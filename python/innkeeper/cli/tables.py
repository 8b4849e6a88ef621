"""Answers as tables for people: plain columns, no frames, nothing cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from innkeeper.api.move_views import MoveView
from innkeeper.api.views import FitAnswer
from innkeeper.cli.held import (
    cell_lines,
    earlier,
    hugepage_cells,
    moving,
    pages_text,
    pins_text,
)
from innkeeper.cli.picture.lines import cells_of
from innkeeper.cli.quantities import ago, printable, size, until
from innkeeper.cli.short_of import what_runs_out
from innkeeper.objects import Claim, ClaimState, Event, Placement


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two blanks between; an empty cell is a dash."""
    table = [list(head), *([printable(cell) or "-" for cell in row] for row in rows)]
    widths = [max(map(cells_of, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(
            cell + " " * (width - cells_of(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


_WIDE = ["INSTANCE", "CPUS", "CELLS", "PINS", "PAGES", "COUNTERS", "REASON", "PROCESS"]


def claims_table(
    claims: Iterable[Claim], booted_at: datetime | None = None, *, wide: bool = False
) -> str:
    """One line a claim; those of an earlier boot are marked."""
    head = ["CLAIM", "STATE", "NAME", "VCPUS", "MEMORY", "DISK", "DEVICES", "HOLDER", "ENDS", "AGE"]
    wide_head = _WIDE if wide else []
    rows = [
        [*_claim_row(claim, booted_at), *(_wide_cells(claim) if wide else [])] for claim in claims
    ]
    return columns([*head, *wide_head], rows)


def _claim_row(claim: Claim, booted_at: datetime | None) -> list[str]:
    placed = claim.placement
    return [
        str(claim.id),
        f"{claim.state}{moving(claim)}{earlier(claim, booted_at)}",
        claim.name or "",
        str(placed.all_vcpus or ""),
        size(placed.all_memory_mib) if placed.all_memory_mib else "",
        size(placed.disk_mib) if placed.disk_mib else "",
        str(len(placed.devices) or ""),
        f"{claim.holder.project}/{claim.holder.user}",
        _ends(claim),
        ago(claim.created_at),
    ]


def _ends(claim: Claim) -> str:
    if claim.process is not None and claim.state.live:
        return f"with pid {claim.process.pid}"
    return until(claim.expires_at) if claim.expires_at and claim.state.live else ""


def _wide_cells(claim: Claim) -> list[str]:
    cells = claim.placement.cells
    return [
        str(claim.instance_uuid or ""),
        claim.placement.cpus,
        " ".join(str(cell.cell) for cell in cells),
        " ".join(filter(None, map(pins_text, cells))),
        ", ".join(map(pages_text, hugepage_cells(claim.placement))),
        " ".join(f"{name}={count}" for name, count in sorted(claim.placement.counters.items())),
        claim.holder.reason or "",
        str(claim.process.pid) if claim.process else "",
    ]


def moves_table(moves: Iterable[MoveView]) -> str:
    """One line a move."""
    head = ["MOVE", "KIND", "STATE", "INSTANCE", "FROM", "TO"]
    rows = [
        [str(one.id), one.kind, one.state, str(one.instance_uuid), one.source, one.destination]
        for one in moves
    ]
    return columns(head, rows)


def placement_table(placement: Placement) -> str:
    """What is held, one line each."""
    vcpus, memory = placement.all_vcpus, placement.all_memory_mib
    rows = [
        ("vCPUs", f"{vcpus} on CPUs {placement.cpus}" if vcpus else ""),
        ("memory", size(memory) if memory else ""),
        *cell_lines(placement),
        ("disk", size(placement.disk_mib) if placement.disk_mib else ""),
        *((name, str(count)) for name, count in sorted(placement.counters.items())),
        *(
            ("device", f"{one.address}  {one.vendor_id}:{one.product_id}{_cell(one.cell)}")
            for one in placement.devices
        ),
    ]
    return "\n".join(f"  {name:<8} {text}" for name, text in rows if text)


def fit_table(answer: FitAnswer) -> str:
    """Where it would be placed, and how often."""
    often = "at least once" if answer.count is None else f"{answer.count} times"
    times = "once" if answer.count == 1 else often
    return f"it fits, {times}\n{placement_table(answer.placement)}"


def count_table(answer: FitAnswer) -> str:
    """How many more of its kind, and what runs out then."""
    if answer.count is None:
        return "1 more; whether there is room for others was not decided within the search bound"
    if not answer.stopped_by:
        return f"{answer.count:,} more, and no end seen: counting stops there"
    first, *rest = answer.stopped_by
    lines = [f"{answer.count:,} more; then {what_runs_out(first)}: {first.message}"]
    lines += [f"  and {what_runs_out(one)}: {one.message}" for one in rest]
    return "\n".join(lines)


def _cell(cell: int | None) -> str:
    return "" if cell is None else f"  cell {cell}"


def claim_table(claim: Claim) -> str:
    """One claim: who, what, until when."""
    facts = [
        ("name", claim.name),
        ("instance", claim.instance_uuid),
        ("holder", f"{claim.holder.project}/{claim.holder.user}"),
        ("reason", claim.holder.reason),
        ("created", f"{claim.created_at:%Y-%m-%d %H:%M:%S} UTC, {ago(claim.created_at)} ago"),
        ("move", _move_in_words(claim)),
        ("ends", _end_in_words(claim)),
    ]
    lines = [f"  {name:<8} {printable(str(value))}" for name, value in facts if value]
    return "\n".join([f"claim {claim.id}  {claim.state}", *lines, placement_table(claim.placement)])


def _move_in_words(claim: Claim) -> str:
    move = claim.move
    if move is None:
        return ""
    return f"{move.kind} {move.id} from {move.source} to {move.destination}: {move.state}"


def _end_in_words(claim: Claim) -> str:
    if not claim.state.live:
        return ""
    if claim.process is not None:
        return f"with process {claim.process.pid}"
    if claim.expires_at is None:
        return "when it is released"
    condition = "renewed" if claim.state is ClaimState.CONFIRMED else "confirmed"
    return f"{claim.expires_at:%H:%M:%S} UTC, {until(claim.expires_at)}, unless {condition} before"


def events_table(events: Iterable[Event]) -> str:
    """One line a history entry."""
    head = ["SEQUENCE", "AT (UTC)", "EVENT", "CLAIM", "BY", "WHY", "DETAILS"]
    return columns(head, map(_event_row, events))


def event_line(event: Event) -> str:
    """One history entry alone, in columns as wide as most need."""
    sequence, at, kind, claim, *rest = (printable(cell) or "-" for cell in _event_row(event))
    return "  ".join([f"{sequence:>8}", at, f"{kind:<15}", f"{claim:<36}", *rest])


def _event_row(event: Event) -> list[str]:
    by, details = event.by, dict(event.details)
    why = (by.reason if by else None) or str(details.pop("reason", None) or "")
    return [
        str(event.sequence),
        f"{event.at:%Y-%m-%d %H:%M:%S}",
        event.kind,
        str(event.claim_id or ""),
        f"{by.project}/{by.user}" if by else "innkeeper",
        why,
        " ".join(f"{key}={_detail(value)}" for key, value in details.items()),
    ]


def _detail(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
