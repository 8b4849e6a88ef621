"""What running instances use that no claim holds for them: it is taken off what is handed out.

As with hugepages that others use (`host_pages`): whoever is given it next would share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from innkeeper.config.sections import Overhead
from innkeeper.objects import Placement, PowerState, RunningInstance
from innkeeper.objects.cpu_spec import parse_cpu_spec


@dataclass(frozen=True, slots=True)
class Use:
    """Of one instance beyond its claims; all that it uses where it has none."""

    instance: RunningInstance
    vcpus: int = 0
    """Those that float, of an instance without a claim."""
    memory_mib: int = 0
    """Of an instance without a claim, with what the hypervisor needs beside."""
    cpus: frozenset[int] = frozenset()
    """Dedicated CPUs that its vCPUs may run on."""
    devices: frozenset[str] = frozenset()
    """By address."""

    def __bool__(self) -> bool:
        return bool(self.vcpus or self.memory_mib or self.cpus or self.devices)


@dataclass(frozen=True, slots=True)
class Strangers:
    """All of it together."""

    vcpus: int = 0
    memory_mib: int = 0
    cpus: Mapping[int, str] = field(default_factory=dict)
    """Dedicated ones, with the sentence that says who is on it."""
    devices: frozenset[str] = frozenset()

    @classmethod
    def of(cls, uses: Iterable[Use]) -> Strangers:
        """The sum."""
        given = tuple(uses)
        return cls(
            vcpus=sum(use.vcpus for use in given),
            memory_mib=sum(use.memory_mib for use in given),
            cpus={
                cpu: f"CPU {cpu} is used by instance {use.instance.name}, which has no claim on it"
                for use in given
                for cpu in use.cpus
            },
            devices=frozenset().union(*(use.devices for use in given)),
        )


NO_STRANGERS: Final = Strangers()


def use_beyond(
    instance: RunningInstance,
    placements: Iterable[Placement],
    dedicated: frozenset[int],
    overhead: Overhead,
) -> Use:
    """What an instance uses and its claims do not hold; nothing while it is off.

    `dedicated` are the CPUs of this host that are one vCPU's alone.
    """
    if instance.state is PowerState.OFF:
        return Use(instance)
    held = tuple(placements)
    pins = {vcpu: parse_cpu_spec(text) for vcpu, text in instance.pins.items()}
    cpus = frozenset().union(*pins.values()) & dedicated
    cpus -= frozenset(cpu for placement in held for cpu in cpus_of(placement))
    devices = frozenset(instance.devices) - frozenset(
        device.address for placement in held for device in placement.devices
    )
    if held:
        return Use(instance, cpus=cpus, devices=devices)
    alone = sum(1 for allowed in pins.values() if allowed <= dedicated)
    floating = max(instance.vcpus - alone, 0)
    of_hypervisor = overhead.memory_mib + overhead.memory_mib_per_vcpu * instance.vcpus
    return Use(instance, floating, instance.memory_mib + of_hypervisor, cpus, devices)


def cpus_of(placement: Placement) -> frozenset[int]:
    """CPUs that are the instance's alone."""
    return frozenset(
        cpu
        for cell in placement.cells
        for cpu in (*cell.pins.values(), *parse_cpu_spec(cell.charged))
    )
