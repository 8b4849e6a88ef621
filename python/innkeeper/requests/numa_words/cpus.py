"""All words on a guest's CPUs together: what they come to, and which contradict each other."""

from __future__ import annotations

from dataclasses import dataclass

from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy
from innkeeper.requests.numa_words.cpu_policies import (
    CpuPolicy,
    CpuResources,
    SiblingPolicy,
    is_cpu_resource,
    read_cpu_policy,
    read_cpu_resources,
    read_emulator_threads,
    read_hyperthreading,
    read_sibling_policy,
)
from innkeeper.requests.numa_words.masks import read_dedicated, read_realtime
from innkeeper.requests.numa_words.own_keys import FULL_CORES_KEY, L3_KEY, read_full_cores, read_l3
from innkeeper.requests.numa_words.words import GuestWords, Saying, refused

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
    policy, because = _policy(words, said)
    threads, siblings = _threads(words, said)
    if policy not in _PINNED:
        _require_nothing_pinned(words, said, siblings, because)
    _require_masks(words, said, policy, because)
    return GuestCpus(
        policy,
        _own_threads(words, threads, siblings, None if policy in _PINNED else because),
        said.emulator,
        _dedicated(words, said, policy),
        said.realtime or frozenset(),
        said.resources,
    )


def _policy(words: GuestWords, said: _Said) -> tuple[CpuPolicy | None, str]:
    """The policy, which amounts of resources can say too; and the words that say it."""
    vcpus, pcpus = (_first_amount(words, name) for name in ("VCPU", "PCPU"))
    policy = words.of_flavor("cpu_policy") or words.of_image("cpu_policy")
    amount = pcpus or vcpus
    if policy and amount:
        message = f"{amount}, but {policy}: use the one or the other"
        raise refused("InvalidRequest", amount.key, message)
    if vcpus and pcpus:
        raise refused("InvalidRequest", pcpus.key, f"{pcpus}, but {vcpus}: only one of them can be")
    if pcpus:
        _require_pcpus(words, said, pcpus)
        return CpuPolicy.DEDICATED, str(pcpus)
    if vcpus:
        return CpuPolicy.SHARED, str(vcpus)
    return said.policy, str(policy or "hw:cpu_policy is not set")


def _first_amount(words: GuestWords, name: str) -> Saying | None:
    """What asks for some of these CPUs; a 0 is as if it were not said."""
    keys = (key for key in sorted(words.extra_specs) if is_cpu_resource(key, name))
    said = (Saying(key, words.extra_specs[key]) for key in keys)
    return next((one for one in said if int(one.text)), None)


def _require_pcpus(words: GuestWords, said: _Said, pcpus: Saying) -> None:
    isolated = said.emulator is EmulatorThreads.ISOLATE
    right, asked = words.vcpus + isolated, said.resources.pcpus
    if asked != right:
        more = " and one for hw:emulator_threads_policy isolate" if isolated else ""
        message = f"PCPU is {asked} in all, but the flavor has {words.vcpus} vCPUs{more}: {right}"
        raise refused("InvalidRequest", pcpus.key, f"{pcpus}, so {message}")


def _threads(words: GuestWords, said: _Said) -> tuple[ThreadPolicy | None, Saying | None]:
    """The thread policy, which the trait can say too; and what says it."""
    siblings = words.of_flavor("cpu_thread_policy") or words.of_image("cpu_thread_policy")
    trait = read_hyperthreading(words)
    if trait and siblings:
        message = f"{trait[0]}, but {siblings}: use the one or the other"
        raise refused("InvalidRequest", trait[0].key, message)
    if trait:
        return trait[1], trait[0]
    return ThreadPolicy(said.siblings) if said.siblings else None, siblings


def _require_nothing_pinned(
    words: GuestWords, said: _Said, siblings: Saying | None, because: str
) -> None:
    if siblings:
        message = f"{siblings}, which needs dedicated CPUs, but {because}"
        raise refused("CPUThreadPolicyConfigurationInvalid", siblings.key, message)
    emulator = words.of_flavor("emulator_threads_policy")
    if emulator and said.emulator is EmulatorThreads.ISOLATE:
        message = f"{emulator}, which needs dedicated CPUs, but {because}"
        raise refused("BadRequirementEmulatorThreadsPolicy", emulator.key, message)


def _require_masks(words: GuestWords, said: _Said, policy: CpuPolicy | None, because: str) -> None:
    mask, realtime = words.of_flavor("cpu_dedicated_mask"), words.of_flavor("cpu_realtime")
    if policy is CpuPolicy.MIXED:
        if bool(said.dedicated) == bool(said.realtime):
            have = f"{mask}, and {realtime}" if said.dedicated else "neither is set"
            message = f"{because}, which needs hw:cpu_dedicated_mask or hw:cpu_realtime: {have}"
            raise refused("RequiredMixedOrRealtimeCPUMask", "hw:cpu_dedicated_mask", message)
    elif mask:
        message = f"{mask}, which needs a mixed policy, but {because}"
        raise refused("RequiredMixedInstancePolicy", mask.key, message)
    elif realtime and said.realtime and policy is not CpuPolicy.DEDICATED:
        message = f"{realtime}, which needs dedicated CPUs, but {because}"
        raise refused("RealtimeConfigurationInvalid", realtime.key, message)


def _own_threads(
    words: GuestWords, threads: ThreadPolicy | None, siblings: Saying | None, unpinned: str | None
) -> ThreadPolicy | None:
    """With innkeeper's own words; `unpinned` says why nothing is dedicated, if nothing is."""
    full_cores = read_full_cores(words)
    if full_cores and siblings:
        message = f"{full_cores}, but {siblings}: use the one or the other"
        raise refused("FullCoresConfigurationInvalid", FULL_CORES_KEY, message)
    for key, asked in ((FULL_CORES_KEY, full_cores), (L3_KEY, read_l3(words))):
        if asked and unpinned:
            said = f"{Saying(key, words.extra_specs[key])}, which needs dedicated CPUs"
            raise refused(_CAUSES[key], key, f"{said}, but {unpinned}")
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
