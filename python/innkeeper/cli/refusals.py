"""Why something does not fit, told to people: every reason, its pools, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from innkeeper.cli.device_words import device_flag, device_name
from innkeeper.cli.quantities import count
from innkeeper.cli.tables import columns
from innkeeper.objects import Misfit, Request
from innkeeper.objects.request import PoolFiltered

_MOST_POOLS = 24
"""Lines of one reason; pools that are alike share one."""


def refusal_lines(reasons: Sequence[Misfit], nearest: Request | None) -> Iterator[str]:
    """Line by line, indented below the sentence that it does not fit."""
    for reason in reasons:
        yield from _reason(reason)
    yield from _nearest(nearest)


def _reason(reason: Misfit) -> Iterator[str]:
    # Two requests may ask for the same kind: then their positions tell which is meant.
    which = "" if reason.request is None else f" (device request {reason.request + 1})"
    yield f"  {reason.resource}{which}: {reason.message}"
    if reason.pools:
        yield from (f"    {line}" for line in _pools(reason.pools))
    for step in reason.filters:
        yield f"    {step.filter}: removed {step.removed}, left {step.left}"


# -- pools ---------------------------------------------------------------------------------------


def _pools(pools: Sequence[PoolFiltered]) -> Iterator[str]:
    alike: dict[tuple[object, ...], list[PoolFiltered]] = {}
    for pool in pools:
        alike.setdefault(_likeness(pool), []).append(pool)
    rows = [_row(group) for group in list(alike.values())[:_MOST_POOLS]]
    head = ("POOL", "KIND", "CELL", "PARENT", "DEVICES", "REMOVED", "LEFT")
    yield from columns(head, rows).splitlines()
    left_out = sum(map(len, list(alike.values())[_MOST_POOLS:]))
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


# -- what would fit ------------------------------------------------------------------------------


def _nearest(nearest: Request | None) -> Iterator[str]:
    flags = list(request_flags(nearest)) if nearest else []
    if nearest is None or nearest == Request(cells=nearest.cells):
        yield "  nothing of this kind would fit now"
        return
    unsaid = [one for one in nearest.devices if device_flag(one) is None]
    yield f"  would fit now: {' '.join(flags)}".rstrip()
    for one in unsaid:
        yield f"    and {one.count} of {device_name(one)}, as the spec says it"


def request_flags(request: Request) -> Iterator[str]:
    """A request in the words of the command line; devices that it has no words for are left out."""
    if request.vcpus:
        yield f"--vcpus {request.vcpus}"
    if request.memory_mib:
        yield f"--memory {request.memory_mib}MiB"
    if request.disk_mib:
        yield f"--disk {request.disk_mib}MiB"
    yield from filter(None, map(device_flag, request.devices))
    if request.cells is not None:
        yield f"--cells {','.join(map(str, request.cells))}"
    for name, number in request.counters.items():
        yield f"--counter {name}={number}"
