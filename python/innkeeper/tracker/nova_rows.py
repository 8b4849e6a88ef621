"""What Nova's tables say of this host: node, service, instances and devices, as objects.

They are the projection of the claims, made for the same change set, so that no transaction shows one
without the other. Totals are those of the ledger less what is being released in the same step; a row
that a lost write left behind is put right by the next step or audit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from innkeeper.objects import Claim, ClaimState, Inventory, PciKind, PlacedDevice, Pool, Usage
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.compute_node import ComputeNode
from innkeeper.objects.host import Device, Host
from innkeeper.objects.instance import Instance
from innkeeper.objects.pci_device import PciDevice
from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList
from innkeeper.objects.service import Service


class Rows(Protocol):
    """The rows that a step changes; none where Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """What these next forms of claims mean for the tables."""
        ...

    def of_host(self, gone: Iterable[Device] = ()) -> tuple[VersionedObject, ...]:
        """Everything but instances without devices, as it is now; `gone` left the host."""
        ...


class NoRows:
    """Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_host(self, gone: Iterable[Device] = ()) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()


BINARY = "innkeeper"
"""Never `nova-compute`: a Nova of today would count us among its own (and wait for our version)."""

DEV_TYPES = {PciKind.PCI: "type-PCI", PciKind.PF: "type-PF", PciKind.VF: "type-VF"}

GIB = 1024
"""MiB."""


def node_uuid(node: str) -> str:
    """The same node has the same uuid on every start, without a file that could be lost."""
    return str(uuid5(NAMESPACE_URL, f"innkeeper:node:{node}"))


def service_row(node: str) -> Service:
    """The service that keeps this host's books."""
    return Service(
        host=node,
        binary=BINARY,
        topic=BINARY,
        report_count=0,
        disabled=False,
        forced_down=False,
        version=0,
        uuid=str(uuid5(NAMESPACE_URL, f"innkeeper:service:{node}")),
    )


def compute_node_row(
    node: str,
    host: Host,
    inventory: Inventory,
    usage: Usage,
    pools: Iterable[Pool],
    leaving: Sequence[Claim],
) -> ComputeNode:
    """Totals of the host, MiB for memory and GiB for disks.

    What is reserved counts as used, and free amounts may be negative, as in Nova.
    """
    memory_used = usage.memory_mib.used + usage.memory_mib.reserved
    memory_used -= sum(claim.placement.memory_mib for claim in leaving)
    disk_used = usage.disk_mib.used + usage.disk_mib.reserved
    disk_used -= sum(claim.placement.disk_mib for claim in leaving)
    vcpus_used = usage.vcpus.used + usage.vcpus.reserved
    vcpus_used -= sum(claim.placement.vcpus for claim in leaving)
    memory_mb = host.memory_kib // 1024
    local_gb = usage.disk_mib.total // GIB
    return ComputeNode(
        uuid=node_uuid(node),
        host=node,
        hypervisor_hostname=node,
        hypervisor_type=BINARY,
        hypervisor_version=1,
        cpu_info="",
        vcpus=inventory.vcpus.total,
        memory_mb=memory_mb,
        local_gb=local_gb,
        vcpus_used=vcpus_used,
        memory_mb_used=memory_used,
        local_gb_used=_gib_up(disk_used),
        free_ram_mb=memory_mb - memory_used,
        free_disk_gb=local_gb - _gib_up(disk_used),
        running_vms=usage.claims - len(leaving),
        current_workload=0,
        cpu_allocation_ratio=inventory.vcpus.allocation_ratio,
        ram_allocation_ratio=inventory.memory_mib.allocation_ratio,
        disk_allocation_ratio=inventory.disk_mib.allocation_ratio,
        pci_device_pools=pool_rows(pools, leaving),
    )


