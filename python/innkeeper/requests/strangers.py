"""What running instances use that no claim holds for them: it is taken off what is handed out.

As with hugepages that others use (`host_pages`): whoever is given it next would share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
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

    def beside(self, placements: Iterable[Placement]) -> Use:
        """What of it these do not hold, now that they are the instance's."""
        held = tuple(placements)
        cpus = frozenset(cpu for placement in held for cpu in cpus_of(placement))
        devices = frozenset(one.address for placement in held for one in placement.devices)
        return Use(self.instance, cpus=self.cpus - cpus, devices=self.devices - devices)

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


class Reckoning:
    """What instances use beyond their claims, on one host and by one operator's words."""

    def __init__(self, dedicated: frozenset[int], overhead: Overhead) -> None:
        """`dedicated` are the CPUs of this host that are one vCPU's alone."""
        self._dedicated = dedicated
        self._overhead = overhead
        self._read: dict[str, frozenset[int]] = {}
        """Pins alike are read once."""

    def use(self, instance: RunningInstance, placements: Iterable[Placement]) -> Use:
        """What its claims do not hold; nothing while it is off."""
        if instance.state is PowerState.OFF:
            return Use(instance)
        held = tuple(placements)
        pins = [self._dedicated_of(text) for text in instance.pins.values()]
        every = Use(instance, cpus=frozenset().union(*pins), devices=frozenset(instance.devices))
        if held:
            return every.beside(held)
        alone = sum(1 for text in instance.pins.values() if self._is_alone(text))
        overhead = self._overhead
        of_hypervisor = overhead.memory_mib + overhead.memory_mib_per_vcpu * instance.vcpus
        return replace(
            every,
            vcpus=max(instance.vcpus - alone, 0),
            memory_mib=instance.memory_mib + of_hypervisor,
        )

    def _dedicated_of(self, text: str) -> frozenset[int]:
        if not self._dedicated:
            return frozenset()
        return self._cpus(text) & self._dedicated

    def _is_alone(self, text: str) -> bool:
        return bool(self._dedicated) and self._cpus(text) <= self._dedicated

    def _cpus(self, text: str) -> frozenset[int]:
        found = self._read.get(text)
        if found is None:
            found = self._read[text] = frozenset(parse_cpu_spec(text))
        return found


def cpus_of(placement: Placement) -> frozenset[int]:
    """CPUs that are the instance's alone."""
    return frozenset(
        cpu
        for cell in placement.cells
        for cpu in (*cell.pins.values(), *parse_cpu_spec(cell.charged))
    )
