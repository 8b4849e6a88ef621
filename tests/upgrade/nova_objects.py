"""Objects that carry every field that a row of Nova's can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from innkeeper.objects import (
    ComputeNode,
    Flavor,
    Instance,
    InstanceNUMACell,
    InstanceNUMATopology,
    InstancePCIRequest,
    InstancePCIRequests,
    Migration,
    MigrationContext,
    NUMACell,
    NUMATopology,
    PciDevice,
    PciDevicePool,
    PciDevicePoolList,
    Service,
    VirtCPUModel,
)
from innkeeper.objects.hv_spec import HVSpec
from innkeeper.objects.values import Foreign

NOW = datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 12, 31, 15, tzinfo=UTC)
HOST, NODE = "compute-1", "node-1.example.org"


def uuid(number: int) -> str:
    return str(UUID(int=0xA << 120 | number))


def service(host: str = HOST, **words: Any) -> Service:
    form: dict[str, Any] = {
        "uuid": uuid(90_000 + hash_of(host)),
        "host": host,
        "binary": "nova-compute",
        "topic": "compute",
        "report_count": 17,
        "disabled": True,
        "disabled_reason": "maintenance, until Monday",
        "last_seen_up": NOW,
        "forced_down": True,
        "version": 74,
    }
    return Service(**{**form, **words})


def topology_text() -> str:
    cells = tuple(_cell(number) for number in range(2))
    return NUMATopology(cells=cells).to_json().decode()


def _cell(number: int) -> NUMACell:
    return NUMACell(
        id=number,
        cpuset=frozenset(range(number * 4, number * 4 + 4)),
        pcpuset=frozenset(),
        memory=2048,
        cpu_usage=1,
        memory_usage=512,
        pinned_cpus=frozenset(),
        siblings=(),
        mempages=(),
        socket=number,
    )


def pools(count: int = 3) -> PciDevicePoolList:
    return PciDevicePoolList(
        objects=(
            PciDevicePool(
                product_id="154c",
                vendor_id="8086",
                numa_node=1,
                count=count,
                tags={"dev_type": "type-VF", "physical_network": "physnet1"},
            ),
        )
    )


def compute_node(host: str = HOST, node: str = NODE, **words: Any) -> ComputeNode:
    form: dict[str, Any] = {
        "uuid": uuid(hash_of(host + node)),
        "host": host,
        "hypervisor_hostname": node,
        "vcpus": 8,
        "memory_mb": 4096,
        "local_gb": 100,
        "vcpus_used": 2,
        "memory_mb_used": 1024,
        "local_gb_used": 20,
        "hypervisor_type": "QEMU",
        "hypervisor_version": 8002000,
        "free_ram_mb": 3072,
        "free_disk_gb": 80,
        "current_workload": 1,
        "running_vms": 2,
        "cpu_info": '{"arch": "x86_64", "features": ["sse4.2"]}',
        "disk_available_least": 75,
        "metrics": "[]",
        "stats": {"num_instances": "2", "io_workload": "0"},
        "host_ip": "192.0.2.7",
        "numa_topology": topology_text(),
        "supported_hv_specs": (HVSpec(arch="x86_64", hv_type="kvm", vm_mode="hvm"),),
        "pci_device_pools": pools(),
        "cpu_allocation_ratio": 4.0,
        "ram_allocation_ratio": 1.25,
        "disk_allocation_ratio": 1.5,
        "mapped": 1,
    }
    return ComputeNode(**{**form, **words})


def hash_of(text: str) -> int:
    return sum(index * ord(letter) for index, letter in enumerate(text, 1))


def flavor(number: int = 1, **words: Any) -> Flavor:
    form: dict[str, Any] = {
        "id": number,
        "name": f"m1.grün.{number}",
        "memory_mb": 512,
        "vcpus": 2,
        "root_gb": 10,
        "ephemeral_gb": 1,
        "flavorid": f"flavor-{number}",
        "swap": 64,
        "rxtx_factor": 1.5,
        "vcpu_weight": 3,
        "disabled": False,
        "is_public": True,
        "extra_specs": {"hw:numa_nodes": "2", "hw:numa_cpus.0": "0", "hw:numa_mem.0": "256"},
    }
    return Flavor(**{**form, **words})


def instance_topology(instance_uuid: str) -> InstanceNUMATopology:
    cell = InstanceNUMACell(
        id=1,
        cpuset=frozenset({0, 1}),
        pcpuset=frozenset(),
        memory=512,
        pagesize=2048,
    )
    return InstanceNUMATopology(instance_uuid=instance_uuid, cells=(cell,))


def pci_requests(instance_uuid: str) -> InstancePCIRequests:
    request = InstancePCIRequest(
        count=1,
        spec=({"vendor_id": "8086", "product_id": "154c"},),
        alias_name="nic",
        is_new=False,
        request_id=uuid(77),
        requester_id=None,
        numa_policy="legacy",
    )
    return InstancePCIRequests(instance_uuid=instance_uuid, requests=(request,))


def instance(number: int = 1, host: str = HOST, node: str = NODE, **words: Any) -> Instance:
    name = uuid(number)
    form: dict[str, Any] = {
        "uuid": name,
        "user_id": "user",
        "project_id": "project",
        "image_ref": uuid(50),
        "kernel_id": "",
        "ramdisk_id": "",
        "hostname": f"guest-{number}",
        "launch_index": 0,
        "key_name": "key",
        "key_data": "ssh-ed25519 AAAA",
        "power_state": 1,
        "vm_state": "active",
        "task_state": None,
        "memory_mb": 512,
        "vcpus": 2,
        "root_gb": 10,
        "ephemeral_gb": 1,
        "ephemeral_key_uuid": uuid(51),
        "host": host,
        "node": node,
        "compute_id": 1,
        "instance_type_id": 1,
        "user_data": "IyEvYmluL3No",
        "reservation_id": "r-12345678",
        "launched_at": NOW,
        "terminated_at": None,
        "availability_zone": "az",
        "display_name": "Gästerechner",
        "display_description": None,
        "launched_on": host,
        "locked": True,
        "locked_by": "owner",
        "os_type": "linux",
        "architecture": "x86_64",
        "vm_mode": "hvm",
        "root_device_name": "/dev/vda",
        "default_ephemeral_device": None,
        "default_swap_device": "/dev/vdb",
        "config_drive": "True",
        "access_ip_v4": "198.51.100.9",
        "access_ip_v6": "2001:db8::9",
        "auto_disk_config": True,
        "progress": 0,
        "shutdown_terminate": True,
        "disable_terminate": True,
        "cell_name": None,
        "cleaned": True,
        "hidden": True,
        "system_metadata": {"image_min_ram": "64", "image_os": None},
        "numa_topology": instance_topology(name),
        "pci_requests": pci_requests(name),
        "flavor": flavor(),
        "old_flavor": flavor(2),
        "new_flavor": None,
        "vcpu_model": VirtCPUModel(arch="x86_64", vendor="Intel", model="Broadwell", features=()),
        "migration_context": MigrationContext(
            instance_uuid=name,
            migration_id=3,
            new_numa_topology=instance_topology(name),
            old_numa_topology=None,
        ),
        "trusted_certs": foreign("TrustedCerts", ids=["one", "two"]),
        "device_metadata": foreign("InstanceDeviceMetadata", devices=[]),
        "resources": foreign("ResourceList", objects=[]),
    }
    return Instance(**{**form, **words})


def foreign(name: str, **data: Any) -> Foreign:
    return Foreign(
        {
            "nova_object.name": name,
            "nova_object.namespace": "nova",
            "nova_object.version": "1.0",
            "nova_object.data": data,
        }
    )


def migration(number: int = 1, instance_number: int = 1, **words: Any) -> Migration:
    form: dict[str, Any] = {
        "uuid": uuid(300 + number),
        "source_compute": HOST,
        "source_node": NODE,
        "dest_compute": "compute-2",
        "dest_node": "node-2.example.org",
        "dest_compute_id": 2,
        "dest_host": "192.0.2.8",
        "old_instance_type_id": 1,
        "new_instance_type_id": 2,
        "instance_uuid": uuid(instance_number),
        "status": "migrating",
        "migration_type": "resize",
        "hidden": True,
        "memory_total": 2**40,
        "memory_processed": 2**39,
        "memory_remaining": 2**39,
        "disk_total": 0,
        "disk_processed": 0,
        "disk_remaining": None,
        "cross_cell_move": True,
        "user_id": "user",
        "project_id": "project",
    }
    return Migration(**{**form, **words})


def pci_device(address: str = "0000:04:10.7", **words: Any) -> PciDevice:
    form: dict[str, Any] = {
        "uuid": uuid(400 + hash_of(address)),
        "address": address,
        "vendor_id": "8086",
        "product_id": "154c",
        "dev_type": "type-VF",
        "status": "allocated",
        "dev_id": "pci_0000_04_10_7",
        "label": "label_8086_154c",
        "instance_uuid": uuid(1),
        "request_id": uuid(77),
        "extra_info": {"capabilities": '{"network": ["rx"]}'},
        "numa_node": 1,
        "parent_addr": "0000:04:00.0",
    }
    return PciDevice(**{**form, **words})
