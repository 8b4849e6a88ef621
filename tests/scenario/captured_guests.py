"""Guests of every shape, small enough for a captured host of a few GiB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from innkeeper.objects import DeviceRequest, GuestCell, GuestTopology, Request
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import CellPreference, EmulatorThreads, ThreadPolicy

CellWords = tuple[int, int, int]
"""Of one guest cell: vCPUs that float, dedicated ones, MiB."""


def guest(*cells: CellWords, devices: Sequence[DeviceRequest] = (), **words: object) -> Request:
    """A request whose vCPUs are numbered cell by cell, those that float first."""
    made, first = [], 0
    for shared, dedicated, memory_mib in cells:
        middle, end = first + shared, first + shared + dedicated
        made.append(
            GuestCell(
                shared=format_cpu_spec(range(first, middle)),
                dedicated=format_cpu_spec(range(middle, end)),
                memory_mib=memory_mib,
            )
        )
        first = end
    topology = GuestTopology.model_validate({"cells": tuple(made), **words})
    memory = sum(it.memory_mib for it in made)
    return Request(
        vcpus=first or None,
        memory_mib=memory or None,
        devices=tuple(devices),
        topology=topology,
    )


PINNED, FLOATING, MIXED, ONLY_CPUS = (0, 2, 24), (1, 0, 40), (1, 1, 24), (0, 2, 0)

SHAPES: Mapping[str, Request] = {
    "dedicated": guest(PINNED),
    "floats over one cell": guest(FLOATING),
    "two cells": guest(PINNED, PINNED),
    "three mixed cells": guest(MIXED, MIXED, MIXED),
    "two of whole cores, close to each other": guest(
        PINNED, PINNED, threads=ThreadPolicy.FULL_CORES, preference=CellPreference.CLOSEST
    ),
    "half a core too much": guest((0, 3, 16), threads=ThreadPolicy.FULL_CORES),
    "three close to each other": guest(
        FLOATING, FLOATING, FLOATING, preference=CellPreference.CLOSEST
    ),
    "siblings": guest((0, 4, 16), threads=ThreadPolicy.REQUIRE),
    "a core each": guest(PINNED, threads=ThreadPolicy.ISOLATE),
    "an emulator of its own": guest(PINNED, emulator_threads=EmulatorThreads.ISOLATE),
    "emulator and cores": guest(
        (0, 1, 16),
        (0, 1, 16),
        threads=ThreadPolicy.ISOLATE,
        emulator_threads=EmulatorThreads.ISOLATE,
    ),
    "hugepages": guest((0, 1, 8), pages=2048),
    "hugepages without vCPUs": guest((0, 0, 40), pages="large"),
    "any pages on sockets apart": guest(
        (0, 1, 4), (1, 0, 4), pages="any", preference=CellPreference.SPREAD_SOCKETS
    ),
    "CPUs alone": guest(ONLY_CPUS),
}


def with_memory(memory_mib: int) -> Mapping[str, Request]:
    """Guest cells of so much, without a vCPU."""
    only_memory = (0, 0, memory_mib)
    return {
        "memory far from the CPUs": guest(ONLY_CPUS, only_memory),
        "memory alone": guest(only_memory),
    }


def with_devices(product: str, kind: str) -> Mapping[str, Request]:
    """Guests with a device of this product, as near as each policy wants it."""
    return {
        f"a device {policy}": guest(PINNED, FLOATING, devices=[_device(product, kind, policy)])
        for policy in NumaPolicy
    }


def _device(product: str, kind: str, policy: NumaPolicy) -> DeviceRequest:
    pattern = {"vendor_id": "8086", "product_id": product, "dev_type": kind}
    return DeviceRequest(alternatives=(pattern,), numa_policy=policy)
