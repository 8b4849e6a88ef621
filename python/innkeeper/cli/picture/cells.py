"""One NUMA cell: its cores, pages and devices, in a frame or in a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from innkeeper.cli.picture.cpu_signs import Core, core_sign, numbered
from innkeeper.cli.picture.holders import Holders
from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.picture.lines import Block, Line, framed, joined, width_of
from innkeeper.cli.picture.places import CellPart
from innkeeper.cli.quantities import page_size, size
from innkeeper.objects import Cpu, Device
from innkeeper.objects.host import Withheld

_MOST_SINGLE_DEVICES = 16
_MOST_SIGNS_IN_A_LINE = 32


# -- with the number of each CPU -----------------------------------------------------------------


def cell_body(part: CellPart, holders: Holders, ink: Ink, cores_in_line: int) -> Block:
    """What stands in the cell's frame."""
    cores = list(_numbered_cores(part, holders, ink, cores_in_line)) or [Line.of("no CPUs", "dim")]
    rest = [] if part.continued else [*_pages(part), *pool_lines(part.devices, holders, ink)]
    return [*cores, *rest]


def cell_title(part: CellPart) -> Line:
    """The cell's name."""
    mark = Line.of(" cordoned", "bad") if part.cordoned else Line()
    return Line.of(f"cell {part.cell.id}", "strong") + mark


def cell_memory(part: CellPart) -> Line:
    """How much memory the cell has."""
    if part.continued:
        return Line.of("continued", "dim")
    mib = part.cell.memory_kib // 1024
    return Line.of(size(mib)) if mib else Line.of("no memory", "odd")


def cell_width(part: CellPart, body: Block) -> int:
    """The narrowest frame for the cell."""
    above = cell_title(part).width + cell_memory(part).width + 5
    return 4 + max(width_of(body), above)


def cell_frame(part: CellPart, body: Block, width: int, ink: Ink) -> Block:
    """The cell as a box."""
    return framed(cell_title(part), cell_memory(part), body, width, ink)


def _numbered_cores(part: CellPart, holders: Holders, ink: Ink, in_line: int) -> Iterator[Line]:
    """One line or more for each L3 group; siblings are tied together."""
    groups = l3_groups(part.cpus)
    digits = len(str(max((cpu.id for cpu in part.cpus), default=0)))
    for group in groups:
        head = "L3 " if len(groups) > 1 else ""
        for start in range(0, len(group), in_line):
            cores = group[start : start + in_line]
            texts = (_numbers(core, digits, part, holders, ink) for core in cores)
            yield Line.of(head, "dim") + joined(texts, " ")
            head = " " * len(head)


def _numbers(core: Core, digits: int, part: CellPart, holders: Holders, ink: Ink) -> Line:
    numbers = [numbered(cpu, digits if cpu is core[0] else 0, part, holders, ink) for cpu in core]
    return joined(numbers, ink.between)


def _pages(part: CellPart) -> Iterator[Line]:
    for pages in part.cell.pages:
        if pages.total:
            used, held = pages.total - pages.free, part.pages_held.get(pages.size_kib, 0)
            line = Line.of(f"{page_size(pages.size_kib)} pages  {used}/{pages.total} in use")
            yield line + (Line.of(f", {held} held", "busy") if held else Line())


def pool_lines(devices: Sequence[Device], holders: Holders, ink: Ink) -> Iterator[Line]:
    """The devices of each product and kind: one sign a device, or counted when there are many."""
    for name, alike in _by_pool(devices):
        if len(alike) <= _MOST_SINGLE_DEVICES:
            signs = joined((_device_sign(device, holders, ink) for device in alike), " ")
        else:
            signs = _counted(alike, holders)
        yield Line.of(f"{name} ") + signs


def _counted(alike: Sequence[Device], holders: Holders) -> Line:
    held = sum(device.address in holders.by_address for device in alike)
    withheld = sum(device.withheld is not None for device in alike)
    line = Line.of(f"{held}/{len(alike)} held", "busy" if held else "dim")
    return line + (Line.of(f", {withheld} withheld", "bad") if withheld else Line())


def _by_pool(devices: Sequence[Device]) -> Iterator[tuple[str, Sequence[Device]]]:
    pools: dict[str, list[Device]] = {}
    for device in devices:
        name = f"{device.vendor_id}:{device.product_id} {device.kind}"
        pools.setdefault(name, []).append(device)
    yield from pools.items()


def _device_sign(device: Device, holders: Holders, ink: Ink) -> Line:
    holder = holders.by_address.get(device.address)
    if holder is not None:
        return holders.mark(holder)
    if device.withheld is not None:
        return Line.of(withheld_sign(device.withheld, ink), "bad")
    if holders.bar(device):
        return Line.of(ink.barred_device, "odd")
    return Line.of(ink.free_device, "dim")


def withheld_sign(why: Withheld, ink: Ink) -> str:
    """What stands for a device that is not handed out."""
    if why is Withheld.CORDONED:
        return ink.cordoned
    return ink.dirty if why is Withheld.DIRTY else ink.withheld


# -- one sign a core -----------------------------------------------------------------------------


def cell_rows(part: CellPart, holders: Holders, ink: Ink) -> Sequence[Sequence[Line]]:
    """Name, cores, memory and devices; below them the cores that need more lines."""
    held = sum(device.address in holders.by_address for device in part.devices)
    devices = f"{held}/{len(part.devices)} dev" if part.devices else ""
    first, *more = core_signs(part, holders, ink) or [Line.of("no CPUs", "dim")]
    facts = Line.of(devices, "busy" if held else "dim")
    below = [(Line(), signs, Line(), Line()) for signs in more]
    return [(cell_title(part), first, cell_memory(part), facts), *below]


def core_signs(part: CellPart, holders: Holders, ink: Ink) -> Block:
    """One sign for each core, a blank between L3 groups."""
    lines: list[Line] = []
    for group in l3_groups(part.cpus):
        for start in range(0, len(group), _MOST_SIGNS_IN_A_LINE):
            cores = group[start : start + _MOST_SIGNS_IN_A_LINE]
            signs = joined((core_sign(core, part, holders, ink) for core in cores), "")
            if lines and lines[-1].width + 1 + signs.width <= _MOST_SIGNS_IN_A_LINE:
                lines[-1] = joined([lines[-1], signs], " ")
            else:
                lines.append(signs)
    return lines


# -- order ---------------------------------------------------------------------------------------


def l3_groups(cpus: Sequence[Cpu]) -> Sequence[Sequence[Core]]:
    """Cores by L3 cache, in the order of their lowest CPUs."""
    ordered = sorted(cpus, key=lambda cpu: (_l3(cpu), _core(cpu), cpu.id))
    return [
        [list(core) for _, core in groupby(group, key=_core)]
        for _, group in groupby(ordered, key=_l3)
    ]


def _l3(cpu: Cpu) -> int:
    return -1 if cpu.l3 is None else cpu.l3


def _core(cpu: Cpu) -> int:
    return cpu.siblings[0] if cpu.siblings else cpu.id
