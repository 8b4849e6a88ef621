"""What stands for a CPU or a core: who holds it alone, or what it is for."""

from __future__ import annotations

from collections.abc import Sequence

from innkeeper.cli.picture.holders import Holders
from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.picture.lines import Line
from innkeeper.cli.picture.places import CellPart
from innkeeper.objects import Cpu

Core = Sequence[Cpu]


def numbered(cpu: Cpu, digits: int, part: CellPart, holders: Holders, ink: Ink) -> Line:
    """Its number, and a sign where it is anything but one of the CPUs that are shared."""
    text = str(cpu.id).rjust(digits)
    holder = holders.by_cpu.get(cpu.id)
    if holder is not None:
        return Line.of(text) + holders.mark(holder)
    if cpu.id in part.cordoned_cpus:
        return Line.of(text + ink.cordoned, "bad")
    if not cpu.online:
        return Line.of(text + ink.offline, "dim")
    if cpu.id in part.dedicated:
        return Line.of(text) + Line.of(ink.free_cpu, "dim")
    if cpu.id in part.kept:
        return Line.of(text + ink.kept_cpu, "dim")
    return Line.of(text + ink.isolated, "odd") if cpu.isolated else Line.of(text, "good")


def core_sign(core: Core, part: CellPart, holders: Holders, ink: Ink) -> Line:
    """One sign for all of its CPUs; whoever holds one of them comes first."""
    held = {holders.by_cpu[cpu.id] for cpu in core if cpu.id in holders.by_cpu}
    if held:
        return holders.mark(held.pop()) if len(held) == 1 else Line.of(ink.several, "strong")
    if any(cpu.id in part.cordoned_cpus for cpu in core):
        return Line.of(ink.cordoned, "bad")
    if not all(cpu.online for cpu in core):
        return Line.of(ink.offline, "dim")
    if any(cpu.id in part.dedicated for cpu in core):
        return Line.of(ink.free_cpu, "dim")
    if all(cpu.id in part.kept for cpu in core):
        return Line.of(ink.kept_cpu, "dim")
    isolated = any(cpu.isolated for cpu in core)
    return Line.of(ink.isolated, "odd") if isolated else Line.of(ink.core, "good")