def _gib_up(mib: int) -> int:
    return -(-mib // GIB)


def pool_rows(pools: Iterable[Pool], leaving: Sequence[Claim] = ()) -> PciDevicePoolList:
    """Free devices alike, counted; in order of product and cell."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for pool in pools:
        counts[_pool_key(pool)] += pool.free
    for claim in leaving:
        counts.update(_pool_key(device) for device in claim.placement.devices)
    return PciDevicePoolList(
        objects=tuple(
            PciDevicePool(
                vendor_id=vendor,
                product_id=product,
                numa_node=None if cell == NO_CELL else cell,
                tags={},
                count=count,
            )
            for (vendor, product, cell), count in sorted(counts.items())
            if count
        )
    )


NO_CELL = -1
"""Sorts before every cell."""


def _pool_key(one: Pool | PlacedDevice) -> tuple[str, str, int]:
    return one.vendor_id, one.product_id, NO_CELL if one.cell is None else one.cell


def device_rows(devices: Iterable[Device]) -> Iterator[PciDevice]:
    """Every device that may be handed out, as if nobody held it."""
    for device in devices:
        yield _device_row(device, status="available", instance_uuid=None)


def _device_row(device: Device, *, status: str, instance_uuid: str | None) -> PciDevice:
    return PciDevice(
        address=device.address,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        dev_type=DEV_TYPES[device.kind],
        dev_id=f"pci_{device.address.replace(':', '_').replace('.', '_')}",
        label=f"label_{device.vendor_id}_{device.product_id}",
        status=status,
        instance_uuid=instance_uuid,
        numa_node=device.cell,
        parent_addr=device.parent,
        extra_info={},
    )


def gone_rows(devices: Iterable[Device]) -> Iterator[PciDevice]:
    """Devices that left the host."""
    for device in devices:
        yield PciDevice(
            address=device.address,
            vendor_id=device.vendor_id,
            product_id=device.product_id,
            status="removed",
        )


def claim_rows(
    node: str, claims: Iterable[Claim], offered: Mapping[str, Device]
) -> Iterator[VersionedObject]:
    """What these forms of claims mean for instances and devices; `offered` is by address."""
    for claim in claims:
        if claim.instance_uuid is not None:
            yield _instance_row(node, claim)
        for placed in claim.placement.devices:
            device = offered.get(placed.address)
            if device is None and not claim.state.live:
                yield from gone_rows([_as_device(placed)])
            else:
                yield _held_device_row(claim, device or _as_device(placed))


def _as_device(placed: PlacedDevice) -> Device:
    """A device that is held and that the host does not offer any more."""
    return Device(
        address=placed.address,
        vendor_id=placed.vendor_id,
        product_id=placed.product_id,
        kind=PciKind.VF if placed.parent else PciKind.PCI,
        parent=placed.parent,
        cell=placed.cell,
    )


def _instance_row(node: str, claim: Claim) -> Instance:
    """An ended claim's instance is gone from this host: its row is marked deleted."""
    here = claim.state.live
    row = Instance(
        uuid=str(claim.instance_uuid),
        project_id=claim.holder.project,
        user_id=claim.holder.user,
        display_name=claim.name,
        host=node if here else None,
        node=node if here else None,
        vcpus=claim.placement.vcpus,
        memory_mb=claim.placement.memory_mib,
        root_gb=_gib_up(claim.placement.disk_mib),
        ephemeral_gb=0,
        vm_state=_VM_STATES[claim.state],
        task_state=None,
    )
    if not here:
        row.deleted = True
    return row


_VM_STATES = {
    ClaimState.PENDING: "building",
    ClaimState.CONFIRMED: "active",
    ClaimState.ABORTED: "deleted",
    ClaimState.RELEASED: "deleted",
}


def _held_device_row(claim: Claim, device: Device) -> PciDevice:
    """The whole row: the device may be one that no row was made of yet."""
    status = {ClaimState.PENDING: "claimed", ClaimState.CONFIRMED: "allocated"}
    held_by = claim.instance_uuid if claim.state.live else None
    return _device_row(
        device,
        status=status.get(claim.state, "available"),
        instance_uuid=None if held_by is None else str(held_by),
    )
