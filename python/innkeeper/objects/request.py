"""What an instance asks for, where it was put, and why not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from innkeeper.objects.base import (
    Amount,
    CounterName,
    CpuList,
    PciAddress,
    PciId,
    VersionedObject,
)

VCpus = Annotated[int, Field(strict=True, ge=1, le=65_536)]
Mebibytes = Annotated[int, Field(strict=True, ge=1, le=2**40)]
Count = Annotated[int, Field(strict=True, ge=1, le=65_536)]


class DeviceRequest(VersionedObject):
    """So many devices of one product, each for this instance alone."""

    vendor_id: PciId
    product_id: PciId
    count: Count = 1


class Request(VersionedObject):
    """What an instance asks for; null is "nothing of it", zero is refused."""

    vcpus: VCpus | None = None
    memory_mib: Mebibytes | None = None
    disk_mib: Mebibytes | None = None
    devices: Annotated[tuple[DeviceRequest, ...], Field(max_length=64)] = ()
    counters: Annotated[dict[CounterName, Count], Field(max_length=64)] = {}


class PlacedDevice(VersionedObject):
    """One device given to an instance."""

    address: PciAddress
    vendor_id: PciId
    product_id: PciId
    cell: int | None = None
    parent: PciAddress | None = None
    """The PF of a VF; it stays barred while this is held, even when the VF is no longer offered."""


class Placement(VersionedObject):
    """What a claim holds: amounts, CPUs to run on, devices."""

    vcpus: Amount = 0
    memory_mib: Amount = 0
    disk_mib: Amount = 0
    cpus: CpuList = ""
    """CPUs that the instance may run on; empty when it asked for no vCPU."""
    devices: tuple[PlacedDevice, ...] = ()
    counters: dict[CounterName, Amount] = {}


class Filtered(VersionedObject):
    """How many candidates one filter removed and how many it left."""

    filter: str
    removed: Amount
    left: Amount


class Misfit(VersionedObject):
    """One constraint that fails, with its numbers."""

    code: str
    """`insufficient_vcpus`, `insufficient_memory`, `insufficient_disk`, `insufficient_counter`,
    `unknown_counter`, `insufficient_devices` or `unknown_device`."""
    resource: str
    """`vcpus`, `memory_mib`, `disk_mib`, the counter's name, or `vendor:product`."""
    message: str
    asked: Amount
    free: Amount
    """What would fit now; with devices, what is free together with the rest of the request."""
    capacity: Amount
    used: Amount
    filters: tuple[Filtered, ...] = ()
