"""A placement as elements of libvirt's domain XML, to paste (libvirt, "Domain XML format")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID
from xml.sax.saxutils import quoteattr

from innkeeper.cli.held import hugepage_cells
from innkeeper.objects import PlacedCell, PlacedDevice, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec


def libvirt_text(placement: Placement, claim_id: UUID | None) -> str:
    """`vcpu`, `memory`, and for guest cells `cpu`, `cputune`, `numatune`, `memoryBacking`; devices."""
    return "\n".join(_elements(placement, claim_id))


def _elements(placement: Placement, claim_id: UUID | None) -> Iterator[str]:
    if claim_id:
        yield f"<!-- innkeeper claim {claim_id} -->"
    yield from _vcpus(placement)
    if memory := placement.all_memory_mib:
        yield f"<memory unit='MiB'>{memory}</memory>"
    if placement.cells:
        yield from _nested("cpu", _nested("numa", _guest_cells(placement)))
        yield from _nested("cputune", _pins(placement))
        yield from _nested("numatune", _memory_nodes(placement))
        yield from _nested("memoryBacking", _nested("hugepages", _pages(placement)))
    for device in placement.devices:
        yield from _hostdev(device)


def _nested(name: str, lines: Iterable[str]) -> Iterator[str]:
    """An element around the lines; nothing around none."""
    inner = [f"  {line}" for line in lines]
    if inner:
        yield from (f"<{name}>", *inner, f"</{name}>")


def _vcpus(placement: Placement) -> Iterator[str]:
    """How many; where an update took some away, which of them are there."""
    count, gone = placement.all_vcpus, _gone(placement)
    if not count:
        return
    cpuset = f" cpuset={quoteattr(placement.cpus)}" if placement.cpus else ""
    current = f" current='{count}'" if gone else ""
    yield f"<vcpu placement='static'{cpuset}{current}>{count + len(gone)}</vcpu>"
    if gone:
        yield from _nested("vcpus", _switched(count + len(gone), gone))


def _switched(all_of_them: int, gone: frozenset[int]) -> Iterator[str]:
    for vcpu in range(all_of_them):
        words = "enabled='no' hotpluggable='yes'" if vcpu in gone else "enabled='yes'"
        yield f"<vcpu id='{vcpu}' {words}/>"


def _gone(placement: Placement) -> frozenset[int]:
    """Numbers below the highest that no guest cell has any more."""
    held = frozenset[int]().union(*map(_vcpus_of, placement.cells))
    return frozenset(range(max(held, default=0))) - held


def _vcpus_of(cell: PlacedCell) -> frozenset[int]:
    return parse_cpu_spec(cell.shared) | cell.pins.keys()


# -- guest cells -----------------------------------------------------------------------------------


def _guest_cells(placement: Placement) -> Iterator[str]:
    homes = _homes(placement)
    for number, cell in enumerate(placement.cells):
        vcpus = [vcpu for vcpu, home in homes.items() if home == number]
        cpus = f" cpus='{format_cpu_spec(vcpus)}'" if vcpus else ""
        yield f"<cell id='{number}'{cpus} memory='{cell.memory_mib}' unit='MiB'/>"


def _homes(placement: Placement) -> dict[int, int]:
    """The guest cell of each vCPU; one that is gone stays with the one before it, since each has a cell."""
    cells = {
        vcpu: number for number, cell in enumerate(placement.cells) for vcpu in _vcpus_of(cell)
    }
    home, homes = cells[min(cells)] if cells else 0, {}
    for vcpu in range(max(cells, default=-1) + 1):
        home = homes[vcpu] = cells.get(vcpu, home)
    return homes


def _pins(placement: Placement) -> Iterator[str]:
    for vcpu, cpus in sorted(_cpus_of_vcpus(placement)):
        yield f"<vcpupin vcpu='{vcpu}' cpuset='{cpus}'/>"
    if emulator := _emulator(placement):
        yield f"<emulatorpin cpuset='{emulator}'/>"


def _cpus_of_vcpus(placement: Placement) -> Iterator[tuple[int, str]]:
    for cell in placement.cells:
        yield from ((vcpu, str(cpu)) for vcpu, cpu in cell.pins.items())
        yield from ((vcpu, cell.cpus) for vcpu in parse_cpu_spec(cell.shared) if cell.cpus)


def _emulator(placement: Placement) -> str:
    """The CPUs of its own, where it has some; else those that the instance may run on."""
    own = (cpu for cell in placement.cells for cpu in parse_cpu_spec(cell.emulator))
    return format_cpu_spec(set(own)) or placement.cpus


def _memory_nodes(placement: Placement) -> Iterator[str]:
    hosts = format_cpu_spec({cell.cell for cell in placement.cells})
    yield f"<memory mode='strict' nodeset='{hosts}'/>"
    for number, cell in enumerate(placement.cells):
        yield f"<memnode cellid='{number}' mode='strict' nodeset='{cell.cell}'/>"


def _pages(placement: Placement) -> Iterator[str]:
    """Guest cells by the size of their pages; ordinary memory needs no word."""
    huge = hugepage_cells(placement)
    for kib in sorted({cell.page_kib for cell in huge if cell.page_kib}):
        cells = {number for number, cell in enumerate(placement.cells) if _is_of(cell, kib)}
        yield f"<page size='{kib}' unit='KiB' nodeset='{format_cpu_spec(cells)}'/>"


def _is_of(cell: PlacedCell, kib: int) -> bool:
    return cell.page_kib == kib and cell.memory_mib > 0


# -- devices ---------------------------------------------------------------------------------------


def _hostdev(device: PlacedDevice) -> Iterator[str]:
    domain, bus, rest = device.address.split(":")
    slot, function = rest.split(".")
    address = f"domain='0x{domain}' bus='0x{bus}' slot='0x{slot}' function='0x{function}'"
    yield "<hostdev mode='subsystem' type='pci' managed='yes'>"
    yield f"  <source><address {address}/></source>"
    yield "</hostdev>"
