"""The request of an instance of a flavor, an image and a scheduler's limits, as Nova counts them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from innkeeper.objects import Flavor, ImageMeta, ImageMetaProps, Inventory, Quantity, Request
from innkeeper.objects.cpu_spec import format_cpu_list
from innkeeper.objects.topology import Limits
from innkeeper.requests.extra_specs import devices_of_flavor
from innkeeper.requests.numa_words.constraints import topology_of_flavor
from innkeeper.requests.numa_words.words import refused

_GIB: Final = 1024
"""MiB."""
_BYTES: Final = 2**30
"""In a GiB."""
_MOST_MIB: Final = 2**40
"""As `Request.disk_mib`."""
_MICRO: Final = 1_000_000
"""Ratios keep six decimals."""


def request_of_flavor(
    flavor: Flavor,
    image: ImageMeta | None = None,
    *,
    volume_backed: bool = False,
    limits: Limits | None = None,
) -> Request:
    """What an instance of this flavor and image asks for.

    Disk is root (nothing where it is a volume), ephemeral disk and swap, to the MiB. What the
    hypervisor needs beside (`[overhead]`) is not in it: a tracker adds that to whatever it is asked.

    Args:
        flavor: with sizes; extra specs that are not set say nothing.
        image: null says nothing, as where an instance is booted from a volume.
        volume_backed: whether the root disk is a volume elsewhere.
        limits: of the scheduler, see `limits_of_scheduler`; null: the host's own ratios.

    Raises:
        BadRequest: a size is missing or out of bounds, the image needs more than the flavor gives, or a
            word of either is none or contradicts another.
    """
    vcpus, memory_mib = _size(flavor, "vcpus"), _size(flavor, "memory_mb")
    if image is not None:
        _require_image(flavor, image, volume_backed=volume_backed)
    specs = dict(flavor.extra_specs) if flavor.is_set("extra_specs") else {}
    properties = dict(_properties(image))
    return Request(
        topology=topology_of_flavor(vcpus, memory_mib, specs, properties),
        vcpus=vcpus,
        memory_mib=memory_mib,
        disk_mib=_disk_mib(flavor, volume_backed=volume_backed) or None,
        devices=devices_of_flavor(specs, properties),
        limits=limits,
    )


def limits_of_scheduler(limits: Mapping[str, Any], inventory: Inventory) -> Limits:
    """The limits that Nova's scheduler chose a host under, as ratios of this host.

    `vcpu` and `memory_mb` are totals up to which the host may be used, its own reservation included;
    `numa_topology` has ratios, as an object or as a dict, and goes first. What is null or missing is
    unlimited. `disk_gb` is not looked at: disk is never given out beyond the host's own ratio.

    Raises:
        BadRequest: a limit is no number, or below 0.
    """
    cells = limits.get("numa_topology")
    vcpus, memory = _said(cells, "cpu_allocation_ratio"), _said(cells, "ram_allocation_ratio")
    if vcpus is None:
        vcpus = _ratio("vcpu", limits.get("vcpu"), inventory.vcpus)
    if memory is None:
        memory = _ratio("memory_mb", limits.get("memory_mb"), inventory.memory_mib)
    return Limits(vcpus=vcpus, memory=memory)


def _said(cells: Any, name: str) -> float | None:
    said = cells.get(name) if isinstance(cells, Mapping) else getattr(cells, name, None)
    return None if said is None else _number(f"numa_topology.{name}", said)


def _ratio(name: str, limit: Any, quantity: Quantity) -> float | None:
    """Rounded down, so that the limit is never passed."""
    if limit is None:
        return None
    room = max(0.0, _number(name, limit) - quantity.reserved)
    offered = quantity.total - quantity.reserved
    least, most = 1 / _MICRO, float(_MICRO)
    return min(most, max(least, int(room * _MICRO / offered) / _MICRO)) if offered else most


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise refused("InvalidLimit", f"limits.{name}", f"limit {name} is no number from 0 up")
    return float(value)


def _size(flavor: Flavor, name: str) -> int:
    """A size of a flavor; those that are not set are refused."""
    size: Any = getattr(flavor, name) if flavor.is_set(name) else None
    if not isinstance(size, int) or not 0 <= size <= _MOST_MIB:
        said = "is not set" if size is None else f"is {size}"
        raise refused(
            "InvalidFlavor", name, f"a flavor's {name} {said}; 0 to {_MOST_MIB} are known"
        )
    return size


def _disk_mib(flavor: Flavor, *, volume_backed: bool) -> int:
    """Nova adds up whole GiB and cuts the rest of swap off."""
    root_gb = 0 if volume_backed else _size(flavor, "root_gb")
    ephemeral_gb = _size(flavor, "ephemeral_gb") if flavor.is_set("ephemeral_gb") else 0
    swap_mib = _size(flavor, "swap") if flavor.is_set("swap") else 0
    disk_mib = (root_gb + ephemeral_gb) * _GIB + swap_mib
    if disk_mib > _MOST_MIB:
        raise refused("InvalidFlavor", "root_gb", f"a flavor's disks are {disk_mib} MiB together")
    return disk_mib


def _require_image(flavor: Flavor, image: ImageMeta, *, volume_backed: bool) -> None:
    """As Nova's API does before it builds anything; a root disk of 0 is as large as the image."""
    min_ram = _of_image(image, "min_ram")
    if flavor.memory_mb < min_ram:
        said = f"the image needs {min_ram} MiB of memory, and the flavor has {flavor.memory_mb}"
        raise refused("FlavorMemoryTooSmall", "min_ram", said)
    if volume_backed or not _size(flavor, "root_gb"):
        return
    for name, gib, error in (
        ("min_disk", _of_image(image, "min_disk"), "FlavorDiskSmallerThanMinDisk"),
        ("size", -(-_of_image(image, "size") // _BYTES), "FlavorDiskSmallerThanImage"),
    ):
        if flavor.root_gb < gib:
            said = (
                f"the image needs {gib} GiB of disk, and the flavor has {flavor.root_gb} for root"
            )
            raise refused(error, name, said)


def _of_image(image: ImageMeta, name: str) -> int:
    return (getattr(image, name) or 0) if image.is_set(name) else 0


def _properties(image: ImageMeta | None) -> Iterator[tuple[str, str]]:
    """Properties in the words that images are given with."""
    if image is None or not image.is_set("properties"):
        return
    properties: ImageMetaProps = image.properties
    for name in ImageMetaProps.model_fields:
        value = getattr(properties, name) if properties.is_set(name) else None
        if value is not None:
            yield from _words(name, value)


def _words(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if name == "traits_required":
        yield from ((f"trait:{trait}", "required") for trait in value)
    elif name == "hw_numa_cpus":
        lists = enumerate(value)
        yield from ((f"{name}.{number}", format_cpu_list(cpus)) for number, cpus in lists)
    elif name == "hw_numa_mem":
        yield from ((f"{name}.{number}", str(mib)) for number, mib in enumerate(value))
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    else:
        yield name, str(value)
