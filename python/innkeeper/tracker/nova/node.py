"""The row of `compute_nodes`: a host and its totals, written when they are others than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from innkeeper.objects import ComputeNode, Host, Inventory
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.host import Disk
from innkeeper.objects.pci_pool import PciDevicePoolList
from innkeeper.requests.nova_flavors import GIB, gib_up
from innkeeper.tracker.nova.service import BINARY
from innkeeper.tracker.nova.stats import NodeStats
from innkeeper.tracker.nova.totals import Totals


def node_uuid(node: str) -> str:
    """The same node has the same uuid on every start, without a file that could be lost."""
    return str(uuid5(NAMESPACE_URL, f"innkeeper:node:{node}"))


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node's row is made of."""

    service_host: str
    node: str
    host: Host
    inventory: Inventory
    totals: Totals
    stats: NodeStats
    pools: PciDevicePoolList
    cells: str | None
    """A text that holds a topology."""


def compute_node_row(facts: NodeFacts) -> ComputeNode:
    """Totals of the host, MiB for memory and GiB for disks.

    What is reserved counts as used, and free amounts may be negative, as in Nova. Ratios are those that
    claims are decided by. There are no monitors, so metrics are null.
    """
    inventory, totals = facts.inventory, facts.totals
    memory_mb = facts.host.memory_kib // 1024
    local_gb = inventory.disk_mib.total // GIB
    local_gb_used = gib_up(totals.disk_mib)
    return ComputeNode(
        uuid=node_uuid(facts.node),
        host=facts.service_host,
        hypervisor_hostname=facts.node,
        hypervisor_type=BINARY,
        hypervisor_version=1,
        cpu_info="",
        vcpus=inventory.vcpus.total,
        memory_mb=memory_mb,
        local_gb=local_gb,
        vcpus_used=totals.vcpus,
        memory_mb_used=totals.memory_mib,
        local_gb_used=local_gb_used,
        free_ram_mb=memory_mb - totals.memory_mib,
        free_disk_gb=local_gb - local_gb_used,
        disk_available_least=_available_least(facts.host.disk),
        running_vms=facts.stats.instances,
        current_workload=facts.stats.workload,
        cpu_allocation_ratio=inventory.vcpus.allocation_ratio,
        ram_allocation_ratio=inventory.memory_mib.allocation_ratio,
        disk_allocation_ratio=inventory.disk_mib.allocation_ratio,
        stats=facts.stats.texts(),
        metrics=None,
        pci_device_pools=facts.pools,
        numa_topology=facts.cells,
    )


def _available_least(disk: Disk | None) -> int | None:
    """Whole GiB that the file system has free now, whoever uses the rest."""
    return None if disk is None else disk.free_mib // GIB


@dataclass(frozen=True, slots=True)
class _Sent:
    """A form of the row on its way to the store."""

    number: int
    row: ComputeNode
    content: dict[str, Any]


class NodeRecord:
    """Tells which form of the row is published, so that an equal one is not written again.

    While any form is under way it is not known what will stand there, and the next one is written.
    """

    def __init__(self) -> None:
        self._sent: dict[int, _Sent] = {}
        self._number = 0
        self._published: _Sent | None = None

    def news(self, row: ComputeNode) -> tuple[ComputeNode, ...]:
        """The row, when another one is published or may be."""
        published = self._published
        if not self._sent and published is not None and published.content == _content(row):
            return ()
        return (row,)

    @property
    def is_under_way(self) -> bool:
        """Whether a form of the row is not known to be written."""
        return bool(self._sent)

    def send(self, records: tuple[VersionedObject, ...]) -> None:
        """These are on their way; `landed` or `lost` follows with the same objects."""
        for row in _nodes(records):
            self._number += 1
            self._sent[id(row)] = _Sent(self._number, row, _content(row))

    def landed(self, records: tuple[VersionedObject, ...]) -> None:
        """They are durable; of several the one that was sent last counts."""
        for row in _nodes(records):
            sent = self._sent.pop(id(row), None)
            if sent is not None and sent.number > (
                self._published.number if self._published else 0
            ):
                self._published = sent

    def lost(self, records: tuple[VersionedObject, ...]) -> None:
        """They were not written."""
        for row in _nodes(records):
            self._sent.pop(id(row), None)


def _nodes(records: tuple[VersionedObject, ...]) -> list[ComputeNode]:
    return [one for one in records if isinstance(one, ComputeNode)]


def _content(row: ComputeNode) -> dict[str, Any]:
    """Values as they were set; pools of one object are equal without a look into them."""
    return dict(row.__dict__)
