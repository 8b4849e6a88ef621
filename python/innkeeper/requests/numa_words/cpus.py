"""All words on a guest's CPUs together: what they come to, and which contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy
from innkeeper.requests.numa_words.cpu_policies import (
    CpuPolicy,
    CpuResources,
    SiblingPolicy,
    read_cpu_policy,
    read_cpu_resources,
    read_emulator_threads,
    read_hyperthreading,
    read_sibling_policy,
)
from innkeeper.requests.numa_words.masks import read_dedicated, read_realtime
from innkeeper.requests.numa_words.own_keys import FULL_CORES_KEY, L3_KEY, read_full_cores, read_l3
from innkeeper.requests.numa_words.words import GuestWords, refused

_PINNED = (CpuPolicy.DEDICATED, CpuPolicy.MIXED)


@dataclass(frozen=True, slots=True)
class GuestCpus:
    """What a guest's vCPUs are to be."""

    policy: CpuPolicy | None
    threads: ThreadPolicy | None
    emulator: EmulatorThreads | None
    dedicated: frozenset[int]
    realtime: frozenset[int]
    resources: CpuResources


@dataclass(frozen=True, slots=True)
class _Said:
    """Every word by itself, in the order in which they are read."""

    policy: CpuPolicy | None
    siblings: SiblingPolicy | None
    realtime: frozenset[int] | None
    dedicated: frozenset[int] | None
    emulator: EmulatorThreads | None
    resources: CpuResources


def read_guest_cpus(words: GuestWords) -> GuestCpus:
    """The CPU words of flavor and image, judged in Nova's order so that the same error wins.

    Raises:
        BadRequest: a word is none, or two contradict each other.
    """
    said = _Said(
        read_cpu_policy(words),
        read_sibling_policy(words),
        read_realtime(words),
        read_dedicated(words),
        read_emulator_threads(words),
        read_cpu_resources(words),
    )
    policy = _policy(words, said)
    threads = _threads(words, said)
    _require_policy_for(words, said, policy, threads)
    threads = _own_threads(words, policy, threads)
    return GuestCpus(
        policy,
        threads,
        said.emulator,
        _dedicated(words, said, policy),
        said.realtime or frozenset(),
        said.resources,
    )


def _policy(words: GuestWords, said: _Said) -> CpuPolicy | None:
    """The policy, which amounts of resources can say too."""
    vcpus, pcpus = said.resources.vcpus or 0, said.resources.pcpus or 0
    amounts = f"resources:VCPU is {vcpus}, resources:PCPU is {pcpus}"
    if said.policy and (vcpus or pcpus):
        message = f"{amounts}, but {_policy_words(words)}: use the one or the other"
        raise refused("InvalidRequest", _resource_key(vcpus), message)
    if vcpus and pcpus:
        raise refused("InvalidRequest", "resources:PCPU", f"{amounts}: only one of them can be")
    if pcpus:
        _require_pcpus(words, said, pcpus)
        return CpuPolicy.DEDICATED
    return CpuPolicy.SHARED if vcpus else said.policy


def _resource_key(vcpus: int) -> str:
    return "resources:VCPU" if vcpus else "resources:PCPU"


def _policy_words(words: GuestWords) -> str:
    return str(words.of_flavor("cpu_policy") or words.of_image("cpu_policy"))


def _require_pcpus(words: GuestWords, said: _Said, pcpus: int) -> None:
    isolated = said.emulator is EmulatorThreads.ISOLATE
    right = words.vcpus + isolated
    if pcpus != right:
        more = " and one for hw:emulator_threads_policy isolate" if isolated else ""
        message = (
            f"resources:PCPU is {pcpus}, but the flavor has {words.vcpus} vCPUs{more}: {right}"
        )
        raise refused("InvalidRequest", "resources:PCPU", message)


def _threads(words: GuestWords, said: _Said) -> ThreadPolicy | None:
    """The thread policy, which the trait can say too."""
    trait = read_hyperthreading(words)
    if trait is None:
        return ThreadPolicy(said.siblings) if said.siblings else None
    if said.siblings:
        message = f"{trait[0]}, but {_siblings_words(words)}: use the one or the other"
        raise refused("InvalidRequest", trait[0].key, message)
    return trait[1]


def _siblings_words(words: GuestWords) -> str:
    return str(words.of_flavor("cpu_thread_policy") or words.of_image("cpu_thread_policy"))


def _require_policy_for(
    words: GuestWords, said: _Said, policy: CpuPolicy | None, threads: ThreadPolicy | None
) -> None:
    is_policy = f"hw:cpu_policy is {policy or 'not set'}"
    mask = f"hw:cpu_dedicated_mask is {words.extra_specs.get('hw:cpu_dedicated_mask')!r}"
    if policy not in _PINNED:
        if threads:
            key, message = (
                "hw:cpu_thread_policy",
                f"a thread policy, {threads}, needs dedicated CPUs",
            )
            raise refused("CPUThreadPolicyConfigurationInvalid", key, f"{message}: {is_policy}")
        if said.emulator is EmulatorThreads.ISOLATE:
            key = "hw:emulator_threads_policy"
            message = f"{key} is isolate, which needs dedicated CPUs: {is_policy}"
            raise refused("BadRequirementEmulatorThreadsPolicy", key, message)
    if policy is not CpuPolicy.MIXED and said.dedicated:
        key, message = "hw:cpu_dedicated_mask", f"{mask}, which needs a mixed policy: {is_policy}"
        raise refused("RequiredMixedInstancePolicy", key, message)
    if policy not in _PINNED and said.realtime:
        key, message = "hw:cpu_realtime", f"hw:cpu_realtime needs dedicated CPUs: {is_policy}"
        raise refused("RealtimeConfigurationInvalid", key, message)
    if policy is CpuPolicy.MIXED and bool(said.dedicated) == bool(said.realtime):
        have = "both are set" if said.dedicated else "neither is set"
        message = f"{is_policy}, which needs hw:cpu_dedicated_mask or hw:cpu_realtime: {have}"
        raise refused("RequiredMixedOrRealtimeCPUMask", "hw:cpu_dedicated_mask", message)


def _own_threads(
    words: GuestWords, policy: CpuPolicy | None, threads: ThreadPolicy | None
) -> ThreadPolicy | None:
    full_cores = read_full_cores(words)
    if full_cores and threads:
        message = f"{full_cores}, but the thread policy is {threads}: use the one or the other"
        raise refused("FullCoresConfigurationInvalid", FULL_CORES_KEY, message)
    for key, asked in ((FULL_CORES_KEY, full_cores), (L3_KEY, read_l3(words))):
        if asked and policy not in _PINNED:
            said = f"{key} is {words.extra_specs[key]!r}, which needs dedicated CPUs"
            message = f"{said}: hw:cpu_policy is {policy or 'not set'}"
            raise refused(_CAUSES[key], key, message)
    return ThreadPolicy.FULL_CORES if full_cores else threads


_CAUSES = {
    FULL_CORES_KEY: "FullCoresConfigurationInvalid",
    L3_KEY: "L3PolicyConfigurationInvalid",
}


def _dedicated(words: GuestWords, said: _Said, policy: CpuPolicy | None) -> frozenset[int]:
    """A mixed guest's realtime vCPUs are its dedicated ones."""
    if policy is CpuPolicy.DEDICATED:
        return frozenset(range(words.vcpus))
    if policy is CpuPolicy.MIXED:
        return said.dedicated or said.realtime or frozenset()
    return frozenset()
