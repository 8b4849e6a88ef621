"""`--property KEY=VALUE`: what a flavor of Nova says, in its own words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from innkeeper.config.nearest import hint
from innkeeper.errors import BadRequest
from innkeeper.objects import GuestTopology
from innkeeper.requests.extra_specs import ALIAS_KEY, devices_of_flavor
from innkeeper.requests.numa_words.command_words import parse_property
from innkeeper.requests.numa_words.constraints import topology_of_flavor
from innkeeper.requests.numa_words.device_policy import FLAVOR_POLICY_KEY

_OF_DEVICES: Final = (ALIAS_KEY, FLAVOR_POLICY_KEY)

_NAMES: Final = (
    *_OF_DEVICES,
    "hw:cpu_policy",
    "hw:cpu_thread_policy",
    "hw:cpu_dedicated_mask",
    "hw:cpu_realtime",
    "hw:cpu_realtime_mask",
    "hw:emulator_threads_policy",
    "hw:mem_page_size",
    "hw:locked_memory",
    "hw:numa_nodes",
    "hw:numa_cpus.0",
    "hw:numa_mem.0",
    "hw:pmem",
    "resources:VCPU",
    "resources:PCPU",
    "trait:HW_CPU_HYPERTHREADING",
)
_NUMBERED: Final = re.compile(
    r"hw:numa_(?:cpus|mem)\.[0-9]{1,9}|resources[0-9]{0,9}:[VP]CPU"
    r"|trait[0-9]{0,9}:HW_CPU_HYPERTHREADING|innkeeper:.*"
)


def read_properties(texts: Iterable[str]) -> dict[str, str]:
    """Values by key.

    Raises:
        BadRequest: one has another form, a key stands twice, or means nothing here: a claim would be
            of something else than was meant.
    """
    properties: dict[str, str] = {}
    for text in texts:
        key, value = parse_property(text, what="--property")
        if key in properties:
            raise BadRequest(f"--property {key} is given twice")
        if key not in _NAMES and not _NUMBERED.fullmatch(key):
            raise BadRequest(f"--property {key} is nothing that decides a fit; {hint(key, _NAMES)}")
        properties[key] = value
    return properties


def speak_of_cells(properties: Mapping[str, str]) -> bool:
    """Whether any of them is about CPUs, cells or pages."""
    return any(key not in _OF_DEVICES for key in properties)


def devices_of_properties(properties: Mapping[str, str]) -> list[dict[str, Any]]:
    """The devices that they ask for, as a request has them.

    Raises:
        BadRequest: see `devices_of_flavor`; or a policy for no devices.
    """
    if FLAVOR_POLICY_KEY in properties and ALIAS_KEY not in properties:
        raise BadRequest(
            f"--property {FLAVOR_POLICY_KEY} is about the devices of {ALIAS_KEY}; of others it is said as "
            "--device WHAT=N,numa_policy=P"
        )
    devices = devices_of_flavor(properties)
    return [one.model_dump(mode="json", exclude_unset=True) for one in devices]


def topology_of_properties(
    properties: Mapping[str, str], vcpus: Any, memory_mib: Any
) -> GuestTopology | None:
    """The guest cells that they ask for; null when they ask for none.

    Raises:
        BadRequest: see `topology_of_flavor`; or vCPUs or memory are missing.
    """
    if vcpus is None or memory_mib is None:
        raise BadRequest(
            "--property is said of a flavor, which has vCPUs and memory: say --vcpus and --memory too"
        )
    return topology_of_flavor(vcpus, memory_mib, properties)
