"""Why something does not fit, told to people: every reason, its pools, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from innkeeper.cli.quantities import count
from innkeeper.cli.request_flags import request_flags, unsaid
from innkeeper.cli.short_of import what_is_short
from innkeeper.cli.tables import columns
from innkeeper.objects import CellMisfit, Misfit, Request
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.request import PoolFiltered

_MOST_LINES = 24
"""Lines of one reason; pools and cells that are alike share one."""

_IN_MEBIBYTES = ("insufficient_memory", "insufficient_pages", "unknown_page_size", "uneven_pages")


def refusal_lines(reasons: Sequence[Misfit], nearest: Request | None) -> Iterator[str]:
    """Line by line, indented below the sentence that it does not fit."""
    yield from reason_lines(reasons)
    yield from _nearest(nearest)


def reason_lines(reasons: Sequence[Misfit]) -> Iterator[str]:
    """The same where nobody looked for what would fit."""
    for reason in reasons:
        yield from _reason(reason)


def _reason(reason: Misfit) -> Iterator[str]:
    # Two requests may ask for the same kind: then their positions tell which is meant.
    which = "" if reason.request is None else f" (device request {reason.request + 1})"
    yield f"  {reason.resource}{which}: {reason.message}"
    if reason.pools:
        yield from (f"    {line}" for line in _pools(reason.pools))
    if reason.cells:
        yield from (f"    {line}" for line in _cells(reason.cells))
    for step in reason.filters:
        yield f"    {step.filter}: removed {step.removed}, left {step.left}"


# -- pools ---------------------------------------------------------------------------------------


def _pools(pools: Sequence[PoolFiltered]) -> Iterator[str]:
    alike: dict[tuple[object, ...], list[PoolFiltered]] = {}
    for pool in pools:
        alike.setdefault(_likeness(pool), []).append(pool)
    rows = [_row(group) for group in list(alike.values())[:_MOST_LINES]]
    head = ("POOL", "KIND", "CELL", "PARENT", "DEVICES", "REMOVED", "LEFT")
    yield from columns(head, rows).splitlines()
    left_out = sum(map(len, list(alike.values())[_MOST_LINES:]))
    if left_out:
        yield f"and {count(left_out, 'more pool')}; `innkeeper fit -o json` has them all"


def _likeness(pool: PoolFiltered) -> tuple[object, ...]:
    """All but the parent."""
    steps = tuple((step.filter, step.removed, step.left) for step in pool.filters)
    return pool.vendor_id, pool.product_id, pool.kind, pool.cell, pool.total, steps


def _row(alike: Sequence[PoolFiltered]) -> Sequence[str]:
    one, many = alike[0], len(alike)
    return (
        f"{one.vendor_id}:{one.product_id}",
        one.kind,
        "" if one.cell is None else str(one.cell),
        (one.parent or "") if many == 1 else f"{many} alike",
        str(one.total * many),
        ", ".join(f"{step.filter} {step.removed * many}" for step in one.filters),
        str(_left(one) * many),
    )


def _left(pool: PoolFiltered) -> int:
    return pool.filters[-1].left if pool.filters else pool.total


# -- guest cells -----------------------------------------------------------------------------------


def _cells(cells: Sequence[CellMisfit]) -> Iterator[str]:
    """Host cells on which the same is short by the same number share a line."""
    alike: dict[tuple[object, ...], list[CellMisfit]] = {}
    for cell in cells:
        alike.setdefault((cell.guest_cell, cell.code, cell.asked, cell.free), []).append(cell)
    rows = [_cell_row(group) for group in list(alike.values())[:_MOST_LINES]]
    head = ("GUEST CELL", "HOST CELLS", "SHORT OF", "ASKED", "FREE")
    yield from columns(head, rows).splitlines()
    left_out = sum(map(len, list(alike.values())[_MOST_LINES:]))
    if left_out:
        yield f"and {count(left_out, 'more cell')}; `innkeeper fit -o json` has them all"


def _cell_row(alike: Sequence[CellMisfit]) -> Sequence[str]:
    one = alike[0]
    hosts = format_cpu_spec(each.cell for each in alike)
    unit = " MiB" if one.code in _IN_MEBIBYTES else ""
    numbers = (f"{one.asked}{unit}", f"{one.free}{unit}") if one.asked else ("", "")
    return (str(one.guest_cell), hosts, what_is_short(one.code), *numbers)


# -- what would fit ------------------------------------------------------------------------------


def _nearest(nearest: Request | None) -> Iterator[str]:
    if nearest is None or not _asks(nearest):
        yield "  nothing of this kind would fit now"
        return
    yield f"  would fit now: {' '.join(request_flags(nearest))}".rstrip()
    for words in unsaid(nearest):
        yield f"    and {words}, as the spec says it"


def _asks(request: Request) -> bool:
    """Whether it asks for anything, beside saying where and within which limits."""
    amounts = (request.vcpus, request.memory_mib, request.disk_mib)
    return any(amounts) or bool(request.devices or request.counters)
