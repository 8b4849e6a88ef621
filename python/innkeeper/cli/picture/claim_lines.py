"""The claims below the picture: what each mark stands for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from innkeeper.cli.held import earlier, moving
from innkeeper.cli.picture.holders import Holders
from innkeeper.cli.picture.lines import Block, Line, in_columns, width_of
from innkeeper.cli.quantities import count, size, until
from innkeeper.objects import Claim, ClaimState, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec

_MOST_CLAIMS = 20


def claim_lines(holders: Holders, width: int, booted_at: datetime | None) -> Block:
    """One line a claim; many are counted."""
    claims = holders.claims
    if not claims:
        return []
    rows = [
        [Line.of("  ") + holders.mark(index), *_facts(claim, booted_at)]
        for index, claim in enumerate(claims[:_MOST_CLAIMS])
    ]
    more = len(claims) - _MOST_CLAIMS
    rest = [Line.of(f"  and {more} more; `innkeeper claims` lists them all")] if more > 0 else []
    return [Line.of(count(len(claims), "claim"), "strong"), *_table(rows, claims, width), *rest]


def _table(rows: Sequence[Sequence[Line]], claims: Sequence[Claim], width: int) -> Block:
    """With the ids where there is room for whole ones: a part of an id names nothing."""
    ids = [Line.of(str(claim.id), "dim") for claim in claims]
    whole = in_columns([[*row, one] for row, one in zip(rows, ids, strict=False)])
    return whole if width_of(whole) <= width else in_columns(rows)


def _facts(claim: Claim, booted_at: datetime | None) -> Sequence[Line]:
    placed = claim.placement
    return (
        Line.of(claim.name or str(claim.id)[:8], "strong"),
        Line.of(_vcpus(placed)),
        Line.of(size(memory) if (memory := placed.all_memory_mib) else ""),
        Line.of(f"{size(placed.disk_mib)} disk" if placed.disk_mib else ""),
        Line.of(count(len(placed.devices), "device") if placed.devices else ""),
        Line.of(" ".join(f"{name}={n}" for name, n in sorted(placed.counters.items()))),
        Line.of(f"{claim.holder.project}/{claim.holder.user}", "dim"),
        _state(claim, booted_at),
    )


def _vcpus(placed: Placement) -> str:
    every = count(placed.all_vcpus, "vCPU") if placed.all_vcpus else ""
    own = format_cpu_spec(cpu for cell in placed.cells for cpu in parse_cpu_spec(cell.charged))
    return f"{every}, CPUs {own} alone" if own else every


def _state(claim: Claim, booted_at: datetime | None) -> Line:
    if claim.process is not None:
        return Line.of(f"{claim.state} with pid {claim.process.pid}", "good")
    ends = f", lapses {until(claim.expires_at)}" if claim.expires_at else ""
    pending = claim.state is ClaimState.PENDING
    before = earlier(claim, booted_at)
    words = f"{claim.state}{moving(claim)}{before}{ends}"
    return Line.of(words, "odd" if pending or before else "good")
