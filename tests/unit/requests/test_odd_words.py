"""Whatever is written into flavors, images and options: a value, or one refusal that names the key."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from innkeeper.errors import BadRequest
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.objects.topology import ThreadPolicy
from innkeeper.requests.numa_words.command_words import (
    parse_hugepages,
    parse_property,
    parse_threads,
)
from innkeeper.requests.numa_words.constraints import GuestConstraints, constraints_of_flavor
from innkeeper.requests.numa_words.nova_topology import guest_of_nova, nova_of_guest
from innkeeper.requests.numa_words.reserved_pages import read_reserved_pages

_Value = TypeVar("_Value")

_CPUS = ["0-1", "2-3", "0", "", "^0", "0-3,^2"]
_MEBIBYTES = ["1024", "2048", "4096", "0"]
_RESOURCES = ["4", "5", "2", "0"]
#: name -> what may be said
NAMES = {
    "cpu_policy": ["shared", "dedicated", "dedicated", "mixed"],
    "cpu_thread_policy": ["prefer", "isolate", "require"],
    "cpu_realtime": ["yes", "false"],
    "cpu_realtime_mask": _CPUS,
    "cpu_dedicated_mask": _CPUS,
    "emulator_threads_policy": ["share", "isolate"],
    "numa_nodes": ["1", "2", "4"],
    **{f"numa_cpus.{number}": _CPUS for number in (0, 1, 3)},
    **{f"numa_mem.{number}": _MEBIBYTES for number in (0, 1, 3)},
    "mem_page_size": ["small", "large", "any", "2048", "1GiB", "2MB"],
    "locked_memory": ["true", "no"],
    "pmem": ["4GB", "a, b"],
    "pci_numa_affinity_policy": ["required", "legacy", "preferred", "socket"],
}
OTHERS = {
    "resources:PCPU": _RESOURCES,
    "resources2:VCPU": _RESOURCES,
    "resources01:PCPU": _RESOURCES,
    "resources:VCPU_X": _RESOURCES,
    "trait:HW_CPU_HYPERTHREADING": ["required", "forbidden"],
    "trait7:HW_CPU_HYPERTHREADING": ["required", "forbidden"],
    "innkeeper:cpu_l3_policy": ["prefer", "require"],
    "innkeeper:cpu_full_cores": ["true", "false"],
    "innkeeper:cell_preference": ["closest", "pack"],
    "innkeeper:": ["true"],
}
ODD = ["", " ", "-1", "+1", "1_0", "1.5", "\u0662", "\uff11", "3-1", "^", "2M", "16Mib", "0.5KB"]
ODD += ["9" * 30, "9" * 5000, "0-65535", "x" * 300, "\x00", "\ud800", "1e9", "0-0,0-0", "maybe"]
TEXTS = st.sampled_from(ODD) | st.text(max_size=8)


def _said(keys: dict[str, list[str]], most: int) -> st.SearchStrategy[dict[str, str]]:
    """Some of the keys, mostly with what may be said there."""
    good = st.sampled_from([(key, text) for key, texts in keys.items() for text in texts])
    odd = st.tuples(st.sampled_from(list(keys)), TEXTS)
    return st.lists(good | good | good | odd, max_size=most).map(dict)


APART = {"numa_nodes": "2", "numa_cpus.0": "0", "numa_cpus.1": "1-3"}
APART |= {"numa_mem.0": "0", "numa_mem.1": "4096"}
BASES = st.sampled_from(
    [{}, {}, {"hw:cpu_policy": "dedicated"}, {f"hw:{k}": v for k, v in APART.items()}]
)
FLAVORS = _said({f"hw:{name}": texts for name, texts in NAMES.items()} | OTHERS, 4)
IMAGES: st.SearchStrategy[dict[str, str]] = st.just({}) | _said(
    {f"hw_{name}": texts for name, texts in NAMES.items()}, 2
)


def _require_consistent(vcpus: int, memory_mib: int, found: GuestConstraints) -> None:
    assert found.realtime <= set(range(vcpus))
    topology = found.topology
    if topology is None:
        return
    named = [
        (parse_cpu_spec(cell.shared), parse_cpu_spec(cell.dedicated)) for cell in topology.cells
    ]
    listed = [vcpu for shared, dedicated in named for vcpu in (*shared, *dedicated)]
    assert sorted(listed) == list(range(vcpus))
    assert sum(cell.memory_mib for cell in topology.cells) == memory_mib
    if topology.threads is not ThreadPolicy.FULL_CORES:
        back = {"l3": topology.l3, "preference": topology.preference}
        assert guest_of_nova(nova_of_guest(topology)).model_copy(update=back) == topology


@given(st.sampled_from([1, 4, 4, 8]), st.sampled_from([4096, 4096, 4095]), BASES, FLAVORS, IMAGES)
def test_flavors_and_images(
    vcpus: int, memory_mib: int, base: dict[str, str], more: dict[str, str], image: dict[str, str]
) -> None:
    """All vCPUs and all memory are in the cells, or the refusal names one of the keys."""
    flavor = base | more
    found = _value_or_refusal(lambda: constraints_of_flavor(vcpus, memory_mib, flavor, image))
    if isinstance(found, GuestConstraints):
        _require_consistent(vcpus, memory_mib, found)
    else:
        (one,) = found.details["errors"]
        assert one["cause"]
        assert one["message"] == found.message
        assert one["path"].partition(".")[0] in _families(flavor, image)


def _value_or_refusal(read: Callable[[], _Value]) -> _Value | BadRequest:
    try:
        return read()
    except BadRequest as error:
        return error


def _families(flavor: dict[str, str], image: dict[str, str]) -> set[str]:
    """The keys that are there, without the number of a cell, and those whose absence may be wrong."""
    there = {key.partition(".")[0] for key in (*flavor, *image)}
    return there | {"hw:cpu_dedicated_mask", "hw:cpu_realtime_mask", "hw:numa_cpus", "hw:numa_mem"}


@given(st.lists(st.text(max_size=20) | st.sampled_from(["node:0,size:2MB,count:1", "node:0"])))
def test_reserved_pages(texts: list[str]) -> None:
    found = _value_or_refusal(lambda: read_reserved_pages(texts))
    if isinstance(found, BadRequest):
        causes = {one["cause"] for one in found.details["errors"]}
        assert causes == {"InvalidReservedMemoryPagesOption"}
    else:
        assert len(found) == len(texts)


@given(TEXTS | st.text(max_size=30))
def test_words_of_a_command_line(text: str) -> None:
    for parse in (parse_threads, parse_hugepages, parse_property):
        found = _value_or_refusal(partial(parse, text))
        assert not isinstance(found, BadRequest) or found.details["errors"]
