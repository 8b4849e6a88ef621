"""What each release of Nova can read: the manifests to pin a fleet to while it is upgraded."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from innkeeper.errors import UnknownRelease
from innkeeper.objects.reader import Manifest

RELEASES: Final = (
    *("juno", "kilo", "liberty", "mitaka", "newton", "ocata", "pike", "queens", "rocky", "stein"),
    *("train", "ussuri", "victoria", "wallaby", "xena", "yoga", "zed", "antelope", "bobcat"),
    *("caracal", "dalmatian", "epoxy", "flamingo", "gazpacho", "2026.2"),
)
"""Every release from the oldest that is supported to the newest that is known, in order."""

_BY_DATE: Final = {
    "2023.1": "antelope",
    "2023.2": "bobcat",
    "2024.1": "caracal",
    "2024.2": "dalmatian",
    "2025.1": "epoxy",
    "2025.2": "flamingo",
    "2026.1": "gazpacho",
}

#: class -> the releases that brought a new version of it, with the version at their end.
_BROUGHT: Final = {
    "ComputeNode": "juno 1.5, kilo 1.11, liberty 1.14, mitaka 1.16, pike 1.18, train 1.19",
    "ComputeNodeList": "juno 1.5, kilo 1.11, liberty 1.14, newton 1.15, ocata 1.16, pike 1.17",
    "Flavor": "juno 1.1, queens 1.2",
    "FlavorList": "juno 1.1",
    "HVSpec": "kilo 1.0, liberty 1.1, mitaka 1.2",
    "ImageMeta": "liberty 1.7, mitaka 1.8",
    "ImageMetaProps": (
        "liberty 1.7, mitaka 1.12, newton 1.15, ocata 1.16, pike 1.19, rocky 1.20, stein 1.21, "
        "train 1.24, ussuri 1.25, victoria 1.27, wallaby 1.29, xena 1.30, yoga 1.31, zed 1.34, "
        "caracal 1.37, dalmatian 1.38, epoxy 1.39, flamingo 1.42, 2026.2 1.44"
    ),
    "Instance": (
        "juno 1.15, kilo 1.19, liberty 2.0, mitaka 2.1, newton 2.3, rocky 2.4, train 2.7, bobcat 2.8"
    ),
    "InstanceList": "juno 1.9, kilo 1.16, liberty 2.0, newton 2.1, ocata 2.2, pike 2.4, train 2.6",
    "InstanceNUMACell": "juno 1.0, kilo 1.2, mitaka 1.3, ocata 1.4, victoria 1.6",
    "InstanceNUMATopology": "juno 1.0, kilo 1.1, liberty 1.2, ocata 1.3",
    "InstancePCIRequest": "juno 1.1, queens 1.2, stein 1.3, wallaby 1.4",
    "InstancePCIRequests": "juno 1.1",
    "Migration": "juno 1.1, liberty 1.2, mitaka 1.4, queens 1.5, train 1.7, bobcat 1.8",
    "MigrationContext": "liberty 1.0, newton 1.1, train 1.2",
    "MigrationList": "juno 1.1, liberty 1.2, mitaka 1.3, queens 1.4, victoria 1.5",
    "NUMACell": "kilo 1.2, rocky 1.3, train 1.4, wallaby 1.5",
    "NUMAPagesTopology": "kilo 1.0, newton 1.1",
    "NUMATopology": "kilo 1.2",
    "NUMATopologyLimits": "kilo 1.0, rocky 1.1",
    "NetworkMetadata": "rocky 1.0",
    "PciDevice": "juno 1.2, kilo 1.3, mitaka 1.5, pike 1.6, wallaby 1.7",
    "PciDeviceList": "juno 1.1, liberty 1.2, mitaka 1.3",
    "PciDevicePool": "kilo 1.1",
    "PciDevicePoolList": "kilo 1.1",
    "Service": "juno 1.4, kilo 1.12, liberty 1.18, mitaka 1.19, newton 1.20, pike 1.22",
    "ServiceList": "juno 1.2, kilo 1.10, liberty 1.16, mitaka 1.18, newton 1.19",
    "VirtCPUFeature": "kilo 1.0",
    "VirtCPUModel": "kilo 1.0",
    "VirtCPUTopology": "kilo 1.0",
}


def release_named(name: str) -> str:
    """The canonical name of a release, given by name or date in any case.

    Raises:
        UnknownRelease: with those that are known.
    """
    wanted = name.strip().lower()
    wanted = _BY_DATE.get(wanted, wanted)
    if wanted not in RELEASES:
        raise UnknownRelease(
            f"no release {name[:40]!r}; known are {', '.join(RELEASES)}", known=list(RELEASES)
        )
    return wanted


def is_before(release: str, other: str) -> bool:
    """Whether one release came out before another."""
    return RELEASES.index(release_named(release)) < RELEASES.index(other)


def pin(release: str) -> Manifest:
    """The manifest of what that release can read: class -> version.

    A class that the release does not have is not in it.

    Raises:
        UnknownRelease: no such release.
    """
    return _manifest(release_named(release))


@cache
def _manifest(release: str) -> Manifest:
    reached = frozenset(RELEASES[: RELEASES.index(release) + 1])
    found: dict[str, str] = {}
    for name, brought in _BROUGHT.items():
        for step in brought.split(", "):
            since, version = step.split(" ")
            if since in reached:
                found[name] = version
    return MappingProxyType(found)


def manifests() -> Mapping[str, Manifest]:
    """Every release with its manifest, oldest first."""
    return {release: pin(release) for release in RELEASES}
