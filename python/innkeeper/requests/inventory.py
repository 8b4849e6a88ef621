"""A host and the operator's words to what may be handed out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from innkeeper.config import Config, Counter
from innkeeper.objects import (
    Cpu,
    Device,
    Host,
    Inventory,
    PlacedCell,
    PlacedDevice,
    Quantity,
)
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.host import CellOrder
from innkeeper.requests.collection import no_collection
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.cpu_sets import CpuSets, require_cpus
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.host_cells import CellMaker
from innkeeper.requests.host_pages import (
    NOBODY,
    OthersPages,
    ReservedMemory,
    ordinary_kib,
    page_kib_of,
    pages_held,
)
from innkeeper.requests.offer import Offer
from innkeeper.requests.reserved_words import reserved_warnings
from innkeeper.requests.strangers import NO_STRANGERS, Strangers

#: Cordons that one refusal spells out.
_MOST_NAMED: Final = 3


@no_collection()
def take_inventory(
    host: Host,
    config: Config = Config(),  # noqa: B008 - immutable
    *,
    held: Iterable[PlacedDevice] = (),
    placed: Iterable[PlacedCell] = (),
    cordons: Iterable[Cordon] = (),
    rules: DeviceRules | None = None,
) -> Inventory:
    """What of the host may be handed out.

    vCPUs are the shared CPUs that are online and not cordoned; memory is what preallocated hugepages
    leave, without that of cordoned cells; disk is the file system of `disk.path`. A reservation above
    its total counts as the total; `inventory_warnings` says so. `rules` are those of `config` where
    none are given. Hugepages that are in use and not `placed` are somebody else's and not handed out.
    Devices that claims hold stay whatever else speaks against them: a guest that runs opens its
    device, and then the host itself reports it as used.

    Raises:
        BadConfig: a device spec is wrong, or `[cpus]` names CPUs that the host cannot give.
    """
    require_cpus(host, config)
    offer, standing = Offer(), tuple(cordons)
    cordoned = Cordoned.of(standing)
    offer.observe(host.functions, rules or DeviceRules.of(config))
    devices = offer.devices({one.address: one for one in held}, standing, cordoned)
    return put_together(host, config, cordoned, devices, NOBODY.after(host, pages_held(placed)))


def put_together(
    host: Host,
    config: Config,
    cordoned: Cordoned,
    devices: tuple[Device, ...],
    others: OthersPages = NOBODY,
    strangers: Strangers = NO_STRANGERS,
) -> Inventory:
    """An inventory of devices that were found already, and of everything else of the host.

    CPUs that the operator names and that are gone are done without. What `strangers` use is reserved.
    """
    kept_off = replace(cordoned, cpus={**strangers.cpus, **cordoned.cpus})
    maker = CellMaker.of(host, config, kept_off, others)
    shared, cpus_kept_off = _shared_cpus(host, maker.sets, cordoned)
    memory_mib, memory_kept_off = _ordinary_memory_mib(host, cordoned)
    reserved, ratios = config.reserved, config.ratios
    of_strangers = _whole(strangers.vcpus, ratios.vcpus)
    vcpus = _quantity(len(shared), reserved.vcpus + of_strangers, ratios.vcpus)
    of_strangers = _whole(_ordinary_of_strangers(config, others, strangers), ratios.memory)
    reserved_mib = _reserved_memory_mib(host, config, cordoned) + of_strangers
    memory = _quantity(memory_mib, reserved_mib, ratios.memory)
    return Inventory(
        vcpus=vcpus.model_copy(update=cpus_kept_off.words()),
        memory_mib=memory.model_copy(update=memory_kept_off.words()),
        disk_mib=_quantity(host.disk.total_mib if host.disk else 0, reserved.disk_mib, ratios.disk),
        counters={
            one.name: _quantity(one.total, one.reserved, one.ratio) for one in config.counters
        },
        devices=devices,
        shared_cpus=format_cpu_spec(shared),
        cells=maker.cells(host),
        cordoned=cordoned.host,
        cell_order=CellOrder(config.placement.cells),
    )


def inventory_warnings(host: Host, config: Config) -> tuple[str, ...]:
    """One line for each reservation that is more than there is, so that nothing is left to hand out."""
    inventory = put_together(host, config, Cordoned(), ())
    reserved = config.reserved
    asked = [
        ("reserved.vcpus", reserved.vcpus, inventory.vcpus, ""),
        ("reserved.memory_mib", reserved.memory_mib, inventory.memory_mib, " MiB"),
        ("reserved.disk_mib", reserved.disk_mib, inventory.disk_mib, " MiB"),
        *(_counter_asked(one, inventory) for one in config.counters),
    ]
    totals = tuple(
        f"{key} is {amount}{unit} but there is only {quantity.total}{unit}: nothing of it is handed out"
        for key, amount, quantity, unit in asked
        if amount > quantity.total
    )
    return (*totals, *reserved_warnings(inventory, reserved))


def _counter_asked(counter: Counter, inventory: Inventory) -> tuple[str, int, Quantity, str]:
    name = counter.name
    return f"reserved of counter {name}", counter.reserved, inventory.counters[name], ""


def _quantity(total: int, reserved: int, ratio: float) -> Quantity:
    return Quantity(total=total, reserved=min(reserved, total), allocation_ratio=ratio)


def _whole(used: int, ratio: float) -> int:
    """How much of a total, before its ratio, so much use takes."""
    return math.ceil(used / ratio)


def _ordinary_of_strangers(config: Config, others: OthersPages, strangers: Strangers) -> int:
    """Their memory but for hugepages, which are counted by the kernel: those that nobody reserved."""
    reserved = ReservedMemory.of(config.reserved).pages
    huge_kib = sum(
        max(count - reserved.get(place, 0), 0) * place[1] for place, count in others.counts.items()
    )
    return max(strangers.memory_mib - huge_kib // 1024, 0)


@dataclass(frozen=True, slots=True)
class _KeptOff:
    """So much of something is behind cordons."""

    amount: int
    sentences: Sequence[str]

    def words(self) -> dict[str, object]:
        """As fields of a quantity."""
        if not self.amount:
            return {}
        named, more = self.sentences[:_MOST_NAMED], len(self.sentences) - _MOST_NAMED
        rest = [f"and {more} more, see `innkeeper cordons`"] if more > 0 else []
        return {"cordoned": self.amount, "cordons": "; ".join([*named, *rest])}


def _shared_cpus(host: Host, sets: CpuSets, cordoned: Cordoned) -> tuple[list[int], _KeptOff]:
    """Those that instances may float over, and those that cordons keep from that."""
    usable = [cpu for cpu in host.cpus if cpu.id in sets.shared]
    why = {cpu.id: _cordon_of(cpu, cordoned) for cpu in usable}
    shared = [number for number, cordon in why.items() if cordon is None]
    sentences = dict.fromkeys(cordon for cordon in why.values() if cordon is not None)
    return shared, _KeptOff(len(usable) - len(shared), tuple(sentences))


def _cordon_of(cpu: Cpu, cordoned: Cordoned) -> str | None:
    of_cell = None if cpu.cell is None else cordoned.cells.get(cpu.cell)
    return of_cell or cordoned.cpus.get(cpu.id)


def _ordinary_memory_mib(host: Host, cordoned: Cordoned) -> tuple[int, _KeptOff]:
    """What preallocated hugepages leave, and what of it is of cordoned cells."""
    whole = ordinary_kib(host) // 1024
    of_cells = {
        cordoned.cells[cell.id]: ordinary_kib(cell) // 1024
        for cell in host.cells
        if cell.id in cordoned.cells
    }
    kept_off = min(sum(of_cells.values()), whole)
    return whole - kept_off, _KeptOff(kept_off, tuple(of_cells))


def _reserved_memory_mib(host: Host, config: Config, cordoned: Cordoned) -> int:
    """Of the host as a whole, or of its cells together where that is more."""
    reserved, page_kib = ReservedMemory.of(config.reserved), page_kib_of(host)
    open_cells = (cell for cell in host.cells if cell.id not in cordoned.cells)
    of_cells = sum(
        min(reserved.ordinary_kib(cell.id, page_kib), ordinary_kib(cell)) for cell in open_cells
    )
    return max(config.reserved.memory_mib, -(-of_cells // 1024))
