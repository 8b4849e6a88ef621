"""Requests of flavors and images: sizes, disks, the image's needs, and the scheduler's limits."""

from __future__ import annotations

from typing import Any

import pytest

from innkeeper import limits_of_scheduler, request_of_flavor, with_overhead
from innkeeper.config.sections import Overhead
from innkeeper.errors import BadRequest
from innkeeper.objects import (
    Flavor,
    GuestCell,
    GuestTopology,
    ImageMeta,
    ImageMetaProps,
    Inventory,
    NumaPolicy,
    Quantity,
    Request,
)

INVENTORY = Inventory(
    vcpus=Quantity(total=10),
    memory_mib=Quantity(total=16_896, reserved=512),
    disk_mib=Quantity(total=100_000),
)


def flavor(**words: Any) -> Flavor:
    sizes = {"vcpus": 2, "memory_mb": 2048, "root_gb": 10, "ephemeral_gb": 0, "swap": 0}
    return Flavor(**(sizes | words))


@pytest.mark.parametrize(
    ("words", "volume_backed", "disk_mib"),
    [
        ({}, False, 10_240),
        ({"ephemeral_gb": 5, "swap": 100}, False, 15_460),
        ({"ephemeral_gb": 5, "swap": 100}, True, 5_220),
        ({"root_gb": 0}, False, None),
        ({"swap": 1}, True, 1),
        ({}, True, None),
    ],
)
def test_disk_is_root_unless_it_is_a_volume_and_ephemeral_and_swap_to_the_mib(
    words: dict[str, int], *, volume_backed: bool, disk_mib: int | None
) -> None:
    request = request_of_flavor(flavor(**words), volume_backed=volume_backed)
    assert (request.vcpus, request.memory_mib, request.disk_mib) == (2, 2048, disk_mib)


def test_extra_specs_and_image_make_cells_and_devices() -> None:
    specs = {"pci_passthrough:alias": "a10:2", "hw:mem_page_size": "any"}
    properties = ImageMetaProps(
        hw_numa_nodes=2,
        hw_numa_cpus=({0}, {1}),
        hw_numa_mem=(512, 1536),
        hw_pci_numa_affinity_policy="required",
        hw_mem_page_size="2MB",
    )
    request = request_of_flavor(flavor(extra_specs=specs), ImageMeta(properties=properties))
    (devices,) = request.devices
    assert (devices.alias, devices.count) == ("a10", 2)
    assert devices.numa_policy is NumaPolicy.REQUIRED
    assert request.topology is not None
    assert request.topology.pages == 2048
    cells = [(cell.shared, cell.memory_mib) for cell in request.topology.cells]
    assert cells == [("0", 512), ("1", 1536)]


@pytest.mark.parametrize(
    ("image", "cause"),
    [
        ({"min_ram": 2049}, "FlavorMemoryTooSmall"),
        ({"min_disk": 11}, "FlavorDiskSmallerThanMinDisk"),
        ({"size": 10 * 2**30 + 1}, "FlavorDiskSmallerThanImage"),
    ],
)
def test_an_image_that_needs_more_than_the_flavor_gives_is_refused(
    image: dict[str, int], cause: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        request_of_flavor(flavor(), ImageMeta(**image))
    assert refusal.value.details["errors"][0]["cause"] == cause


def test_a_disk_of_the_image_s_size_or_on_a_volume_is_not_too_small() -> None:
    image = ImageMeta(min_disk=11, size=11 * 2**30, min_ram=2048)
    request_of_flavor(flavor(), image, volume_backed=True)
    request_of_flavor(flavor(root_gb=0), image)


@pytest.mark.parametrize(
    "words", [{"root_gb": -1}, {"swap": -1}, {"vcpus": 0}, {"memory_mb": 0}, {"root_gb": 2**40}]
)
def test_sizes_that_are_none_are_refused(words: dict[str, int]) -> None:
    with pytest.raises(BadRequest, match="flavor"):
        request_of_flavor(flavor(**words))


def test_a_flavor_without_a_size_is_refused_by_its_name() -> None:
    with pytest.raises(BadRequest, match="root_gb is not set"):
        request_of_flavor(Flavor(vcpus=1, memory_mb=1))


@pytest.mark.parametrize(
    ("limits", "vcpus", "memory"),
    [
        ({}, None, None),
        ({"vcpu": None, "memory_mb": None, "disk_gb": 5}, None, None),
        ({"vcpu": 160.0, "memory_mb": 512 + 16_384 * 1.5}, 16.0, 1.5),
        ({"memory_mb": 100}, None, 0.000001),
        (
            {
                "vcpu": 160,
                "numa_topology": {"cpu_allocation_ratio": 2.0, "ram_allocation_ratio": 1},
            },
            2.0,
            1.0,
        ),
    ],
)
def test_limits_of_the_scheduler_are_ratios_of_the_host(
    limits: dict[str, Any], vcpus: float | None, memory: float | None
) -> None:
    found = limits_of_scheduler(limits, INVENTORY)
    assert (found.vcpus, found.memory) == (vcpus, memory)


@pytest.mark.parametrize("limit", [-1, "16", True, float("nan")])
def test_a_limit_that_is_no_amount_is_refused(limit: object) -> None:
    with pytest.raises(BadRequest, match="limit vcpu"):
        limits_of_scheduler({"vcpu": limit}, INVENTORY)


OVERHEAD = Overhead(memory_mib=100, memory_mib_per_vcpu=10, disk_mib=7)


def test_the_overhead_of_a_guest_is_its_own_and_that_of_each_vcpu() -> None:
    found = with_overhead(Request(vcpus=4, memory_mib=1000), OVERHEAD)
    assert (found.vcpus, found.memory_mib, found.disk_mib) == (4, 1140, 7)


def test_what_is_no_guest_has_no_overhead() -> None:
    request = Request(disk_mib=10)
    assert with_overhead(request, OVERHEAD) is request


def test_memory_of_cells_stays_their_sum() -> None:
    topology = GuestTopology(cells=(GuestCell(shared="0", memory_mib=64),))
    found = with_overhead(Request(vcpus=1, memory_mib=64, topology=topology), OVERHEAD)
    assert (found.memory_mib, found.disk_mib) == (64, 7)


def test_no_overhead_asks_for_nothing() -> None:
    assert with_overhead(Request(vcpus=1), Overhead()) == Request(vcpus=1)
