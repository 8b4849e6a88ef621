"""A host and its totals, as schedulers see it."""

from __future__ import annotations

from typing import Any

from innkeeper.objects.fields import (
    DictOfNullableStrings,
    Float,
    Integer,
    IPAddress,
    String,
    Uuid,
)
from innkeeper.objects.history import Added, Changed, Children, VersionNumber
from innkeeper.objects.hv_spec import HVSpec
from innkeeper.objects.pci_pool import PciDevicePoolList
from innkeeper.objects.reader import Reader
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.wire import UNSET, unset

NO_SERVICE = -1
"""`service_id` for readers that cannot have null: a later use of it finds no service."""


class ComputeNode(Persistent):
    """One hypervisor of a host; memory in MiB, disks in GiB.

    `cpu_info`, `metrics` and `numa_topology` are texts that hold JSON.
    """

    VERSION = "1.19"
    HISTORY = {
        "1.0": "first",
        "1.1": "get_by_service_id()",
        "1.2": "texts may be unicode",
        "1.3": Added("stats"),
        "1.4": Added("host_ip"),
        "1.5": Added("numa_topology"),
        "1.6": Added("supported_hv_specs", child="1.0"),
        "1.7": Added("host"),
        "1.8": "get_by_host_and_nodename()",
        "1.9": Added("pci_device_pools", child="1.0"),
        "1.10": "get_first_node_by_host_for_old_compat()",
        "1.11": Children(pci_device_pools="1.1"),
        "1.12": Children(supported_hv_specs="1.1"),
        "1.13": Changed("service_id", "may be null"),
        "1.14": Added("cpu_allocation_ratio", "ram_allocation_ratio"),
        "1.15": (Added("uuid"), Children(supported_hv_specs="1.2")),
        "1.16": Added("disk_allocation_ratio"),
        "1.17": Added("mapped"),
        "1.18": "get_by_uuid()",
        "1.19": "get_by_nodename()",
    }

    id: Integer = unset(read_only=True)
    uuid: Uuid = unset(read_only=True)
    service_id: Integer | None = UNSET
    host: String | None = UNSET
    vcpus: Integer = UNSET
    memory_mb: Integer = UNSET
    local_gb: Integer = UNSET
    vcpus_used: Integer = UNSET
    memory_mb_used: Integer = UNSET
    local_gb_used: Integer = UNSET
    hypervisor_type: String = UNSET
    hypervisor_version: Integer = UNSET
    hypervisor_hostname: String | None = UNSET
    free_ram_mb: Integer | None = UNSET
    free_disk_gb: Integer | None = UNSET
    current_workload: Integer | None = UNSET
    running_vms: Integer | None = UNSET
    cpu_info: String | None = UNSET
    disk_available_least: Integer | None = UNSET
    metrics: String | None = UNSET
    stats: DictOfNullableStrings | None = UNSET
    host_ip: IPAddress | None = UNSET
    numa_topology: String | None = UNSET
    supported_hv_specs: tuple[HVSpec, ...] = UNSET
    pci_device_pools: PciDevicePoolList | None = UNSET
    cpu_allocation_ratio: Float = UNSET
    ram_allocation_ratio: Float = UNSET
    disk_allocation_ratio: Float = UNSET
    mapped: Integer = UNSET

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Before 1.13 every node had a service: the nova-compute service of its host."""
        if target < (1, 13) and data.get("service_id") is None:
            host = self.__dict__.get("host")
            found = None if host is None else reader.lookup.service_id(host)
            data["service_id"] = NO_SERVICE if found is None else found


class ComputeNodeList(NovaList):
    """Several hosts."""

    VERSION = "1.17"
    HISTORY = {
        "1.0": Children(objects="1.2"),
        "1.1": Children(objects="1.3"),
        "1.2": "get_by_service()",
        "1.3": Children(objects="1.4"),
        "1.4": Children(objects="1.5"),
        "1.5": "use_slave",
        "1.6": Children(objects="1.6"),
        "1.7": Children(objects="1.7"),
        "1.8": (Children(objects="1.8"), "get_all_by_host()"),
        "1.9": Children(objects="1.9"),
        "1.10": Children(objects="1.10"),
        "1.11": Children(objects="1.11"),
        "1.12": Children(objects="1.12"),
        "1.13": Children(objects="1.13"),
        "1.14": Children(objects="1.14"),
        "1.15": (Children(objects="1.16"), "get_by_pagination()"),
        "1.16": "get_all_by_uuids()",
        "1.17": (Children(objects="1.18"), "get_all_by_not_mapped()"),
    }

    objects: tuple[ComputeNode, ...] = UNSET
