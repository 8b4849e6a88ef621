"""Bars: how much of each shared amount is held."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.tables import size
from innkeeper.objects import Amounts, Host, Usage

WIDTH = 30


def usage_bars(host: Host, usage: Usage, ink: Ink) -> Table:
    """One bar an amount that the host has: used, free, and what is held back."""
    table = Table.grid(padding=(0, 2))
    for name, amounts, show in _amounts(usage):
        table.add_row(name, _bar(amounts.used, amounts.capacity, ink), _words(amounts, show))
    for pages in host.pages:
        if pages.total:
            used = pages.total - pages.free
            name = f"pages {size(pages.size_kib // 1024) if pages.size_kib >= 1024 else pages.size_kib}"
            table.add_row(name, _bar(used, pages.total, ink), f"{used} of {pages.total} in use")
    return table


def _amounts(usage: Usage) -> Iterator[tuple[str, Amounts, str]]:
    yield "vCPUs", usage.vcpus, "count"
    yield "memory", usage.memory_mib, "size"
    if usage.disk_mib.total:
        yield "disk", usage.disk_mib, "size"
    if usage.devices.total:
        yield "devices", usage.devices, "count"
    for name, amounts in sorted(usage.counters.items()):
        yield name, amounts, "count"


def _bar(used: int, capacity: int, ink: Ink) -> Text:
    share = min(used / capacity, 1.0) if capacity else (1.0 if used else 0.0)
    filled = round(share * WIDTH)
    if used and not filled:
        filled = 1
    colour = "red" if used > capacity else "yellow" if share > 0.85 else "green"
    return Text.assemble((ink.full * filled, colour), (ink.empty * (WIDTH - filled), "dim"))


def _words(amounts: Amounts, show: str) -> str:
    text = size if show == "size" else str
    words = f"{text(amounts.used)} of {text(amounts.capacity)} used, {text(amounts.free)} free"
    if amounts.reserved:
        words += f" ({text(amounts.reserved)} reserved)"
    return words
