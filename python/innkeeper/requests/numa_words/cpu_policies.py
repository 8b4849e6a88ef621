"""Whether a guest's vCPUs share or are dedicated, and how they sit on cores."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from innkeeper.objects.topology import EmulatorThreads, ThreadPolicy
from innkeeper.requests.numa_words.words import (
    GuestWords,
    Saying,
    read_number,
    read_word,
    refused,
)


class CpuPolicy(StrEnum):
    """Which vCPUs have a CPU of their own (Nova since Kilo, mixed since Victoria)."""

    SHARED = "shared"
    DEDICATED = "dedicated"
    MIXED = "mixed"


class SiblingPolicy(StrEnum):
    """The thread policies that Nova has (since Mitaka)."""

    PREFER = "prefer"
    ISOLATE = "isolate"
    REQUIRE = "require"


#: What an image may not ask for, by what the flavor says. Beside a dedicated flavor it may say
#: anything: Nova lets the flavor win there, whatever its documents say.
_BEYOND: Final = {
    CpuPolicy.SHARED: (CpuPolicy.MIXED, CpuPolicy.DEDICATED),
    CpuPolicy.MIXED: (CpuPolicy.DEDICATED,),
    CpuPolicy.DEDICATED: (),
}

_CPU_RESOURCE = re.compile(r"resources([^:]*):([VP]CPU.*)", re.DOTALL)
_GROUP = re.compile(r"(?:[1-9][0-9]*)?")
_HYPERTHREADING = re.compile(r"trait(?:[1-9][0-9]*)?:HW_CPU_HYPERTHREADING")
_OF_TRAIT: Final = {"required": ThreadPolicy.REQUIRE, "forbidden": ThreadPolicy.ISOLATE}


@dataclass(frozen=True, slots=True)
class CpuResources:
    """CPUs that the flavor asks of the inventory service itself, all groups together.

    Null where it says nothing; a 0 is said, and asks for none.
    """

    vcpus: int | None = None
    pcpus: int | None = None


def read_cpu_policy(words: GuestWords) -> CpuPolicy | None:
    """`hw:cpu_policy` and `hw_cpu_policy`.

    Raises:
        BadRequest: a word is none, or the image asks for more than the flavor gives.
    """
    flavor, image = words.of_flavor("cpu_policy"), words.of_image("cpu_policy")
    given = read_word(CpuPolicy, flavor, "InvalidCPUAllocationPolicy")
    asked = read_word(CpuPolicy, image, "InvalidImageProperty")
    if flavor and image and given and asked in _BEYOND[given]:
        message = f"{image}, but {flavor}: an image cannot dedicate more than its flavor does"
        raise refused("ImageCPUPinningForbidden", image.key, message)
    return given or asked


def read_sibling_policy(words: GuestWords) -> SiblingPolicy | None:
    """`hw:cpu_thread_policy` and `hw_cpu_thread_policy`; a flavor's prefer wins over the image.

    Raises:
        BadRequest: a word is none, or flavor and image disagree.
    """
    flavor, image = words.of_flavor("cpu_thread_policy"), words.of_image("cpu_thread_policy")
    given = read_word(SiblingPolicy, flavor, "InvalidCPUThreadAllocationPolicy")
    asked = read_word(SiblingPolicy, image, "InvalidImageProperty")
    if flavor and image and given not in (SiblingPolicy.PREFER, asked):
        message = f"{image}, but {flavor}: flavor and image disagree"
        raise refused("ImageCPUThreadPolicyForbidden", image.key, message)
    return given or asked


def read_emulator_threads(words: GuestWords) -> EmulatorThreads | None:
    """`hw:emulator_threads_policy`.

    Raises:
        BadRequest: the word is none.
    """
    flavor = words.of_flavor("emulator_threads_policy")
    return read_word(EmulatorThreads, flavor, "InvalidEmulatorThreadsPolicy")


def read_cpu_resources(words: GuestWords) -> CpuResources:
    """`resources:VCPU` and `resources:PCPU`, also in numbered groups, each summed.

    Raises:
        BadRequest: a group, class or amount has another form (D12 of the differences from Nova).
    """
    sums: dict[str, int] = {}
    for key in sorted(words.extra_specs):
        found = _CPU_RESOURCE.fullmatch(key)
        if found is None:
            continue
        said = Saying(key, words.extra_specs[key])
        amount = read_number(said, "InvalidRequest", what="an amount of CPUs")
        if found[2] not in ("VCPU", "PCPU") or not _GROUP.fullmatch(found[1]):
            message = f"{said}, and is no resource: there are resources:VCPU and resources:PCPU"
            raise refused("InvalidRequest", key, f"{message}, or with a number as resources1:VCPU")
        sums[found[2]] = sums.get(found[2], 0) + amount
    return CpuResources(sums.get("VCPU"), sums.get("PCPU"))


def is_cpu_resource(key: str, name: str) -> bool:
    """Whether an extra spec that was read says an amount of this class, VCPU or PCPU."""
    found = _CPU_RESOURCE.fullmatch(key)
    return found is not None and found[2] == name


def read_hyperthreading(words: GuestWords) -> tuple[Saying, ThreadPolicy] | None:
    """What `trait:HW_CPU_HYPERTHREADING` makes of the siblings; images can only require it.

    Raises:
        BadRequest: it says neither required nor forbidden, or both.
    """
    keys = [key for key in sorted(words.extra_specs) if _HYPERTHREADING.fullmatch(key)]
    sayings = [Saying(key, words.extra_specs[key]) for key in keys]
    for said in sayings:
        if said.text not in _OF_TRAIT:
            message = f"{said}, should be required or forbidden"
            raise refused("InvalidRequest", said.key, message)
        if said.text != sayings[0].text:
            message = f"{said}, but {sayings[0]}: no host has and lacks a trait"
            raise refused("InvalidRequest", said.key, message)
    sayings = sayings or _hyperthreading_of_image(words)
    return (sayings[0], _OF_TRAIT[sayings[0].text]) if sayings else None


def _hyperthreading_of_image(words: GuestWords) -> list[Saying]:
    key = "trait:HW_CPU_HYPERTHREADING"
    if key not in words.image_properties:
        return []
    said = Saying(key, words.image_properties[key])
    if said.text != "required":
        message = f"{said}: an image can only say required"
        raise refused("InvalidRequest", key, message)
    return [said]
