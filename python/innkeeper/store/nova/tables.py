"""Nova's tables in today's shape, as the embedded database gets them.

Names, types and keys are those of the main database of Nova 34. A shared database is never made
from these: it is used as it is found, see `shape`.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

nova_metadata: Final = MetaData()

_NAME = String(255)
_UUID = String(36)
#: Nova's own, since MariaDB's keys end at 3072 bytes.
_OF_EACH = dict.fromkeys(("source_compute", "dest_compute", "source_node", "dest_node"), 100)
_Kind = type[TypeEngine[Any]] | TypeEngine[Any]


def _kept() -> list[Column[Any]]:
    """What every table has: when its rows came, changed and went; `deleted` is the id of a gone row."""
    moments: list[Column[Any]] = [
        Column(name, DateTime) for name in ("created_at", "updated_at", "deleted_at")
    ]
    return [*moments, Column("deleted", Integer), Column("id", Integer, primary_key=True)]


def _columns(kind: _Kind, *names: str) -> list[Column[Any]]:
    return [Column(name, kind) for name in names]


def _needed(kind: _Kind, *names: str) -> list[Column[Any]]:
    return [Column(name, kind, nullable=False) for name in names]


def _of_instance(name: str) -> Column[Any]:
    return Column("instance_uuid", _UUID, ForeignKey("instances.uuid", name=name), nullable=False)


compute_nodes = Table(
    "compute_nodes",
    nova_metadata,
    *_kept(),
    *_columns(Integer, "service_id"),
    *_needed(Integer, "vcpus", "memory_mb", "local_gb"),
    *_needed(Integer, "vcpus_used", "memory_mb_used", "local_gb_used"),
    *_needed(Text, "hypervisor_type"),
    *_needed(Integer, "hypervisor_version"),
    *_needed(Text, "cpu_info"),
    *_columns(Integer, "disk_available_least", "free_ram_mb", "free_disk_gb"),
    *_columns(Integer, "current_workload", "running_vms"),
    *_columns(_NAME, "hypervisor_hostname"),
    *_columns(String(39), "host_ip"),
    *_columns(Text, "supported_instances", "pci_stats", "metrics", "extra_resources"),
    *_columns(Text, "stats", "numa_topology"),
    *_columns(_NAME, "host"),
    *_columns(Float, "ram_allocation_ratio", "cpu_allocation_ratio", "disk_allocation_ratio"),
    *_columns(_UUID, "uuid"),
    *_columns(Integer, "mapped"),
    Index("compute_nodes_uuid_idx", "uuid", unique=True),
    UniqueConstraint(
        *("host", "hypervisor_hostname", "deleted"),
        name="uniq_compute_nodes0host0hypervisor_hostname0deleted",
    ),
)

services = Table(
    "services",
    nova_metadata,
    *_kept(),
    *_columns(_NAME, "host", "binary", "topic"),
    *_needed(Integer, "report_count"),
    *_columns(Boolean, "disabled"),
    *_columns(_NAME, "disabled_reason"),
    *_columns(DateTime, "last_seen_up"),
    *_columns(Boolean, "forced_down"),
    *_columns(Integer, "version"),
    *_columns(_UUID, "uuid"),
    Index("services_uuid_idx", "uuid", unique=True),
    UniqueConstraint("host", "binary", "deleted", name="uniq_services0host0binary0deleted"),
    UniqueConstraint("host", "topic", "deleted", name="uniq_services0host0topic0deleted"),
)

instances = Table(
    "instances",
    nova_metadata,
    *_kept(),
    *_columns(Integer, "internal_id"),
    *_columns(_NAME, "user_id", "project_id", "image_ref", "kernel_id", "ramdisk_id"),
    *_columns(Integer, "launch_index"),
    *_columns(_NAME, "key_name"),
    *_columns(Text, "key_data"),
    *_columns(Integer, "power_state"),
    *_columns(_NAME, "vm_state"),
    *_columns(Integer, "memory_mb", "vcpus"),
    *_columns(_NAME, "hostname", "host"),
    *_columns(Text, "user_data"),
    *_columns(_NAME, "reservation_id"),
    *_columns(DateTime, "launched_at", "terminated_at"),
    *_columns(_NAME, "display_name", "display_description", "availability_zone"),
    *_columns(Boolean, "locked"),
    *_columns(_NAME, "os_type"),
    *_columns(Text, "launched_on"),
    *_columns(Integer, "instance_type_id"),
    *_columns(_NAME, "vm_mode"),
    *_needed(_UUID, "uuid"),
    *_columns(_NAME, "architecture", "root_device_name"),
    *_columns(String(39), "access_ip_v4", "access_ip_v6"),
    *_columns(_NAME, "config_drive", "task_state"),
    *_columns(_NAME, "default_ephemeral_device", "default_swap_device"),
    *_columns(Integer, "progress"),
    *_columns(Boolean, "auto_disk_config", "shutdown_terminate", "disable_terminate"),
    *_columns(Integer, "root_gb", "ephemeral_gb"),
    *_columns(_NAME, "cell_name", "node"),
    *_columns(String(5), "locked_by"),
    *_columns(Integer, "cleaned"),
    *_columns(_UUID, "ephemeral_key_uuid"),
    *_columns(Boolean, "hidden"),
    *_columns(BigInteger, "compute_id"),
    UniqueConstraint("uuid", name="uniq_instances0uuid"),
    Index("instances_compute_id_deleted_idx", "compute_id", "deleted"),
    Index("instances_deleted_created_at_idx", "deleted", "created_at"),
    Index("instances_host_deleted_cleaned_idx", "host", "deleted", "cleaned"),
    Index("instances_host_node_deleted_idx", "host", "node", "deleted"),
    Index("instances_project_id_deleted_idx", "project_id", "deleted"),
    Index("instances_project_id_idx", "project_id"),
    Index("instances_reservation_id_idx", "reservation_id"),
    Index("instances_task_state_updated_at_idx", "task_state", "updated_at"),
    Index("instances_terminated_at_launched_at_idx", "terminated_at", "launched_at"),
    Index("instances_updated_at_project_id_idx", "updated_at", "project_id"),
    Index("instances_uuid_deleted_idx", "uuid", "deleted"),
)

instance_extra = Table(
    "instance_extra",
    nova_metadata,
    *_kept(),
    _of_instance("instance_extra_instance_uuid_fkey"),
    *_columns(Text, "numa_topology", "pci_requests", "flavor", "vcpu_model"),
    *_columns(Text, "migration_context", "keypairs", "device_metadata", "trusted_certs"),
    *_columns(Text, "vpmems", "resources"),
    Index("instance_extra_idx", "instance_uuid"),
)

instance_system_metadata = Table(
    "instance_system_metadata",
    nova_metadata,
    *_kept(),
    _of_instance("instance_system_metadata_ibfk_1"),
    *_needed(_NAME, "key"),
    *_columns(_NAME, "value"),
    Index("instance_uuid", "instance_uuid"),
)

migrations = Table(
    "migrations",
    nova_metadata,
    *_kept(),
    *_columns(_NAME, "source_compute", "dest_compute", "dest_host", "status"),
    Column(
        "instance_uuid", _UUID, ForeignKey("instances.uuid", name="fk_migrations_instance_uuid")
    ),
    *_columns(Integer, "old_instance_type_id", "new_instance_type_id"),
    *_columns(_NAME, "source_node", "dest_node"),
    *_columns(String(14), "migration_type"),
    *_columns(Boolean, "hidden"),
    *_columns(BigInteger, "memory_total", "memory_processed", "memory_remaining"),
    *_columns(BigInteger, "disk_total", "disk_processed", "disk_remaining"),
    *_columns(_UUID, "uuid"),
    *_columns(Boolean, "cross_cell_move"),
    *_columns(_NAME, "user_id", "project_id"),
    *_columns(BigInteger, "dest_compute_id"),
    Index(
        "migrations_by_dest_host_nodes_and_status_idx",
        *("deleted", "dest_compute", "dest_node", "status"),
    ),
    Index(
        "migrations_by_host_nodes_and_status_idx",
        *("deleted", "source_compute", "dest_compute", "source_node", "dest_node", "status"),
        mysql_length=_OF_EACH,
    ),
    Index(
        "migrations_by_src_host_nodes_and_status_idx",
        *("deleted", "source_compute", "source_node", "status"),
    ),
    Index("migrations_dest_compute_id_deleted_idx", "dest_compute_id", "deleted"),
    Index("migrations_instance_uuid_and_status_idx", "deleted", "instance_uuid", "status"),
    Index("migrations_updated_at_idx", "updated_at"),
    Index("migrations_uuid", "uuid", unique=True),
)

pci_devices = Table(
    "pci_devices",
    nova_metadata,
    *_kept(),
    Column(
        "compute_node_id",
        Integer,
        ForeignKey("compute_nodes.id", name="pci_devices_compute_node_id_fkey"),
        nullable=False,
    ),
    *_needed(String(12), "address"),
    *_needed(String(4), "product_id", "vendor_id"),
    *_needed(String(8), "dev_type"),
    *_columns(_NAME, "dev_id"),
    *_needed(_NAME, "label"),
    *_needed(_UUID, "status"),
    *_columns(Text, "extra_info"),
    *_columns(_UUID, "instance_uuid", "request_id"),
    *_columns(Integer, "numa_node"),
    *_columns(String(12), "parent_addr"),
    *_columns(_UUID, "uuid"),
    Index("ix_pci_devices_compute_node_id_deleted", "compute_node_id", "deleted"),
    Index(
        "ix_pci_devices_compute_node_id_parent_addr_deleted",
        *("compute_node_id", "parent_addr", "deleted"),
    ),
    Index("ix_pci_devices_instance_uuid_deleted", "instance_uuid", "deleted"),
    UniqueConstraint(
        *("compute_node_id", "address", "deleted"),
        name="uniq_pci_devices0compute_node_id0address0deleted",
    ),
)

instance_types = Table(
    "instance_types",
    nova_metadata,
    *_kept(),
    *_columns(_NAME, "name"),
    *_needed(Integer, "memory_mb", "vcpus", "swap"),
    *_columns(Integer, "vcpu_weight"),
    *_columns(_NAME, "flavorid"),
    *_columns(Float, "rxtx_factor"),
    *_columns(Integer, "root_gb", "ephemeral_gb"),
    *_columns(Boolean, "disabled", "is_public"),
    UniqueConstraint("flavorid", "deleted", name="uniq_instance_types0flavorid0deleted"),
    UniqueConstraint("name", "deleted", name="uniq_instance_types0name0deleted"),
)

instance_type_extra_specs = Table(
    "instance_type_extra_specs",
    nova_metadata,
    *_kept(),
    Column("instance_type_id", Integer, ForeignKey("instance_types.id"), nullable=False),
    *_columns(_NAME, "key", "value"),
    Index("instance_type_extra_specs_instance_type_id_key_idx", *("instance_type_id", "key")),
    UniqueConstraint(
        *("instance_type_id", "key", "deleted"),
        name="uniq_instance_type_extra_specs0instance_type_id0key0deleted",
    ),
)
