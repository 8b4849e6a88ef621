"""Sockets, cells and CPUs as nested boxes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.tables import size
from innkeeper.objects import Cell, Cpu, Host, Pages

CPUS_IN_A_LINE = 32
"""More would make boxes too wide to stand beside each other."""


def host_boxes(host: Host, ink: Ink) -> RenderableType:
    """One box a socket, in it one a cell; cells without CPUs stand after all sockets."""
    by_cell = _cpus_by_cell(host)
    sockets: dict[int, list[Panel]] = {}
    apart: list[Panel] = []
    for cell in host.cells:
        cpus = by_cell.get(cell.id, [])
        home = sockets.setdefault(_socket_of(cpus), []) if cpus else apart
        home.append(_cell_box(cell, cpus, ink))
    boxes: list[RenderableType] = [
        Panel(Columns(cells), title=_socket_title(number), title_align="left", box=ink.box)
        for number, cells in sorted(sockets.items())
    ]
    return Group(*boxes, *([Columns(apart)] if apart else []))


def _socket_title(number: int) -> str:
    return f"socket {number}" if number >= 0 else "socket unknown"


def _socket_of(cpus: list[Cpu]) -> int:
    return min((cpu.socket for cpu in cpus if cpu.socket is not None), default=-1)


def _cpus_by_cell(host: Host) -> dict[int, list[Cpu]]:
    """A host that does not say where its CPUs are has them in its first cell."""
    first = host.cells[0].id if host.cells else 0
    cells: dict[int, list[Cpu]] = {}
    for cpu in host.cpus:
        cells.setdefault(first if cpu.cell is None else cpu.cell, []).append(cpu)
    return cells


def _cell_box(cell: Cell, cpus: list[Cpu], ink: Ink) -> Panel:
    lines = [*_cpu_lines(cpus, ink), *_page_lines(cell.pages)]
    memory = size(cell.memory_kib // 1024) if cell.memory_kib else "no memory"
    body: RenderableType = Group(*lines) if lines else Text("no CPUs", style="dim")
    return Panel.fit(body, title=f"cell {cell.id}  {memory}", title_align="left", box=ink.box)


def _cpu_lines(cpus: list[Cpu], ink: Ink) -> Iterator[Text]:
    """CPUs by core, one blank between cores, two between L3 groups; ids before each line."""
    ordered = sorted(cpus, key=_core_order)
    for line in _lines(ordered):
        ids = Text(f"{line[0].id:>4} ", style="dim")
        yield ids + Text("  ").join(_l3_text(group, ink) for _, group in groupby(line, key=_l3))


def _lines(cpus: list[Cpu]) -> Iterator[list[Cpu]]:
    for start in range(0, len(cpus), CPUS_IN_A_LINE):
        yield cpus[start : start + CPUS_IN_A_LINE]


def _core_order(cpu: Cpu) -> tuple[int, int, int]:
    return (_l3(cpu), _core(cpu), cpu.id)


def _l3(cpu: Cpu) -> int:
    return -1 if cpu.l3 is None else cpu.l3


def _core(cpu: Cpu) -> int:
    return cpu.siblings[0] if cpu.siblings else cpu.id


def _l3_text(cpus: Iterable[Cpu], ink: Ink) -> Text:
    group = list(cpus)
    smt = any(len(cpu.siblings) > 1 for cpu in group)
    gap = Text(" " if smt else "")
    cores = (list(core) for _, core in groupby(group, key=_core))
    return gap.join(Text("").join(_sign(cpu, ink) for cpu in core) for core in cores)


def _sign(cpu: Cpu, ink: Ink) -> Text:
    if not cpu.online:
        return Text(ink.offline, style="dim")
    if cpu.isolated:
        return Text(ink.isolated, style="magenta")
    return Text(ink.shared, style="green")


def _page_lines(pages: Iterable[Pages]) -> Iterator[Text]:
    for one in pages:
        if one.total:
            held = f"{one.total - one.free} of {one.total} in use"
            yield Text(f"pages of {_page_size(one.size_kib)}: {held}", style="cyan")


def _page_size(kib: int) -> str:
    return size(kib // 1024) if kib >= 1024 else f"{kib} KiB"
