"""Bars: how much of each amount is held, and by which claim."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from innkeeper.api.views import HostView
from innkeeper.cli.picture.holders import Holders, style_of
from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.picture.lines import Block, Line, in_columns
from innkeeper.cli.quantities import page_size, size
from innkeeper.objects import Amounts, Placement, Pool, Usage
from innkeeper.objects.cpu_spec import parse_cpu_spec

_LEAST_LENGTH, _MOST_LENGTH = 10, 48
_GAP = 2


@dataclass(frozen=True, slots=True)
class _Bar:
    name: str
    used: int
    capacity: int
    shares: Sequence[int]
    """Of each claim, by its index; their sum may be less than what is used."""
    words: str
    over: str = ""
    """What is wrong."""


def usage_bars(view: HostView, holders: Holders, ink: Ink, width: int) -> Block:
    """A bar for each amount that is shared out, for the devices of each kind, and for pages."""
    bars = [*_amount_bars(view, holders), *_device_bars(view, holders), *_page_bars(view, holders)]
    beside = max(len(bar.name) for bar in bars) + max(len(bar.words + bar.over) for bar in bars)
    length = min(max(width - beside - 2 * _GAP, _LEAST_LENGTH), _MOST_LENGTH)
    return in_columns([_row(bar, holders, ink, length) for bar in bars], _GAP)


def _row(bar: _Bar, holders: Holders, ink: Ink, length: int) -> Sequence[Line]:
    words = Line.of(bar.words) + Line.of(bar.over, "bad")
    return Line.of(bar.name, "strong"), _drawn(bar, holders, ink, length), words


def _drawn(bar: _Bar, holders: Holders, ink: Ink, length: int) -> Line:
    """The claims' shares one after another, then what is used by nobody we know, then what is free."""
    whole = max(bar.capacity, bar.used)
    line, at, sum_of_shares = Line(), 0, 0
    for index, share in enumerate(bar.shares):
        sum_of_shares += share
        end = _place(sum_of_shares, whole, length)
        line += Line.of((ink.held or holders.letter(index)) * (end - at), style_of(index))
        at = end
    end = max(_place(bar.used, whole, length), at)
    busy = Line.of(ink.busy * (end - at), "busy")
    return line + busy + Line.of(ink.empty * (length - end), "dim")


def _place(amount: int, whole: int, length: int) -> int:
    """Where an amount ends; whatever is held can be seen, and whatever is free, too."""
    if amount == 0 or amount == whole:
        return length if amount else 0
    return min(max(round(amount * length / whole), 1), length - 1)


def _amount_bars(view: HostView, holders: Holders) -> Iterator[_Bar]:
    usage = view.usage
    yield _amount_bar("vCPUs", usage.vcpus, str, holders, lambda placed: placed.vcpus)
    if any(cell.dedicated_cpus.total for cell in usage.cells):
        yield _amount_bar("own CPUs", _dedicated(usage), str, holders, own_cpus)
    yield _amount_bar("memory", usage.memory_mib, size, holders, lambda placed: placed.memory_mib)
    if usage.disk_mib.total:
        yield _amount_bar("disk", usage.disk_mib, size, holders, lambda placed: placed.disk_mib)
    for name, amounts in sorted(usage.counters.items()):
        yield _amount_bar(name, amounts, str, holders, _counted(name))


def own_cpus(placed: Placement) -> int:
    """CPUs that nobody else runs on."""
    return sum(len(parse_cpu_spec(cell.charged)) for cell in placed.cells)


def _dedicated(usage: Usage) -> Amounts:
    """Of all cells together."""
    cells = [cell.dedicated_cpus for cell in usage.cells]
    names = ("total", "reserved", "capacity", "used", "free")
    return Amounts(**{name: sum(getattr(one, name) for one in cells) for name in names})


def _counted(name: str) -> Callable[[Placement], int]:
    return lambda placed: placed.counters.get(name, 0)


def _amount_bar(
    name: str,
    amounts: Amounts,
    text: Callable[[int], str],
    holders: Holders,
    share: Callable[[Placement], int],
) -> _Bar:
    words = f"{text(amounts.used)} of {text(amounts.capacity)} held"
    if amounts.used <= amounts.capacity:
        words += f", {text(amounts.free)} free"
    if amounts.reserved:
        words += f"; {text(amounts.reserved)} reserved"
    too_much = amounts.used - amounts.capacity
    over = f", {text(too_much)} too much" if too_much > 0 else ""
    return _Bar(name, amounts.used, amounts.capacity, holders.shares(share), words, over)


def _device_bars(view: HostView, holders: Holders) -> Iterator[_Bar]:
    """Pools of the same product and kind together; the boxes show them by cell."""
    kinds: dict[tuple[str, str, str], list[Pool]] = {}
    for pool in view.pools:
        kinds.setdefault((pool.vendor_id, pool.product_id, pool.kind), []).append(pool)
    for (vendor, product, kind), pools in kinds.items():
        used, total, free, withheld = (
            sum(getattr(pool, name) for pool in pools)
            for name in ("used", "total", "free", "withheld")
        )
        barred = max(total - used - free - withheld, 0)
        words = f"{used} of {total} held, {free} free"
        words += f"; {barred} barred" if barred else ""
        words += f"; {withheld} withheld" if withheld else ""
        kinds_held = _held_of(vendor, product, kind, view)
        yield _Bar(f"{vendor}:{product} {kind}", used, total, holders.shares(kinds_held), words)


def _held_of(vendor: str, product: str, kind: str, view: HostView) -> Callable[[Placement], int]:
    addresses = {
        device.address
        for device in view.inventory.devices
        if (device.vendor_id, device.product_id, device.kind) == (vendor, product, kind)
    }
    return lambda placed: sum(device.address in addresses for device in placed.devices)


def _page_bars(view: HostView, holders: Holders) -> Iterator[_Bar]:
    """Preallocated hugepages: what claims hold, beside what the kernel says is in use."""
    for pages in view.host.pages:
        if pages.total:
            booked = _pages_of_all_cells(view.usage, pages.size_kib)
            name, in_use = f"{page_size(pages.size_kib)} pages", pages.total - pages.free
            bar = _amount_bar(name, booked, str, holders, _held_pages(pages.size_kib))
            yield replace(bar, words=f"{bar.words}; {in_use} in use")


def _pages_of_all_cells(usage: Usage, size_kib: int) -> Amounts:
    alike = [one for cell in usage.cells for one in cell.pages if one.size_kib == size_kib]
    total, reserved, used, free = (
        sum(getattr(one, name) for one in alike) for name in ("total", "reserved", "used", "free")
    )
    return Amounts(
        total=total, reserved=reserved, capacity=max(total - reserved, 0), used=used, free=free
    )


def _held_pages(size_kib: int) -> Callable[[Placement], int]:
    return lambda placed: sum(one.pages for one in placed.cells if one.page_kib == size_kib)
