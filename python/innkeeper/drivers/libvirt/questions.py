"""What is asked of an open connection, each as one question."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import libvirt

from innkeeper.drivers.libvirt.calls import Device, Handle
from innkeeper.drivers.libvirt.capabilities import Capabilities, FreePages
from innkeeper.drivers.libvirt.connection import is_gone, is_unsupported
from innkeeper.drivers.libvirt.functions import Described
from innkeeper.drivers.sysfs.notes import Notes


@dataclass(frozen=True, slots=True)
class Told:
    """What one libvirt told of its host."""

    hostname: str
    node: list[Any]
    """As `virNodeGetInfo` has it."""
    capabilities: Capabilities
    free: FreePages
    devices: list[Described] | None
    """Null where it knows nothing of devices."""


def ask_host(handle: Handle, notes: Notes) -> Told:
    """All of it.

    Raises:
        ValueError: its capabilities cannot be read.
    """
    capabilities = Capabilities(handle.getCapabilities(), notes)
    return Told(
        hostname=handle.getHostname(),
        node=handle.getInfo(),
        capabilities=capabilities,
        free=_free_pages(handle, capabilities, notes),
        devices=_devices(handle, notes),
    )


def _free_pages(handle: Handle, capabilities: Capabilities, notes: Notes) -> FreePages:
    free: dict[int, dict[int, int]] = {}
    sizes = capabilities.hugepage_sizes
    try:
        # One cell at a time: a hole in the ids would end a longer question.
        for cell in capabilities.cell_ids if sizes else ():
            free |= handle.getFreePages(sizes, cell, 1, 0)
    except libvirt.libvirtError as error:
        notes.say(f"libvirt does not tell free hugepages, all count as free: {error}")
    return free


def _devices(handle: Handle, notes: Notes) -> list[Described] | None:
    try:
        devices = handle.listAllDevices(0)
    except libvirt.libvirtError as error:
        if not is_unsupported(error):
            raise
        return None
    return list(_described(handle, devices, notes))


def _described(handle: Handle, devices: list[Device], notes: Notes) -> Iterator[Described]:
    for device in devices:
        try:
            yield device.name(), device.XMLDesc(0)
        except libvirt.libvirtError as error:
            if not handle.isAlive():
                raise
            if not is_gone(error):
                notes.say(f"libvirt's device {device.name()} is left out: {error}")


def online_cpus(handle: Handle) -> frozenset[int]:
    """CPUs of the host that may run something: all up to the highest but those that are said to be offline."""
    _, _, _, _, cells, sockets, cores, threads = handle.getInfo()
    # The test driver's map is shorter than its host.
    _, listed, _ = handle.getCPUMap(0)
    offline = {cpu for cpu, online in enumerate(listed) if not online}
    return frozenset(range(cells * sockets * cores * threads)) - offline
