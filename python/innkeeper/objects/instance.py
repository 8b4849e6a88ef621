"""A guest's stored record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from innkeeper.objects.cpu_model import VirtCPUModel
from innkeeper.objects.fields import (
    Boolean,
    DateTime,
    DictOfNullableStrings,
    DictOfStrings,
    Integer,
    IPv4,
    IPv6,
    String,
    Uuid,
)
from innkeeper.objects.flavor import Flavor
from innkeeper.objects.history import Added, Changed, Children, Removed, VersionNumber
from innkeeper.objects.instance_numa import InstanceNUMATopology
from innkeeper.objects.kinds import foreign
from innkeeper.objects.migration import MigrationContext, ResourceList
from innkeeper.objects.pci_device import PciDeviceList
from innkeeper.objects.pci_request import InstancePCIRequests
from innkeeper.objects.reader import Reader
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.service import ServiceList
from innkeeper.objects.values import Foreign
from innkeeper.objects.wire import UNSET, unset

EC2Ids = Annotated[Foreign, foreign("EC2Ids")]
InstanceDeviceMetadata = Annotated[Foreign, foreign("InstanceDeviceMetadata")]
InstanceFault = Annotated[Foreign, foreign("InstanceFault")]
InstanceInfoCache = Annotated[Foreign, foreign("InstanceInfoCache")]
KeyPairList = Annotated[Foreign, foreign("KeyPairList")]
SecurityGroupList = Annotated[Foreign, foreign("SecurityGroupList")]
TagList = Annotated[Foreign, foreign("TagList")]
TrustedCerts = Annotated[Foreign, foreign("TrustedCerts")]

_ASCII_ONLY = (
    *("architecture", "availability_zone", "cell_name", "config_drive", "default_ephemeral_device"),
    *("default_swap_device", "display_description", "display_name", "host", "hostname"),
    *("image_ref", "kernel_id", "key_data", "key_name", "launched_on", "locked_by", "node"),
    *("os_type", "project_id", "ramdisk_id", "root_device_name", "user_data", "user_id", "vm_mode"),
)
_FLAVOR_KEYS = (
    *("id", "name", "memory_mb", "vcpus", "root_gb", "ephemeral_gb", "flavorid", "swap"),
    *("rxtx_factor", "vcpu_weight"),
)
KEPT_EXTRA_SPECS = ("hw:numa_cpus.", "hw:numa_mem.")


class Instance(Persistent):
    """One guest; memory in MiB, disks in GiB."""

    VERSION = "2.8"
    HISTORY = {
        "1.0": Children(fault="1.0"),
        "1.1": Added("info_cache", child="1.0"),
        "1.2": Added("security_groups", child="1.0"),
        "1.3": "save(expected_vm_state, admin_state_reset)",
        "1.4": Added("locked_by"),
        "1.5": Added("cleaned"),
        "1.6": Added("pci_devices", child="1.0"),
        "1.7": "texts may be unicode",
        "1.8": Changed("security_groups", "and pci_devices not null"),
        "1.9": (Changed("uuid", "not null"), Children(info_cache="1.4")),
        "1.10": Children(info_cache="1.5"),
        "1.11": "destroy() updates the object",
        "1.12": Added("ephemeral_key_uuid"),
        "1.13": (Children(fault="1.2"), "delete_metadata_key()"),
        "1.14": Added("numa_topology", child="1.0"),
        "1.15": Children(pci_devices="1.1"),
        "1.16": (Added("pci_requests", child="1.1"), Children(numa_topology="1.1")),
        "1.17": Added("tags", child="1.0"),
        "1.18": (
            Added("flavor", "old_flavor", "new_flavor", child="1.1"),
            Children(pci_devices="1.2"),
        ),
        "1.19": Added("vcpu_model", child="1.0"),
        "1.20": Added("ec2_ids", child="1.0"),
        "1.21": Children(tags="1.1"),
        "1.22": Children(numa_topology="1.2"),
        "1.23": Added("migration_context", child="1.0"),
        "2.0": Removed("scheduled_at"),
        "2.1": (Added("services", child="1.18"), Children(pci_devices="1.3")),
        "2.2": (Added("keypairs"), Children(services="1.19", migration_context="1.1")),
        "2.3": Added("device_metadata"),
        "2.4": (
            Added("trusted_certs"),
            Children(flavor="1.2", old_flavor="1.2", new_flavor="1.2", numa_topology="1.3"),
        ),
        "2.5": (Children(migration_context="1.2"), "destroy(hard_delete)"),
        "2.6": Added("hidden"),
        "2.7": Added("resources"),
        "2.8": Added("compute_id"),
    }

    id: Integer = UNSET
    user_id: String | None = UNSET
    project_id: String | None = UNSET
    image_ref: String | None = UNSET
    kernel_id: String | None = UNSET
    ramdisk_id: String | None = UNSET
    hostname: String | None = UNSET
    launch_index: Integer | None = UNSET
    key_name: String | None = UNSET
    key_data: String | None = UNSET
    power_state: Integer | None = UNSET
    vm_state: String | None = UNSET
    task_state: String | None = UNSET
    services: ServiceList = UNSET
    memory_mb: Integer | None = UNSET
    vcpus: Integer | None = UNSET
    root_gb: Integer | None = UNSET
    ephemeral_gb: Integer | None = UNSET
    ephemeral_key_uuid: Uuid | None = UNSET
    host: String | None = UNSET
    node: String | None = UNSET
    compute_id: Integer | None = UNSET
    instance_type_id: Integer | None = UNSET
    user_data: String | None = UNSET
    reservation_id: String | None = UNSET
    scheduled_at: DateTime | None = UNSET
    launched_at: DateTime | None = UNSET
    terminated_at: DateTime | None = UNSET
    availability_zone: String | None = UNSET
    display_name: String | None = UNSET
    display_description: String | None = UNSET
    launched_on: String | None = UNSET
    locked: Boolean = unset(default=False)
    locked_by: String | None = UNSET
    os_type: String | None = UNSET
    architecture: String | None = UNSET
    vm_mode: String | None = UNSET
    uuid: Uuid = UNSET
    root_device_name: String | None = UNSET
    default_ephemeral_device: String | None = UNSET
    default_swap_device: String | None = UNSET
    config_drive: String | None = UNSET
    access_ip_v4: IPv4 | None = UNSET
    access_ip_v6: IPv6 | None = UNSET
    auto_disk_config: Boolean = unset(default=False)
    progress: Integer | None = UNSET
    shutdown_terminate: Boolean = unset(default=False)
    disable_terminate: Boolean = unset(default=False)
    cell_name: String | None = UNSET
    metadata: DictOfStrings = UNSET
    system_metadata: DictOfNullableStrings = UNSET
    info_cache: InstanceInfoCache | None = UNSET
    security_groups: SecurityGroupList = UNSET
    fault: InstanceFault | None = UNSET
    cleaned: Boolean = unset(default=False)
    pci_devices: PciDeviceList | None = UNSET
    numa_topology: InstanceNUMATopology | None = UNSET
    pci_requests: InstancePCIRequests | None = UNSET
    device_metadata: InstanceDeviceMetadata | None = UNSET
    tags: TagList = UNSET
    flavor: Flavor = UNSET
    old_flavor: Flavor | None = UNSET
    new_flavor: Flavor | None = UNSET
    vcpu_model: VirtCPUModel | None = UNSET
    ec2_ids: EC2Ids = UNSET
    migration_context: MigrationContext | None = UNSET
    keypairs: KeyPairList = UNSET
    trusted_certs: TrustedCerts | None = UNSET
    hidden: Boolean = unset(default=False)
    resources: ResourceList | None = UNSET

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Before 1.18 flavors were in the system metadata; before 1.7 texts were ASCII."""
        if target < (1, 18) and "system_metadata" in data:
            for prefix, name in (("", "flavor"), ("old_", "old_flavor"), ("new_", "new_flavor")):
                flavor = self.__dict__.get(name)
                if flavor is not None:
                    data["system_metadata"].update(flavor_metadata(flavor, prefix))
        if target < (1, 7):
            for name in _ASCII_ONLY:
                if data.get(name) is not None:
                    data[name] = data[name].encode("ascii", "replace").decode("ascii")


