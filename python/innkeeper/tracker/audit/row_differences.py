"""How a row of Nova's tables differs from what the claims make of it; only what they decide is compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from innkeeper.errors import InnkeeperError
from innkeeper.objects import ComputeNode, Instance, PciDevice
from innkeeper.objects.instance_numa import InstanceNUMATopology
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.stored_host import read_topology

_INSTANCE: Final = (
    *("host", "node", "vm_state", "task_state"),
    *("vcpus", "memory_mb", "root_gb", "ephemeral_gb"),
)
_DEVICE: Final = (
    *("status", "instance_uuid", "request_id", "vendor_id", "product_id"),
    *("dev_type", "numa_node", "parent_addr"),
)
_NODE: Final = (
    *("vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used"),
    *("free_ram_mb", "free_disk_gb", "running_vms"),
)

Difference = tuple[str, str, str]
"""A field, what it is to be, and what it is."""


def of_instance(wanted: Instance, found: Instance) -> list[Difference]:
    """States, amounts and cells."""
    differences = _of_fields(_INSTANCE, wanted, found)
    if wanted.is_set("numa_topology"):
        there = found.numa_topology if found.is_set("numa_topology") else None
        differences += _of_values("cells", _guest_cells(wanted.numa_topology), _guest_cells(there))
    return differences


def of_device(wanted: PciDevice, found: PciDevice) -> list[Difference]:
    """Who has it, and what it is."""
    return _of_fields(_DEVICE, wanted, found)


def of_totals(wanted: ComputeNode, found: ComputeNode) -> list[Difference]:
    """Amounts of the node, and what is used of each cell."""
    differences = _of_fields(_NODE, wanted, found)
    there = found.numa_topology if found.is_set("numa_topology") else None
    if wanted.numa_topology != there:
        differences += _of_values("cells", _cells(wanted.numa_topology), _cells(there))
    return differences


def of_pools(wanted: ComputeNode, found: ComputeNode) -> list[Difference]:
    """Devices that schedulers take for free."""
    there = found.pci_device_pools if found.is_set("pci_device_pools") else None
    return _of_values("pci_stats", _pools(wanted.pci_device_pools), _pools(there))


def told(differences: Iterable[Difference]) -> str:
    """In words."""
    return "; ".join(
        f"{name} is {found} and should be {wanted}" for name, wanted, found in differences
    )


def _of_fields(names: Iterable[str], wanted: NovaObject, found: NovaObject) -> list[Difference]:
    pairs = (
        (name, getattr(wanted, name), _value(found, name)) for name in names if wanted.is_set(name)
    )
    return [(name, str(one), str(other)) for name, one, other in pairs if one != other]


def _value(found: NovaObject, name: str) -> Any:
    return getattr(found, name) if found.is_set(name) else None


def _of_values(name: str, wanted: object, found: object) -> list[Difference]:
    return [] if wanted == found else [(name, str(wanted), str(found))]


def _guest_cells(topology: InstanceNUMATopology | None) -> list[Any] | None:
    if topology is None:
        return None
    names = ("id", "cpuset", "pcpuset", "memory", "pagesize", "cpu_pinning_raw")
    return [[_plain(_value(cell, name)) for name in names] for cell in topology.cells]


def _cells(text: str | None) -> list[Any] | str | None:
    """What is used of each; a text that makes no sense is itself."""
    try:
        topology = read_topology(text)
    except InnkeeperError:
        return text
    if topology is None:
        return None
    return [
        [
            cell.id,
            cell.cpu_usage,
            cell.memory_usage,
            _plain(_value(cell, "pinned_cpus")),
            [(pages.size_kb, pages.used) for pages in _value(cell, "mempages") or ()],
        ]
        for cell in topology.cells
    ]


def _pools(pools: Any) -> list[Any]:
    listed = () if pools is None else pools.objects
    return sorted(
        (one.vendor_id, one.product_id, str(one.numa_node), one.count, sorted(one.tags.items()))
        for one in listed
    )


def _plain(value: Any) -> Any:
    """Empty and not said are the same."""
    if isinstance(value, (set, frozenset)):
        value = sorted(value)
    return value or None
