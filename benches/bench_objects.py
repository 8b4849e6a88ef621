"""Objects to JSON and back, beside Nova's own on oslo.versionedobjects, in the same run.

Two paths of ours against the one that the peer has: through primitives (object, primitive, text,
primitive, object) and direct (object, text, object). Both sides are timed by turns, in CPU time.
The source stays the same on both sides, so the direct path has the texts of its nested objects at
hand; the last figure is with an assignment before each writing. Answers are checked: both sides must end with the object that they began with.

Run `make interop` once, then `python benches/bench_objects.py [SECONDS]`.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from innkeeper.objects import (
    ComputeNode,
    Flavor,
    HVSpec,
    Instance,
    InstanceNUMACell,
    InstanceNUMATopology,
    InstancePCIRequest,
    InstancePCIRequests,
    NovaObject,
    NUMACell,
    NUMAPagesTopology,
    NUMATopology,
    PciDevice,
    PciDeviceList,
    PciDevicePool,
    PciDevicePoolList,
)

ROOT = Path(__file__).resolve().parents[1]
PEER_PYTHON = ROOT / ".venv-interop" / "bin" / "python"
ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """One object, and how many times faster than the peer it must be."""

    name: str
    source: NovaObject
    changed: str
    """A field that is assigned before each writing, for the figure of a source that changes."""
    primitives: float
    direct: float


def topology(cells: int, cpus: int) -> NUMATopology:
    return NUMATopology(cells=tuple(cell(number, cpus) for number in range(cells)))


def cell(number: int, cpus: int) -> NUMACell:
    ids = range(number * cpus, (number + 1) * cpus)
    half = cpus // 2
    return NUMACell(
        id=number,
        cpuset=frozenset(ids[:4]),
        pcpuset=frozenset(ids[4:]),
        memory=131_072,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=frozenset(ids[4:8]),
        siblings=tuple(frozenset((ids[i], ids[i + half])) for i in range(half)),
        mempages=(
            NUMAPagesTopology(size_kb=4, total=33_554_432, used=0, reserved=0),
            NUMAPagesTopology(size_kb=2048, total=512, used=16, reserved=0),
        ),
        socket=number // 4,
    )


def pools(count: int) -> PciDevicePoolList:
    return PciDevicePoolList(objects=tuple(pool(number) for number in range(count)))


def pool(number: int) -> PciDevicePool:
    return PciDevicePool(
        vendor_id="8086",
        product_id="1515",
        numa_node=number % 4,
        count=64,
        tags={
            "dev_type": "type-VF",
            "address": f"0000:{number:02x}:00.0",
            "parent_ifname": f"ens{number}f0",
            "remote_managed": "false",
            "physical_network": f"physnet{number % 4}",
        },
    )


def compute_node() -> ComputeNode:
    return ComputeNode(
        id=1,
        uuid="11111111-2222-3333-4444-555555555555",
        service_id=1,
        host="host1",
        vcpus=128,
        memory_mb=1 << 20,
        local_gb=1000,
        vcpus_used=1,
        memory_mb_used=512,
        local_gb_used=1,
        hypervisor_type="QEMU",
        hypervisor_version=8_002_000,
        hypervisor_hostname="host1",
        free_ram_mb=1,
        free_disk_gb=1,
        current_workload=0,
        running_vms=0,
        disk_available_least=1,
        metrics="[]",
        cpu_info=json.dumps({"arch": "x86_64", "features": [f"f{i}" for i in range(100)]}),
        stats={f"num_{name}": "10" for name in ("instances", "vm_active", "task_None", "proj_x")},
        host_ip="10.0.0.1",
        numa_topology=topology(8, 16).to_json().decode(),
        supported_hv_specs=(HVSpec(arch="x86_64", hv_type="kvm", vm_mode="hvm"),),
        pci_device_pools=pools(64),
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        mapped=1,
    )


def device(number: int) -> PciDevice:
    address = f"0000:{number // 256:02x}:{number // 8 % 32:02x}.{number % 8}"
    return PciDevice(
        id=number,
        compute_node_id=1,
        address=address,
        dev_id=f"pci_{address.replace(':', '_').replace('.', '_')}",
        vendor_id="8086",
        product_id="1515",
        dev_type="type-VF",
        status="available",
        label="label_8086_1515",
        instance_uuid=None,
        request_id=None,
        extra_info={"capabilities": '{"network": ["rx", "tx", "sg"]}', "parent_ifname": "ens0f0"},
        numa_node=0,
        parent_addr="0000:01:00.0",
        uuid="22222222-2222-3333-4444-555555555555",
    )


def instance() -> Instance:
    uuid = "33333333-2222-3333-4444-555555555555"
    return Instance(
        id=1,
        uuid=uuid,
        user_id="u",
        project_id="p1",
        vm_state="active",
        task_state=None,
        os_type=None,
        display_name="vm1",
        hostname="vm1",
        image_ref="",
        memory_mb=512,
        vcpus=1,
        root_gb=1,
        ephemeral_gb=0,
        power_state=1,
        root_device_name="/dev/vda",
        key_name=None,
        instance_type_id=1,
        host="host1",
        node="host1",
        launched_on="host1",
        compute_id=1,
        metadata={},
        system_metadata={"image_min_disk": "1", "image_base_image_ref": "x", "boot_roles": "m"},
        flavor=flavor(),
        old_flavor=None,
        new_flavor=None,
        numa_topology=InstanceNUMATopology(instance_uuid=uuid, cells=(guest_cell(),)),
        pci_requests=InstancePCIRequests(instance_uuid=uuid, requests=(pci_request(),)),
        pci_devices=PciDeviceList(objects=(device(1), device(2))),
        migration_context=None,
        resources=None,
    )


def flavor() -> Flavor:
    return Flavor(
        id=1,
        name="m1.pinned",
        flavorid="1",
        memory_mb=512,
        vcpus=1,
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        rxtx_factor=1.0,
        vcpu_weight=None,
        disabled=False,
        is_public=True,
        extra_specs={"hw:cpu_policy": "dedicated", "hw:mem_page_size": "small"},
        description=None,
    )


def guest_cell() -> InstanceNUMACell:
    return InstanceNUMACell(
        id=0,
        cpuset=frozenset(),
        pcpuset=frozenset((0,)),
        memory=512,
        pagesize=4,
        cpu_policy="dedicated",
        cpu_thread_policy=None,
        cpu_pinning_raw={"0": 4},
        cpuset_reserved=None,
    )


def pci_request() -> InstancePCIRequest:
    return InstancePCIRequest(
        count=2,
        spec=({"vendor_id": "8086", "product_id": "1515"},),
        alias_name="nic",
        is_new=False,
        numa_policy="legacy",
        request_id=None,
        requester_id=None,
    )


def cases() -> Iterator[Case]:
    yield Case("ComputeNode, 64 pools, 8 cells x 16 CPUs", compute_node(), "host", 12, 20)
    yield Case("Instance, 2 devices, 1 cell", instance(), "host", 8, 20)
    yield Case("PciDevice", device(1), "address", 8, 20)


def through_primitives(source: NovaObject) -> NovaObject:
    text = orjson.dumps(source.to_primitive())
    return NovaObject.from_primitive(orjson.loads(text))


def directly(source: NovaObject) -> NovaObject:
    return type(source).from_json(source.to_json())


def after_a_change(name: str) -> Callable[[NovaObject], NovaObject]:
    def once(source: NovaObject) -> NovaObject:
        setattr(source, name, getattr(source, name))
        return directly(source)

    return once


def measure(once: Callable[[NovaObject], NovaObject], source: NovaObject, seconds: float) -> float:
    """CPU seconds of one round trip."""
    assert once(source) == source
    start, count = time.process_time(), 0
    while time.process_time() - start < seconds:
        for _ in range(20):
            once(source)
        count += 20
    return (time.process_time() - start) / count


@contextmanager
def peer() -> Iterator[Callable[[str, float], dict[str, Any]]]:
    script = Path(__file__).with_name("peer_objects.py")
    with subprocess.Popen(
        [PEER_PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines_in, lines_out = process.stdin, process.stdout

        def ask(text: str, seconds: float) -> dict[str, Any]:
            lines_in.write(json.dumps({"text": text, "seconds": seconds}) + "\n")
            lines_in.flush()
            answer: dict[str, Any] = json.loads(lines_out.readline())
            return answer

        yield ask
        process.stdin.close()


def compare(case: Case, ask: Callable[[str, float], dict[str, Any]], seconds: float) -> bool:
    """Print the figures of a case; whether it is as fast as it must be."""
    case.source.reset_changes(recursive=True)
    text = case.source.to_json().decode()
    theirs, ours, direct = [], [], []
    for _ in range(ROUNDS):
        answer = ask(text, seconds)
        theirs.append(answer["seconds"])
        ours.append(measure(through_primitives, case.source, seconds / 3))
        direct.append(measure(directly, case.source, seconds / 3))
    assert NovaObject.from_primitive(answer["primitive"]) == case.source
    changing = measure(after_a_change(case.changed), case.source, seconds)
    peer_time = statistics.median(theirs)
    ratios = peer_time / statistics.median(ours), peer_time / statistics.median(direct)
    print(
        f"{case.name}: peer {peer_time * 1e6:.0f} us; through primitives "
        f"{statistics.median(ours) * 1e6:.0f} us, {ratios[0]:.1f}x (must be {case.primitives}x); "
        f"direct {statistics.median(direct) * 1e6:.0f} us, {ratios[1]:.1f}x "
        f"(must be {case.direct}x), {changing * 1e6:.0f} us when a field is assigned each time; "
        f"{len(text)} bytes"
    )
    return bool(ratios[0] >= case.primitives and ratios[1] >= case.direct)


def main(seconds: float) -> int:
    if not PEER_PYTHON.exists():
        print(f"no peer: {PEER_PYTHON} does not exist; `make interop` sets it up")
        return 2
    print(f"Python {platform.python_version()} on {platform.machine()}, {ROUNDS} rounds, medians")
    with peer() as ask:
        fast_enough = [compare(case, ask, seconds) for case in cases()]
        return 0 if all(fast_enough) else 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.3))
