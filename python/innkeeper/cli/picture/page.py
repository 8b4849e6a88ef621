"""The whole page: headline, boxes, bars, devices, claims, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from innkeeper.api.views import HostView
from innkeeper.cli.picture.bars import usage_bars
from innkeeper.cli.picture.boxes import host_boxes
from innkeeper.cli.picture.ink import Ink, console_and_ink
from innkeeper.cli.tables import claims_table, columns, size
from innkeeper.objects import Claim, PciFunction, Pool

MOST_CLAIMS = 20
"""More are counted, not listed; `innkeeper claims` lists all."""


def show_host(view: HostView, claims: Sequence[Claim]) -> None:
    """Draw on stdout."""
    console, ink = console_and_ink()
    draw(console, ink, view, claims)


def draw(console: Console, ink: Ink, view: HostView, claims: Sequence[Claim]) -> None:
    """Draw on any console."""
    for part in _parts(ink, view, claims):
        console.print(part, soft_wrap=isinstance(part, Text))


def _parts(ink: Ink, view: HostView, claims: Sequence[Claim]) -> Iterator[RenderableType]:
    yield Text(_headline(view), style="bold")
    yield host_boxes(view.host, ink)
    yield Text(f"CPUs: {ink.legend}", style="dim")
    yield Text()
    yield usage_bars(view.host, view.usage, ink)
    yield from _section("Devices that may be claimed", _pool_lines(view.pools))
    yield from _section("PCI functions", _function_lines(view.host.functions))
    yield from _section(f"Claims ({len(claims)})", _claim_lines(claims))
    yield from _section("Could not be read", "\n".join(view.host.warnings))


def _section(title: str, body: str) -> Iterator[Text]:
    if body:
        yield Text()
        yield Text(title, style="bold")
        yield Text(body)


def _headline(view: HostView) -> str:
    host = view.host
    online = sum(cpu.online for cpu in host.cpus)
    sockets = len({cpu.socket for cpu in host.cpus if cpu.socket is not None}) or 1
    parts = [
        view.node,
        _count(online, "CPU"),
        _count(sockets, "socket"),
        _count(len(host.cells), "cell"),
        f"{size(host.memory_kib // 1024)} memory",
    ]
    if host.functions:
        parts.append(_count(len(host.functions), "PCI function"))
    return "   ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _pool_lines(pools: Sequence[Pool]) -> str:
    head = ["  ID", "KIND", "CELL", "USED", "FREE", "TOTAL"]
    rows = [
        [
            f"  {pool.vendor_id}:{pool.product_id}",
            pool.kind,
            "" if pool.cell is None else str(pool.cell),
            str(pool.used),
            str(pool.free),
            str(pool.total),
        ]
        for pool in pools
    ]
    return columns(head, rows) if rows else ""


def _function_lines(functions: Sequence[PciFunction]) -> str:
    """How many of each product there are, and which the host itself needs."""
    counts: dict[tuple[str, str], int] = {}
    for one in functions:
        key = (f"{one.vendor_id}:{one.product_id}", one.kind)
        counts[key] = counts.get(key, 0) + 1
    summary = ", ".join(f"{n} x {ids} ({kind})" for (ids, kind), n in sorted(counts.items()))
    used = [
        f"  {one.address} in use by host: {one.used_by_host}"
        for one in functions
        if one.used_by_host
    ]
    return "\n".join([f"  {summary}", *used[:10]]) if functions else ""


def _claim_lines(claims: Sequence[Claim]) -> str:
    if not claims:
        return ""
    table = "\n".join(f"  {line}" for line in claims_table(claims[:MOST_CLAIMS]).splitlines())
    more = len(claims) - MOST_CLAIMS
    return f"{table}\n  and {more} more" if more > 0 else table
