"""What Nova's tables say of this host: node and service, as objects.

They are the projection of the claims, made for the same change set, so that no transaction shows one
without the other. Totals are those of the ledger less what is being released in the same step; a row
that a lost write left behind is put right by the next step or audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import NAMESPACE_URL, uuid5

from innkeeper.objects import ChangeSet, Claim, Inventory
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.compute_node import ComputeNode
from innkeeper.objects.host import Host
from innkeeper.objects.pci_pool import PciDevicePoolList
from innkeeper.objects.service import Service
from innkeeper.requests.nova_flavors import GIB, gib_up
from innkeeper.tracker.nova_totals import Totals


class Rows(Protocol):
    """The rows that a step changes; none where Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """What these next forms of claims mean for the tables."""
        ...

    def of_host(self) -> tuple[VersionedObject, ...]:
        """Service, node, and what changed of devices; all of them when it is asked first."""
        ...

    def landed(self, change_set: ChangeSet) -> None:
        """It is durable; the claims in it are published."""
        ...

    def lost(self, change_set: ChangeSet) -> None:
        """It was not written: what is published counts again."""
        ...


class NoRows:
    """Nova's tables are not kept."""

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def of_host(self) -> tuple[VersionedObject, ...]:  # noqa: D102
        return ()

    def landed(self, change_set: ChangeSet) -> None:
        """Nothing follows."""

    def lost(self, change_set: ChangeSet) -> None:
        """Nothing follows."""


BINARY = "innkeeper"
"""Never `nova-compute`: a Nova of today would count us among its own (and wait for our version)."""


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
    totals: Totals,
    pools: PciDevicePoolList,
    cells: str | None,
) -> ComputeNode:
    """Totals of the host, MiB for memory and GiB for disks; `cells` is a text that holds a topology.

    What is reserved counts as used, and free amounts may be negative, as in Nova.
    """
    memory_mb = host.memory_kib // 1024
    local_gb = inventory.disk_mib.total // GIB
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
        vcpus_used=totals.vcpus,
        memory_mb_used=totals.memory_mib,
        local_gb_used=gib_up(totals.disk_mib),
        free_ram_mb=memory_mb - totals.memory_mib,
        free_disk_gb=local_gb - gib_up(totals.disk_mib),
        running_vms=totals.instances,
        current_workload=0,
        cpu_allocation_ratio=inventory.vcpus.allocation_ratio,
        ram_allocation_ratio=inventory.memory_mib.allocation_ratio,
        disk_allocation_ratio=inventory.disk_mib.allocation_ratio,
        pci_device_pools=pools,
        numa_topology=cells,
    )
