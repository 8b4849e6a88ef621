"""Where the parts of a host are: CPUs, memory and devices by cell, cells by socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from innkeeper.api.views import HostView
from innkeeper.cli.quantities import count
from innkeeper.objects import Cell, CordonKind, Cpu, Device, Host
from innkeeper.objects.cpu_spec import parse_cpu_spec


@dataclass(frozen=True, slots=True)
class CellPart:
    """What one socket has of a cell; mostly the whole cell."""

    cell: Cell
    cpus: Sequence[Cpu]
    devices: Sequence[Device]
    continued: bool
    """Memory, pages and devices of the cell are shown with another part of it."""
    cordoned: bool = False
    cordoned_cpus: frozenset[int] = frozenset()
    """Of the whole host."""
    dedicated: frozenset[int] = frozenset()
    """CPUs of the whole host that are given to one vCPU each."""
    kept: frozenset[int] = frozenset()
    """CPUs of the whole host that are online and for no instance."""
    pages_held: Mapping[int, int] = field(default_factory=dict)
    """Pages of the cell that claims hold, by size in KiB."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket with its cells; null stands for what the host puts into none."""

    number: int | None
    parts: Sequence[CellPart]

    @property
    def name(self) -> str:
        """The socket's name."""
        if self.number is not None:
            return f"socket {self.number}"
        return "no socket named" if any(part.cpus for part in self.parts) else "cells without CPUs"

    @property
    def size(self) -> str:
        """How many CPUs are online in it."""
        online = sum(cpu.online for part in self.parts for cpu in part.cpus)
        return count(online, "CPU") if online else ""


def sockets_of(view: HostView) -> Sequence[Socket]:
    """Every socket in order of its number; what is in none of them comes last."""
    homes = _homes(view.host)
    cpus = _cpus_by_place(view.host, homes)
    devices = _devices_by_cell(view)
    cordoned_cells, cordoned_cpus = _cordoned(view, CordonKind.CELL), cordoned_cpus_of(view)
    dedicated, kept, pages_held = dedicated_cpus_of(view), kept_cpus_of(view), _pages_held(view)
    parts: dict[int | None, list[CellPart]] = {}
    for cell in view.host.cells:
        home = homes.get(cell.id)
        for socket in sorted({s for s, c in cpus if c == cell.id} | {home}, key=_last_if_none):
            mine = () if socket != home else devices.get(cell.id, ())
            part = CellPart(
                *(cell, cpus.get((socket, cell.id), ()), mine, socket != home),
                cordoned=cell.id in cordoned_cells,
                cordoned_cpus=cordoned_cpus,
                dedicated=dedicated,
                kept=kept,
                pages_held=pages_held.get(cell.id, {}),
            )
            parts.setdefault(socket, []).append(part)
    return [Socket(number, parts[number]) for number in sorted(parts, key=_last_if_none)]


def dedicated_cpus_of(view: HostView) -> frozenset[int]:
    """CPUs that are given to one vCPU each."""
    lists = (parse_cpu_spec(cell.dedicated) for cell in view.inventory.cells)
    return frozenset[int]().union(*lists)


def kept_cpus_of(view: HostView) -> frozenset[int]:
    """CPUs that the host has for itself: in neither set, though nothing else keeps them out."""
    shared = (parse_cpu_spec(cell.shared) for cell in view.inventory.cells)
    given = frozenset[int]().union(*shared) | dedicated_cpus_of(view)
    cordoned = cordoned_cpus_of(view)
    plain = {cpu.id for cpu in view.host.cpus if cpu.online and not cpu.isolated}
    cells = _cordoned(view, CordonKind.CELL)
    behind = {cpu.id for cpu in view.host.cpus if cpu.cell in cells}
    return frozenset(plain - given - cordoned - behind)


def _pages_held(view: HostView) -> Mapping[int, Mapping[int, int]]:
    return {
        cell.cell: {pages.size_kib: pages.used for pages in cell.pages} for cell in view.usage.cells
    }


def cordoned_cpus_of(view: HostView) -> frozenset[int]:
    """CPUs that are cordoned themselves; those of a cordoned cell are not among them."""
    return _cordoned(view, CordonKind.CPU)


def _cordoned(view: HostView, kind: CordonKind) -> frozenset[int]:
    return frozenset(int(one.subject) for one in view.cordons if one.kind is kind)


def cpus_elsewhere(host: Host) -> Sequence[int]:
    """CPUs that are in no cell: offline, mostly."""
    cells = {cell.id for cell in host.cells}
    return [cpu.id for cpu in host.cpus if cpu.cell not in cells]


def devices_elsewhere(view: HostView) -> Sequence[Device]:
    """Devices whose cell the host does not say."""
    cells = {cell.id for cell in view.host.cells}
    return [device for device in view.inventory.devices if device.cell not in cells]


def _homes(host: Host) -> Mapping[int, int]:
    """The socket of each cell: the lowest that has CPUs of it."""
    homes: dict[int, int] = {}
    for cpu in host.cpus:
        if cpu.cell is not None and cpu.socket is not None:
            homes[cpu.cell] = min(cpu.socket, homes.get(cpu.cell, cpu.socket))
    return homes


def _cpus_by_place(
    host: Host, homes: Mapping[int, int]
) -> Mapping[tuple[int | None, int], Sequence[Cpu]]:
    """A CPU that is offline may not say its socket any more: it is with the others of its cell."""
    places: dict[tuple[int | None, int], list[Cpu]] = {}
    for cpu in host.cpus:
        if cpu.cell is not None:
            socket = homes.get(cpu.cell) if cpu.socket is None else cpu.socket
            places.setdefault((socket, cpu.cell), []).append(cpu)
    return places


def _devices_by_cell(view: HostView) -> Mapping[int | None, Sequence[Device]]:
    cells: dict[int | None, list[Device]] = {}
    for device in view.inventory.devices:
        cells.setdefault(device.cell, []).append(device)
    return cells


def _last_if_none(number: int | None) -> tuple[bool, int]:
    return number is None, number or 0