def flavor_metadata(flavor: Flavor, prefix: str = "") -> dict[str, Any]:
    """A flavor as keys of an instance's system metadata, values of their own types.

    Only the extra specs that place CPUs and memory on cells are kept there, as Juno did.
    """
    return dict(_flavor_items(flavor, f"{prefix}instance_type_"))


def _flavor_items(flavor: Flavor, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in _FLAVOR_KEYS:
        if flavor.is_set(name):
            yield prefix + name, getattr(flavor, name)
    if flavor.is_set("extra_specs"):
        for key, value in flavor.extra_specs.items():
            if key.startswith(KEPT_EXTRA_SPECS):
                yield f"{prefix}extra_{key}", value


class InstanceList(NovaList):
    """Several instances."""

    VERSION = "2.6"
    HISTORY = {
        "1.0": "first",
        "1.1": Children(objects="1.9"),
        "1.2": Children(objects="1.11"),
        "1.3": "use_slave in get_by_host()",
        "1.4": Children(objects="1.12"),
        "1.5": "get_active_by_window_joined()",
        "1.6": Children(objects="1.13"),
        "1.7": "use_slave in get_active_by_window_joined()",
        "1.8": Children(objects="1.14"),
        "1.9": Children(objects="1.15"),
        "1.10": Children(objects="1.16"),
        "1.11": "sort_keys and sort_dirs",
        "1.12": "get_by_security_group_id()",
        "1.13": Children(objects="1.17"),
        "1.14": Children(objects="1.18"),
        "1.15": Children(objects="1.19"),
        "1.16": "get_all()",
        "1.17": Children(objects="1.20"),
        "1.18": Children(objects="1.21"),
        "1.19": "join and batch of metadata",
        "1.20": Children(objects="1.22"),
        "1.21": "get_by_grantee_security_group_ids()",
        "1.22": Children(objects="1.23"),
        "2.0": Children(objects="2.0"),
        "2.1": (Children(objects="2.3"), "get_uuids_by_host()"),
        "2.2": "paging",
        "2.3": "get_count_by_vm_state()",
        "2.4": "get_counts()",
        "2.5": (Children(objects="2.7"), "get_uuids_by_host_and_node()"),
        "2.6": "get_uuids_by_hosts()",
    }

    objects: tuple[Instance, ...] = UNSET
