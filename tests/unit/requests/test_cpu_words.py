"""What flavors and images say of a guest's CPUs."""

from __future__ import annotations

import pytest

from innkeeper.errors import BadRequest
from innkeeper.objects.topology import EmulatorThreads, GuestTopology, L3Policy, ThreadPolicy
from innkeeper.requests.numa_words.constraints import constraints_of_flavor, topology_of_flavor

Words = dict[str, str]
DEDICATED = {"hw:cpu_policy": "dedicated"}
MIXED = {"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1"}


def refusal_of(flavor: Words, image: Words | None = None) -> tuple[str, str, str]:
    """Cause, key and message of the refusal of four vCPUs and 4 GiB."""
    with pytest.raises(BadRequest) as caught:
        constraints_of_flavor(4, 4096, flavor, image)
    (error,) = caught.value.details["errors"]
    assert error["message"] == caught.value.message
    return error["cause"], error["path"], error["message"]


def topology_of(flavor: Words, image: Words | None = None) -> GuestTopology:
    found = topology_of_flavor(4, 4096, flavor, image)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("flavor", "image", "dedicated"),
    [
        (DEDICATED, {}, "0-3"),
        (DEDICATED, {"hw_cpu_policy": "shared"}, "0-3"),
        ({}, {"hw_cpu_policy": "dedicated"}, "0-3"),
        (MIXED, {}, "0-1"),
        (MIXED, {"hw_cpu_policy": "shared"}, "0-1"),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "^0"}, {}, "1-3"),
        ({"hw:cpu_policy": "mixed", "hw:cpu_realtime": "yes"}, {"hw_cpu_realtime_mask": "3"}, "3"),
        ({"resources:PCPU": "4"}, {}, "0-3"),
        ({"resources1:PCPU": "3", "resources2:PCPU": "1"}, {}, "0-3"),
        ({"hw:numa_nodes": "1", "resources:VCPU": "9"}, {}, ""),
    ],
)
def test_which_vcpus_are_dedicated(flavor: Words, image: Words, dedicated: str) -> None:
    (cell,) = topology_of(flavor, image).cells
    assert cell.dedicated == dedicated


@pytest.mark.parametrize(
    ("flavor", "image", "threads"),
    [
        ({}, {}, None),
        ({"hw:cpu_thread_policy": "isolate"}, {}, ThreadPolicy.ISOLATE),
        ({"hw:cpu_thread_policy": "prefer"}, {"hw_cpu_thread_policy": "require"}, "prefer"),
        ({}, {"hw_cpu_thread_policy": "require"}, ThreadPolicy.REQUIRE),
        ({"trait:HW_CPU_HYPERTHREADING": "forbidden"}, {}, ThreadPolicy.ISOLATE),
        ({"trait3:HW_CPU_HYPERTHREADING": "required"}, {}, ThreadPolicy.REQUIRE),
        ({}, {"trait:HW_CPU_HYPERTHREADING": "required"}, ThreadPolicy.REQUIRE),
        ({"innkeeper:cpu_full_cores": "true"}, {}, ThreadPolicy.FULL_CORES),
        ({"innkeeper:cpu_full_cores": "no"}, {}, None),
    ],
)
def test_how_they_sit_on_cores(flavor: Words, image: Words, threads: ThreadPolicy | None) -> None:
    assert topology_of(DEDICATED | flavor, image).threads == threads


def test_emulator_threads_and_l3() -> None:
    own = {"hw:emulator_threads_policy": "isolate", "innkeeper:cpu_l3_policy": "require"}
    topology = topology_of(MIXED | own)
    assert topology.emulator_threads is EmulatorThreads.ISOLATE
    assert topology.l3 is L3Policy.REQUIRE


