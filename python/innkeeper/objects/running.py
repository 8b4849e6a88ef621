"""An instance that a hypervisor says it runs, whoever booked it."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from innkeeper.objects.base import Amount, Name, PciAddress, VersionedObject


class PowerState(StrEnum):
    """What the hypervisor says that the instance does."""

    RUNNING = "running"
    PAUSED = "paused"
    OFF = "off"
    """It is defined and takes nothing of the host but its disk."""
    CRASHED = "crashed"


class RunningInstance(VersionedObject):
    """One instance as the hypervisor has it."""

    uuid: UUID
    name: Name
    state: PowerState
    vcpus: Amount
    memory_mib: Amount
    """Of the guest, without what the hypervisor needs itself."""
    pins: dict[int, str] = {}
    """vCPU to the CPUs that it may run on, as the hypervisor was told; those that float everywhere are
    left out."""
    devices: tuple[PciAddress, ...] = ()
    """PCI functions of the host that it has, ascending."""
