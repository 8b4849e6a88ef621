"""What an instance asks for as Nova keeps it: a flavor, also where no operator ever made one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import orjson

from innkeeper.objects.cpu_spec import format_cpu_list, parse_cpu_spec
from innkeeper.objects.flavor import Flavor
from innkeeper.objects.request import DeviceRequest, Request
from innkeeper.objects.topology import GuestTopology, ThreadPolicy
from innkeeper.requests.extra_specs import ALIAS_KEY
from innkeeper.requests.numa_words.device_policy import FLAVOR_POLICY_KEY
from innkeeper.requests.numa_words.nova_topology import policies_of
from innkeeper.requests.numa_words.own_keys import FULL_CORES_KEY, L3_KEY, PREFERENCE_KEY

GIB: Final = 1024
"""MiB."""

_MOST_IDS: Final = 2**31 - 1
"""Ids of flavors are 32 bit and signed in Nova's tables; 0 is nobody's."""


def nova_flavor(request: Request) -> Flavor:
    """The flavor that says what a request says; the same for the same words, on every host.

    Name, `flavorid` and `id` are made of its contents, so that two are one exactly if they say the same.
    """
    vcpus, memory_mib = request.vcpus or 0, request.memory_mib or 0
    root_gb = gib_up(request.disk_mib or 0)
    specs = dict(_extra_specs(request))
    digest = hashlib.sha256(
        orjson.dumps([vcpus, memory_mib, root_gb, specs], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    return Flavor(
        id=1 + int(digest[:12], 16) % _MOST_IDS,
        name=f"innkeeper-{vcpus}-{memory_mib}-{root_gb}-{digest[:8]}",
        flavorid=f"innkeeper-{digest[:24]}",
        vcpus=vcpus,
        memory_mb=memory_mib,
        root_gb=root_gb,
        ephemeral_gb=0,
        swap=0,
        rxtx_factor=1.0,
        vcpu_weight=0,
        disabled=False,
        is_public=True,
        extra_specs=specs,
    )


def gib_up(mib: int) -> int:
    """Whole GiB that hold so many MiB."""
    return -(-mib // GIB)


def _extra_specs(request: Request) -> Iterator[tuple[str, str]]:
    if request.topology is not None:
        yield from _of_topology(request.topology)
    yield from _of_devices(request.devices)


def _of_topology(topology: GuestTopology) -> Iterator[tuple[str, str]]:
    """The words of Nova, and ours for what it has none for."""
    yield "hw:numa_nodes", str(len(topology.cells))
    if len(topology.cells) > 1:
        for number, cell in enumerate(topology.cells):
            vcpus = parse_cpu_spec(cell.shared) | parse_cpu_spec(cell.dedicated)
            yield f"hw:numa_cpus.{number}", format_cpu_list(vcpus)
            yield f"hw:numa_mem.{number}", str(cell.memory_mib)
    yield from _of_cpus(topology)
    if topology.pages is not None:
        yield "hw:mem_page_size", str(topology.pages)
    if topology.emulator_threads is not None:
        yield "hw:emulator_threads_policy", topology.emulator_threads.value
    if topology.l3 is not None:
        yield L3_KEY, topology.l3.value
    if topology.preference is not None:
        yield PREFERENCE_KEY, topology.preference.value


def _of_cpus(topology: GuestTopology) -> Iterator[tuple[str, str]]:
    policy = policies_of(topology)["cpu_policy"]
    if policy is None:
        return
    yield "hw:cpu_policy", policy
    if policy == "mixed":
        dedicated = (parse_cpu_spec(cell.dedicated) for cell in topology.cells)
        yield "hw:cpu_dedicated_mask", format_cpu_list(frozenset[int]().union(*dedicated))
    if topology.threads is ThreadPolicy.FULL_CORES:
        yield FULL_CORES_KEY, "true"
    elif topology.threads is not None:
        yield "hw:cpu_thread_policy", topology.threads.value


def _of_devices(devices: tuple[DeviceRequest, ...]) -> Iterator[tuple[str, str]]:
    """Only what has a name; Nova's flavors have no word for the rest, which `pci_requests` tells."""
    named = [one for one in devices if one.alias is not None]
    if not named:
        return
    yield ALIAS_KEY, ",".join(f"{one.alias}:{one.count}" for one in named)
    policies = {one.numa_policy for one in named}
    if len(policies) == 1 and (policy := policies.pop()) is not None:
        yield FLAVOR_POLICY_KEY, policy.value