@pytest.mark.parametrize(
    ("flavor", "image", "cause", "key", "parts"),
    [
        (
            {"hw:cpu_policy": "shared"},
            {"hw_cpu_policy": "dedicated"},
            "ImageCPUPinningForbidden",
            "hw_cpu_policy",
            ("hw:cpu_policy is 'shared'", "hw_cpu_policy is 'dedicated'"),
        ),
        (
            MIXED,
            {"hw_cpu_policy": "dedicated"},
            "ImageCPUPinningForbidden",
            "hw_cpu_policy",
            ("'mixed'", "'dedicated'"),
        ),
        (
            DEDICATED | {"hw:cpu_thread_policy": "isolate"},
            {"hw_cpu_thread_policy": "prefer"},
            "ImageCPUThreadPolicyForbidden",
            "hw_cpu_thread_policy",
            ("'isolate'", "'prefer'"),
        ),
        (
            DEDICATED
            | {"hw:cpu_thread_policy": "prefer", "trait:HW_CPU_HYPERTHREADING": "required"},
            {},
            "InvalidRequest",
            "trait:HW_CPU_HYPERTHREADING",
            ("'required'", "'prefer'"),
        ),
        (
            {
                "trait:HW_CPU_HYPERTHREADING": "required",
                "trait1:HW_CPU_HYPERTHREADING": "forbidden",
            },
            {},
            "InvalidRequest",
            "trait:HW_CPU_HYPERTHREADING",
            ("'required'", "'forbidden'"),
        ),
        (
            DEDICATED | {"resources:PCPU": "4"},
            {},
            "InvalidRequest",
            "resources:PCPU",
            ("resources:PCPU is '4'", "hw:cpu_policy is 'dedicated'"),
        ),
        (
            {"resources:PCPU": "4", "hw:emulator_threads_policy": "isolate"},
            {},
            "InvalidRequest",
            "resources:PCPU",
            ("resources:PCPU is '4'", "hw:emulator_threads_policy isolate: 5"),
        ),
        (
            {"hw:cpu_thread_policy": "prefer"},
            {},
            "CPUThreadPolicyConfigurationInvalid",
            "hw:cpu_thread_policy",
            ("prefer", "hw:cpu_policy is not set"),
        ),
        (
            DEDICATED | {"hw:cpu_dedicated_mask": "0"},
            {},
            "RequiredMixedInstancePolicy",
            "hw:cpu_dedicated_mask",
            ("'0'", "hw:cpu_policy is 'dedicated'"),
        ),
        (
            DEDICATED | {"hw:cpu_realtime": "1", "hw:cpu_realtime_mask": "3-4"},
            {},
            "RealtimeMaskNotFoundOrInvalid",
            "hw:cpu_realtime_mask",
            ("'3-4'", "vCPU 4", "has 4"),
        ),
        (
            DEDICATED | {"innkeeper:cpu_full_cores": "yes", "hw:cpu_thread_policy": "require"},
            {},
            "FullCoresConfigurationInvalid",
            "innkeeper:cpu_full_cores",
            ("'yes'", "require"),
        ),
        (
            {"innkeeper:cpu_l3_policy": "prefer"},
            {},
            "L3PolicyConfigurationInvalid",
            "innkeeper:cpu_l3_policy",
            ("'prefer'", "hw:cpu_policy is not set"),
        ),
    ],
)
def test_words_that_contradict_each_other(
    flavor: Words, image: Words, cause: str, key: str, parts: tuple[str, ...]
) -> None:
    """The refusal names the cause for machines, and both words for people."""
    found = refusal_of(flavor, image)
    assert found[:2] == (cause, key)
    for part in parts:
        assert part in found[2]


@pytest.mark.parametrize(
    ("flavor", "image", "cause"),
    [
        ({"hw:cpu_policy": "pinned"}, {}, "InvalidCPUAllocationPolicy"),
        ({}, {"hw_cpu_policy": "pinned"}, "InvalidImageProperty"),
        ({"hw:cpu_thread_policy": "near"}, {}, "InvalidCPUThreadAllocationPolicy"),
        ({"hw:emulator_threads_policy": "own"}, {}, "InvalidEmulatorThreadsPolicy"),
        ({"hw:cpu_realtime": "maybe"}, {}, "InvalidRealtime"),
        ({"hw:cpu_dedicated_mask": "3-1"}, {}, "Invalid"),
        ({"hw:cpu_dedicated_mask": "0-3"}, {}, "InvalidMixedInstanceDedicatedMask"),
        ({"resources:PCPU_X": "4"}, {}, "InvalidRequest"),
        ({"resources01:PCPU": "4"}, {}, "InvalidRequest"),
        ({"resources:PCPU": "\u0664"}, {}, "InvalidRequest"),
        ({"trait:HW_CPU_HYPERTHREADING": "maybe"}, {}, "InvalidRequest"),
        ({"innkeeper:cpu_l3_policy": "strict"}, {}, "InvalidL3Policy"),
        ({"innkeeper:cpu_full_cores": ""}, {}, "InvalidFullCores"),
    ],
)
def test_words_that_are_none(flavor: Words, image: Words, cause: str) -> None:
    assert refusal_of(flavor, image)[0] == cause


def test_the_first_of_several_errors_is_novas() -> None:
    """Step by step: policy, siblings, realtime, dedicated mask, emulator, resources, cells, pages."""
    wrong = {
        "hw:cpu_policy": "x",
        "hw:cpu_thread_policy": "x",
        "hw:cpu_realtime": "x",
        "hw:cpu_dedicated_mask": "x",
        "hw:emulator_threads_policy": "x",
        "resources:PCPU": "x",
        "trait:HW_CPU_HYPERTHREADING": "x",
        "hw:numa_nodes": "x",
        "hw:mem_page_size": "x",
        "hw:locked_memory": "x",
        "hw:numa_cpus.0": "x",
    }
    in_order = list(wrong)
    for key in in_order:
        assert refusal_of(wrong)[1] == key
        del wrong[key]
