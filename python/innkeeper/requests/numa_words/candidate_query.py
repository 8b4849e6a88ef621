"""What Nova's scheduler asks its inventory service for, before any host is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy
from innkeeper.requests.numa_words.cpu_policies import CpuPolicy
from innkeeper.requests.numa_words.cpus import GuestCpus
from innkeeper.requests.numa_words.words import GuestWords

HYPERTHREADING: Final = "HW_CPU_HYPERTHREADING"
SOCKET_AFFINITY: Final = "COMPUTE_SOCKET_PCI_NUMA_AFFINITY"


@dataclass(frozen=True, slots=True)
class CandidateQuery:
    """CPUs, memory and traits, all groups of the flavor together.

    The service knows no cells, no pages and no siblings: only the fit does.
    """

    vcpus: int
    """Class VCPU: shared vCPUs."""
    pcpus: int
    """Class PCPU: dedicated vCPUs, and one for an isolated emulator."""
    memory_mib: int
    required: frozenset[str] = frozenset()
    """Traits that the host must have."""
    forbidden: frozenset[str] = frozenset()
    """Traits that it must not have."""

    @classmethod
    def of(cls, words: GuestWords, cpus: GuestCpus, devices: NumaPolicy | None) -> CandidateQuery:
        """The query of a guest whose words do not contradict each other."""
        required = {HYPERTHREADING} if cpus.threads is ThreadPolicy.REQUIRE else set[str]()
        if devices is NumaPolicy.SOCKET:
            required.add(SOCKET_AFFINITY)
        forbidden = {HYPERTHREADING} if cpus.threads is ThreadPolicy.ISOLATE else set[str]()
        vcpus, pcpus = _amounts(words, cpus)
        return cls(vcpus, pcpus, words.memory_mib, frozenset(required), frozenset(forbidden))


def _amounts(words: GuestWords, cpus: GuestCpus) -> tuple[int, int]:
    """Amounts that the flavor says itself stand, also a 0: bare metal is asked for without CPUs."""
    said = cpus.resources
    if cpus.policy in (CpuPolicy.DEDICATED, CpuPolicy.MIXED):
        pcpus = len(cpus.dedicated) + (cpus.emulator is EmulatorThreads.ISOLATE)
        return words.vcpus - len(cpus.dedicated), pcpus
    if said.vcpus is not None or said.pcpus is not None:
        return said.vcpus or 0, 0
    return words.vcpus, 0
