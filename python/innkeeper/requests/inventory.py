"""A host and the operator's words to what may be handed out."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from innkeeper.config import Config, Counter, DeviceSpec
from innkeeper.objects import Device, Host, Inventory, PciFunction, Quantity

#: PCI base class of bridges (PCI Code and ID Assignment Specification, class 06h).
_BRIDGE = "06"


def take_inventory(
    host: Host,
    config: Config = Config(),  # noqa: B008 - immutable
    held: Container[str] = (),
) -> Inventory:
    """What of the host may be handed out.

    vCPUs are the CPUs that are online and not isolated; memory is what preallocated hugepages leave;
    disk is the file system of `disk.path`. A reservation above its total counts as the total;
    `inventory_warnings` says so. Devices that claims hold, by address, stay whatever else speaks
    against them: a guest that runs opens its device, and then the host itself reports it as used.
    """
    shared = [cpu.id for cpu in host.cpus if cpu.online and not cpu.isolated]
    reserved, ratios = config.reserved, config.ratios
    return Inventory(
        vcpus=_quantity(len(shared), reserved.vcpus, ratios.vcpus),
        memory_mib=_quantity(_ordinary_memory_mib(host), reserved.memory_mib, ratios.memory),
        disk_mib=_quantity(host.disk.total_mib if host.disk else 0, reserved.disk_mib, ratios.disk),
        counters={
            one.name: _quantity(one.total, one.reserved, one.ratio) for one in config.counters
        },
        devices=tuple(_devices(host.functions, config, held)),
        shared_cpus=format_cpus(shared),
    )


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


def _devices(
    functions: Iterable[PciFunction], config: Config, held: Container[str]
) -> Iterator[Device]:
    for function in functions:
        if function.address in held or why_not_claimable(function, config) is None:
            yield Device(
                address=function.address,
                vendor_id=function.vendor_id,
                product_id=function.product_id,
                kind=function.kind,
                parent=function.parent,
                cell=function.cell,
            )


def why_not_claimable(function: PciFunction, config: Config) -> str | None:
    """Why a function is never handed out, in words for people; null when it may be."""
    if function.class_id.startswith(_BRIDGE):
        return "a bridge"
    if function.used_by_host is not None:
        return f"in use by host: {function.used_by_host}"
    if find_spec(function, config) is None:
        return "no [[devices]] entry admits it"
    return None


def find_spec(function: PciFunction, config: Config) -> DeviceSpec | None:
    """The first `[[devices]]` entry that the function matches in every key it gives."""
    return next((spec for spec in config.devices if _matches(spec, function)), None)


def _matches(spec: DeviceSpec, function: PciFunction) -> bool:
    wanted = (
        (spec.vendor_id, function.vendor_id),
        (spec.product_id, function.product_id),
        (spec.address, function.address),
    )
    return all(want is None or want == have for want, have in wanted)


def format_cpus(cpus: Iterable[int]) -> str:
    """CPUs in the kernel's list format, such as `0-3,8`."""
    runs: list[tuple[int, int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], cpu
        else:
            runs.append((cpu, cpu))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
