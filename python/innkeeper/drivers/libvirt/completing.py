"""What libvirt does not tell of the machine it shares with us, taken from the kernel's own files."""

from __future__ import annotations

from innkeeper.objects import Cpu, Host, PciFunction


def completed(told: Host, read: Host) -> Host:
    """The host as libvirt told it, with what only the kernel says; of what both say libvirt's counts.

    Functions that libvirt does not know at all (`told` has none) are the kernel's.
    """
    known = {one.address: one for one in read.functions}
    functions = tuple(_completed_function(one, known.get(one.address)) for one in told.functions)
    update = {
        "hostname": read.hostname,
        "boot_id": read.boot_id,
        "machine_id": read.machine_id,
        "cpus": _completed_cpus(told, read),
        "page_kib": told.page_kib or read.page_kib,
        "functions": functions or read.functions,
        "disk": read.disk,
        "warnings": (*told.warnings, *read.warnings),
    }
    return told.model_copy(update=update)


def _completed_cpus(told: Host, read: Host) -> tuple[Cpu, ...]:
    """Those that are offline are not told by libvirt."""
    cpus = {cpu.id: cpu for cpu in read.cpus if not cpu.online}
    known = {cpu.id: cpu for cpu in read.cpus}
    cpus |= {cpu.id: _completed_cpu(cpu, known.get(cpu.id)) for cpu in told.cpus}
    return tuple(cpu for _, cpu in sorted(cpus.items()))


def _completed_cpu(told: Cpu, read: Cpu | None) -> Cpu:
    if read is None:
        return told
    l3 = told.l3 if told.l3 is not None else read.l3
    return told.model_copy(update={"isolated": read.isolated, "l3": l3})


def _completed_function(told: PciFunction, read: PciFunction | None) -> PciFunction:
    if read is None:
        return told
    update = {
        "kind": read.kind,
        "netdevs": told.netdevs or read.netdevs,
        "serial": told.serial or read.serial,
        "used_by_host": read.used_by_host,
        "mac": read.mac or told.mac,
        "slot": read.slot,
        "switch": read.switch,
    }
    return told.model_copy(update=update)
