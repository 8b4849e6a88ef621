"""The whole page: headline, boxes, bars, what else there is, claims, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from innkeeper.api.cordon_words import cordoned_words
from innkeeper.api.views import HostView
from innkeeper.cli.picture.bars import usage_bars
from innkeeper.cli.picture.cells import pool_lines, withheld_sign
from innkeeper.cli.picture.claim_lines import claim_lines
from innkeeper.cli.picture.holders import Holders
from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.picture.lines import Line, joined, text_of
from innkeeper.cli.picture.places import (
    cordoned_cpus_of,
    cpus_elsewhere,
    dedicated_cpus_of,
    devices_elsewhere,
    kept_cpus_of,
)
from innkeeper.cli.picture.sockets import is_numbered, socket_boxes
from innkeeper.cli.quantities import count, size
from innkeeper.objects import Claim, CordonKind, Host
from innkeeper.objects.cpu_spec import format_cpu_spec

_MOST_LISTED = 8
"""Of devices in use, and of warnings; more are counted."""


def picture(view: HostView, claims: Sequence[Claim], ink: Ink, width: int) -> str:
    """The host with everything that is held on it, as text for a screen of this width."""
    holders = Holders.of(claims, view.inventory.devices)
    blocks = [
        [_headline(view, ink)],
        [*socket_boxes(view, holders, ink, width), *_beside_the_boxes(view, holders, ink)],
        usage_bars(view, holders, ink, width),
        list(_functions(view)),
        list(_cordons(view)),
        claim_lines(holders, width, view.booted_at),
        list(_warnings(view.host)),
    ]
    page = [line for block in blocks if block for line in (*block, Line())]
    return text_of(page[:-1], ink)


def _headline(view: HostView, ink: Ink) -> Line:
    host = view.host
    sockets = len({cpu.socket for cpu in host.cpus if cpu.socket is not None})
    facts = [
        count(sum(cpu.online for cpu in host.cpus), "CPU"),
        *([count(sockets, "socket")] if sockets else []),
        count(len(host.cells), "cell"),
        f"{size(host.memory_kib // 1024)} memory",
        *([count(len(host.functions), "PCI function")] if host.functions else []),
    ]
    between = f" {ink.between} " if ink.colours else ", "
    mark = Line.of("   cordoned", "bad") if view.inventory.cordoned else Line()
    return Line.of(view.node, "strong") + Line.of("   ") + Line.of(between.join(facts)) + mark


def _beside_the_boxes(view: HostView, holders: Holders, ink: Ink) -> Iterator[Line]:
    """What is in no cell, and what the signs mean."""
    if elsewhere := cpus_elsewhere(view.host):
        yield Line.of(f"in no cell, offline: CPUs {format_cpu_spec(elsewhere)}", "dim")
    if is_numbered(view):
        for line in pool_lines(devices_elsewhere(view), holders, ink):
            yield line + Line.of("  in no cell", "dim")
    if signs := list(_signs(view, holders, ink)):
        yield joined(signs, "   ")


def _signs(view: HostView, holders: Holders, ink: Ink) -> Iterator[Line]:
    """Only those that occur."""
    cpus, devices, numbered = view.host.cpus, view.inventory.devices, is_numbered(view)
    if not numbered:
        yield Line.of(ink.core, "good") + Line.of(" core", "dim")
    elif any(len(cpu.siblings) > 1 for cpu in cpus):
        yield Line.of(f"{ink.between} ties the CPUs of one core", "dim")
    dedicated = dedicated_cpus_of(view)
    if any(cpu.id in holders.by_cpu for cpu in cpus):
        yield Line.of("a-Z the claim that holds it alone", "dim")
    if any(cpu.id in dedicated and cpu.id not in holders.by_cpu for cpu in cpus):
        yield Line.of(f"{ink.free_cpu} dedicated CPU that is free", "dim")
    if kept_cpus_of(view):
        yield Line.of(f"{ink.kept_cpu} kept for the host itself", "dim")
    if any(cpu.isolated and cpu.id not in dedicated for cpu in cpus):
        yield Line.of(ink.isolated, "odd") + Line.of(" isolated, not shared out", "dim")
    if any(not cpu.online and cpu.cell is not None for cpu in cpus):
        yield Line.of(f"{ink.offline} offline", "dim")
    if numbered and devices:
        yield Line.of(f"{ink.free_device} free device", "dim")
    if numbered and any(map(holders.bar, devices)):
        yield Line.of(ink.barred_device, "odd") + Line.of(" barred by its PF or VF", "dim")
    yield from _marks(view, ink, numbered=numbered)


def _marks(view: HostView, ink: Ink, *, numbered: bool) -> Iterator[Line]:
    """Signs of what takes no new claims."""
    seen = {withheld_sign(one.withheld, ink) for one in view.inventory.devices if one.withheld}
    shown = seen if numbered else set()
    if ink.cordoned in shown or cordoned_cpus_of(view):
        yield Line.of(ink.cordoned, "bad") + Line.of(" cordoned", "dim")
    if ink.dirty in shown:
        yield Line.of(ink.dirty, "bad") + Line.of(" not clean yet", "dim")
    if ink.withheld in shown:
        yield Line.of(ink.withheld, "bad") + Line.of(" withheld", "dim")


def _cordons(view: HostView) -> Iterator[Line]:
    """Who keeps new claims off what, and why."""
    if view.cordons:
        yield Line.of("Takes no new claims", "strong")
    for one in view.cordons[:_MOST_LISTED]:
        # Of the others the words name the place already.
        where = f"{one.subject}  " if one.kind is CordonKind.DEVICE else ""
        yield Line.of(f"  {where}{cordoned_words(one)}", "odd")
    if len(view.cordons) > _MOST_LISTED:
        more = len(view.cordons) - _MOST_LISTED
        yield Line.of(f"  and {more} more; `innkeeper cordons` lists them all")


def _functions(view: HostView) -> Iterator[Line]:
    """What is said of PCI functions that nobody may claim."""
    functions, admitted = view.host.functions, len(view.inventory.devices)
    if not functions:
        return
    used = [one for one in functions if one.used_by_host]
    rest = len(functions) - admitted - len(used)
    facts = [f"{admitted} may be claimed", f"{len(used)} in use by host", f"{rest} not admitted"]
    yield Line.of("PCI functions  ", "strong") + Line.of(", ".join(facts))
    if not admitted:
        yield Line.of(
            "  none is handed out without a [[devices]] entry: innkeeper config example", "dim"
        )
    for one in used[:_MOST_LISTED]:
        yield Line.of(f"  {one.address}  in use by host: {one.used_by_host}", "odd")
    if len(used) > _MOST_LISTED:
        yield Line.of(f"  and {len(used) - _MOST_LISTED} more; `innkeeper devices` lists them")


def _warnings(host: Host) -> Iterator[Line]:
    if host.warnings:
        yield Line.of("Could not be read", "odd")
    for warning in host.warnings[:_MOST_LISTED]:
        yield Line.of(f"  {warning}")
    if len(host.warnings) > _MOST_LISTED:
        more = len(host.warnings) - _MOST_LISTED
        yield Line.of(f"  and {more} more; `innkeeper show -o json` has them all")
