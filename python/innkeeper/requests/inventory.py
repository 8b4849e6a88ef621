"""A host and the operator's words to what may be handed out."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator

from innkeeper.config import Config, Counter
from innkeeper.objects import Device, Host, Inventory, PlacedDevice, Quantity
from innkeeper.objects.cordon import Cordon
from innkeeper.objects.host import InventoryCell
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.offer import Offer


def take_inventory(
    host: Host,
    config: Config = Config(),  # noqa: B008 - immutable
    *,
    held: Iterable[PlacedDevice] = (),
    cordons: Iterable[Cordon] = (),
    rules: DeviceRules | None = None,
) -> Inventory:
    """What of the host may be handed out.

    vCPUs are the CPUs that are online, not isolated and not cordoned; memory is what preallocated
    hugepages leave; disk is the file system of `disk.path`. A reservation above its total counts as
    the total; `inventory_warnings` says so. `rules` are those of `config` where none are given.
    Devices that claims hold stay whatever else speaks against them: a guest that runs opens its
    device, and then the host itself reports it as used.

    Raises:
        BadConfig: a device spec is wrong.
    """
    offer, standing = Offer(), tuple(cordons)
    cordoned = Cordoned.of(standing)
    offer.observe(host.functions, rules or DeviceRules.of(config))
    by_address = {placed.address: placed for placed in held}
    return put_together(host, config, cordoned, offer.devices(by_address, standing, cordoned))


def put_together(
    host: Host, config: Config, cordoned: Cordoned, devices: tuple[Device, ...]
) -> Inventory:
    """An inventory of devices that were found already, and of everything else of the host."""
    shared = [
        cpu.id
        for cpu in host.cpus
        if cpu.online
        and not cpu.isolated
        and cpu.id not in cordoned.cpus
        and cpu.cell not in cordoned.cells
    ]
    reserved, ratios = config.reserved, config.ratios
    return Inventory(
        vcpus=_quantity(len(shared), reserved.vcpus, ratios.vcpus),
        memory_mib=_quantity(_ordinary_memory_mib(host), reserved.memory_mib, ratios.memory),
        disk_mib=_quantity(host.disk.total_mib if host.disk else 0, reserved.disk_mib, ratios.disk),
        counters={
            one.name: _quantity(one.total, one.reserved, one.ratio) for one in config.counters
        },
        devices=devices,
        shared_cpus=format_cpus(shared),
        cells=tuple(_cells(host)),
        cordoned=cordoned.host,
    )


def _cells(host: Host) -> Iterator[InventoryCell]:
    sockets: dict[int | None, Tally[int]] = {}
    for cpu in host.cpus:
        if cpu.socket is not None:
            sockets.setdefault(cpu.cell, Tally())[cpu.socket] += 1
    for cell in host.cells:
        yield InventoryCell(id=cell.id, socket=_most_common(sockets.get(cell.id)))


def _most_common(sockets: Tally[int] | None) -> int | None:
    """Of sockets with equally many CPUs the lowest."""
    return min(sockets, key=lambda one: (-sockets[one], one)) if sockets else None


def inventory_warnings(host: Host, config: Config) -> tuple[str, ...]:
    """One line for each reservation that is more than there is, so that nothing is left to hand out."""
    inventory = take_inventory(host, config)
    reserved = config.reserved
    asked = [
        ("reserved.vcpus", reserved.vcpus, inventory.vcpus, ""),
        ("reserved.memory_mib", reserved.memory_mib, inventory.memory_mib, " MiB"),
        ("reserved.disk_mib", reserved.disk_mib, inventory.disk_mib, " MiB"),
        *(_counter_asked(one, inventory) for one in config.counters),
    ]
    return tuple(
        f"{key} is {amount}{unit} but there is only {quantity.total}{unit}: nothing of it is handed out"
        for key, amount, quantity, unit in asked
        if amount > quantity.total
    )


def _counter_asked(counter: Counter, inventory: Inventory) -> tuple[str, int, Quantity, str]:
    name = counter.name
    return f"reserved of counter {name}", counter.reserved, inventory.counters[name], ""


def _quantity(total: int, reserved: int, ratio: float) -> Quantity:
    return Quantity(total=total, reserved=min(reserved, total), allocation_ratio=ratio)


def _ordinary_memory_mib(host: Host) -> int:
    hugepages_kib = sum(pages.size_kib * pages.total for pages in host.pages)
    return max(host.memory_kib - hugepages_kib, 0) // 1024


def format_cpus(cpus: Iterable[int]) -> str:
    """CPUs in the kernel's list format, such as `0-3,8`."""
    runs: list[tuple[int, int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], cpu
        else:
            runs.append((cpu, cpu))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
