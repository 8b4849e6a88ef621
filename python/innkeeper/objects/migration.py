"""An instance on its way from one host to another."""

from __future__ import annotations

from typing import Annotated

from innkeeper.objects.fields import (
    Boolean,
    Integer,
    MigrationType,
    String,
    Uuid,
)
from innkeeper.objects.history import Added, Children
from innkeeper.objects.instance_numa import InstanceNUMATopology
from innkeeper.objects.kinds import foreign
from innkeeper.objects.pci_device import PciDeviceList
from innkeeper.objects.pci_request import InstancePCIRequests
from innkeeper.objects.records import NovaList, Persistent
from innkeeper.objects.values import Foreign
from innkeeper.objects.wire import UNSET, unset

ResourceList = Annotated[Foreign, foreign("ResourceList")]


class Migration(Persistent):
    """One move: resize, cold or live migration, or evacuation; amounts in bytes."""

    VERSION = "1.8"
    HISTORY = {
        "1.0": "first",
        "1.1": "texts may be unicode",
        "1.2": Added("migration_type", "hidden"),
        "1.3": "get_by_id_and_instance()",
        "1.4": Added(
            *("memory_total", "memory_processed", "memory_remaining"),
            *("disk_total", "disk_processed", "disk_remaining"),
        ),
        "1.5": Added("uuid"),
        "1.6": (Added("cross_cell_move"), "get_by_uuid()"),
        "1.7": Added("user_id", "project_id"),
        "1.8": Added("dest_compute_id"),
    }

    id: Integer = UNSET
    uuid: Uuid = UNSET
    source_compute: String | None = UNSET
    """The host it leaves."""
    dest_compute: String | None = UNSET
    """The host it goes to."""
    source_node: String | None = UNSET
    dest_node: String | None = UNSET
    dest_compute_id: Integer | None = UNSET
    dest_host: String | None = UNSET
    """The address of the host it goes to."""
    old_instance_type_id: Integer | None = UNSET
    new_instance_type_id: Integer | None = UNSET
    instance_uuid: String | None = UNSET
    status: String | None = UNSET
    migration_type: MigrationType = UNSET
    hidden: Boolean = unset(default=False)
    memory_total: Integer | None = UNSET
    memory_processed: Integer | None = UNSET
    memory_remaining: Integer | None = UNSET
    disk_total: Integer | None = UNSET
    disk_processed: Integer | None = UNSET
    disk_remaining: Integer | None = UNSET
    cross_cell_move: Boolean = unset(default=False)
    user_id: String | None = UNSET
    project_id: String | None = UNSET

    @property
    def kind_of_move(self) -> str:
        """`migration_type`; for rows older than Liberty what the two flavors tell."""
        if self.is_set("migration_type"):
            return self.migration_type
        flavors = (
            self.__dict__.get("old_instance_type_id"),
            self.__dict__.get("new_instance_type_id"),
        )
        return "migration" if flavors[0] == flavors[1] else "resize"


class MigrationList(NovaList):
    """Several moves."""

    VERSION = "1.5"
    HISTORY = {
        "1.0": Children(objects="1.1"),
        "1.1": "texts may be unicode",
        "1.2": Children(objects="1.2"),
        "1.3": (Children(objects="1.4"), "get_in_progress_by_instance()"),
        "1.4": (Children(objects="1.5"), "paging"),
        "1.5": (Children(objects="1.7"), "in progress and in error"),
    }

    objects: tuple[Migration, ...] = UNSET


class MigrationContext(Persistent):
    """What an instance has on both sides of a move."""

    VERSION = "1.2"
    HISTORY = {
        "1.0": Children(new_numa_topology="1.2", old_numa_topology="1.2"),
        "1.1": (
            Added("new_pci_devices", "old_pci_devices", child="1.3"),
            Added("new_pci_requests", "old_pci_requests", child="1.1"),
        ),
        "1.2": (
            Added("new_resources", "old_resources"),
            Children(new_numa_topology="1.3", old_numa_topology="1.3"),
        ),
    }

    instance_uuid: Uuid = UNSET
    migration_id: Integer = UNSET
    new_numa_topology: InstanceNUMATopology | None = UNSET
    old_numa_topology: InstanceNUMATopology | None = UNSET
    new_pci_devices: PciDeviceList | None = UNSET
    old_pci_devices: PciDeviceList | None = UNSET
    new_pci_requests: InstancePCIRequests | None = UNSET
    old_pci_requests: InstancePCIRequests | None = UNSET
    new_resources: ResourceList | None = UNSET
    old_resources: ResourceList | None = UNSET
