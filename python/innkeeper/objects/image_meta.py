"""An image, and those of its properties that decide where a guest of it fits."""

from __future__ import annotations

from innkeeper.objects.fields import (
    Architecture,
    CPUAllocationPolicy,
    CPUThreadAllocationPolicy,
    DateTime,
    FlexibleBoolean,
    HVType,
    Integer,
    ListOfIntegers,
    ListOfSetsOfIntegers,
    ListOfStrings,
    MemEncryptionModel,
    PCINUMAAffinityPolicy,
    String,
    Uuid,
    VMMode,
)
from innkeeper.objects.history import Added, Children, NewValues
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.wire import UNSET


class ImageMetaProps(NovaObject):
    """Properties of an image that constrain placement; the other ones are left out when read.

    The versions in between brought properties that do not.
    """

    VERSION = "1.44"
    HISTORY = {
        "1.0": "first",
        "1.2": Added("img_hv_type"),
        "1.8": NewValues("img_hv_type", "lxd"),
        "1.9": Added("hw_cpu_thread_policy"),
        "1.10": Added("hw_cpu_realtime_mask"),
        "1.20": Added("traits_required"),
        "1.24": Added("hw_mem_encryption"),
        "1.25": Added("hw_pci_numa_affinity_policy"),
        "1.26": NewValues("hw_cpu_policy", "mixed"),
        "1.28": NewValues("hw_pci_numa_affinity_policy", "socket"),
        "1.31": Added("hw_emulation_architecture"),
        "1.33": Added("hw_locked_memory"),
        "1.36": Added("hw_maxphysaddr_bits"),
        "1.42": Added("hw_mem_encryption_model"),
        "1.43": NewValues("hw_mem_encryption_model", "amd-sev-snp"),
        "1.44": NewValues("hw_mem_encryption_model", "intel-tdx"),
    }

    hw_architecture: Architecture = UNSET
    hw_emulation_architecture: Architecture = UNSET
    hw_vm_mode: VMMode = UNSET
    img_hv_type: HVType = UNSET
    hw_machine_type: String = UNSET
    hw_cpu_policy: CPUAllocationPolicy = UNSET
    hw_cpu_thread_policy: CPUThreadAllocationPolicy = UNSET
    hw_cpu_realtime_mask: String = UNSET
    hw_cpu_sockets: Integer = UNSET
    hw_cpu_cores: Integer = UNSET
    hw_cpu_threads: Integer = UNSET
    hw_cpu_max_sockets: Integer = UNSET
    hw_cpu_max_cores: Integer = UNSET
    hw_cpu_max_threads: Integer = UNSET
    hw_numa_nodes: Integer = UNSET
    hw_numa_cpus: ListOfSetsOfIntegers = UNSET
    hw_numa_mem: ListOfIntegers = UNSET
    hw_mem_page_size: String = UNSET
    """`large`, `small`, `any`, or a size in KiB or with a unit."""
    hw_mem_encryption: FlexibleBoolean = UNSET
    hw_mem_encryption_model: MemEncryptionModel = UNSET
    hw_locked_memory: FlexibleBoolean = UNSET
    hw_maxphysaddr_bits: Integer = UNSET
    hw_pci_numa_affinity_policy: PCINUMAAffinityPolicy = UNSET
    traits_required: ListOfStrings = UNSET


class ImageMeta(NovaObject):
    """An image; sizes in bytes, `min_ram` in MiB, `min_disk` in GiB."""

    VERSION = "1.8"
    HISTORY = {
        "1.0": Children(properties="1.0"),
        "1.1": Children(properties="1.1"),
        "1.2": Children(properties="1.2"),
        "1.3": Children(properties="1.3"),
        "1.4": Children(properties="1.4"),
        "1.5": Children(properties="1.5"),
        "1.6": Children(properties="1.6"),
        "1.7": Children(properties="1.7"),
        "1.8": Children(properties="1.8"),
    }

    id: Uuid = UNSET
    name: String = UNSET
    status: String = UNSET
    visibility: String = UNSET
    protected: FlexibleBoolean = UNSET
    checksum: String = UNSET
    owner: String = UNSET
    size: Integer = UNSET
    virtual_size: Integer = UNSET
    container_format: String = UNSET
    disk_format: String = UNSET
    created_at: DateTime | None = UNSET
    updated_at: DateTime | None = UNSET
    tags: ListOfStrings = UNSET
    direct_url: String = UNSET
    min_ram: Integer = UNSET
    min_disk: Integer = UNSET
    properties: ImageMetaProps = UNSET
