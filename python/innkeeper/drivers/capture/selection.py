"""What discovery reads: the one list of it outside discovery itself.

A test keeps it complete: discovery over a bundle has to equal discovery over the host that it was made of.
A directory is taken with its name, a link with its target, a file with its text; `config` and `vpd` are
not in the list, since of them only the serial number is taken.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

Segment = str | re.Pattern[str]

_CPUS = "sys/devices/system/cpu"
_CELLS = "sys/devices/system/node"
_PAGES = "nr_hugepages free_hugepages"
_SIBLINGS = "core_cpus_list thread_siblings_list core_cpus thread_siblings"
_FUNCTION = (
    "vendor device class numa_node sriov_totalvfs sriov_numvfs enable power_state max_link_speed"
)
_SHARED = "shared_cpu_list shared_cpu_map"

#: Folders, and the entries in each that are taken; both may be shell patterns.
_READ_BY_DISCOVERY = (
    (_CPUS, "present online offline isolated"),
    (f"{_CPUS}/cpu[0-9]*", "online"),
    (
        f"{_CPUS}/cpu[0-9]*/topology",
        f"physical_package_id die_id core_id {_SIBLINGS}",
    ),
    (f"{_CPUS}/cpu[0-9]*/cache/index*", f"level {_SHARED}"),
    (f"{_CELLS}/node[0-9]*", "cpulist cpumap meminfo distance cpu[0-9]*"),
    (f"{_CELLS}/node[0-9]*/hugepages/hugepages-*", _PAGES),
    ("sys/kernel/mm/hugepages/hugepages-*", _PAGES),
    (
        "sys/bus/pci/devices/*",
        f"{_FUNCTION} driver physfn iommu_group virtfn*",
    ),
    ("sys/bus/pci/devices/*/net", "*"),
    ("sys/bus/pci/devices/*/net/*", "address ifindex"),
    ("sys/bus/pci/slots/*", "address"),
    ("sys/bus/vdpa/devices", "*"),
    (
        "sys/class/net/*",
        "address ifindex flags operstate device master lower_* brif bridge bonding",
    ),
    ("sys/class/net/*/brif", "*"),
    ("sys/class/net/*/bonding", "slaves"),
    ("sys/class/block/*", "partition"),
    ("sys/class/block/*/dm", "name"),
    ("sys/class/block/*/holders", "*"),
    ("sys/class/block/*/slaves", "*"),
    ("sys/devices/virtual/nvme-subsystem/*", "nvme[0-9]*"),
    ("sys/dev/block", "*"),
    ("sys/fs/btrfs/*/devices", "*"),
    ("proc", "meminfo cpuinfo cmdline swaps mounts"),
    ("proc/net", "route ipv6_route"),
    ("proc/self", "mountinfo mounts"),
    ("proc/sys/kernel", "hostname osrelease"),
    ("proc/sys/kernel/random", "boot_id"),
    ("etc", "machine-id hostname"),
    ("var/lib/dbus", "machine-id"),
)

#: Where a link may lead; /etc as a whole is nobody's business.
_INSIDE = re.compile(r"(sys|proc)(/.*)?|etc/(machine-id|hostname)|var/lib/dbus/machine-id")


@dataclass(frozen=True, slots=True)
class Selected:
    """Folders of one form, and which entries are taken of each."""

    folder: tuple[Segment, ...]
    entries: tuple[Segment, ...]


def selection() -> tuple[Selected, ...]:
    """All that is taken."""
    return tuple(
        Selected(tuple(map(_segment, folder.split("/"))), tuple(map(_segment, entries.split())))
        for folder, entries in _READ_BY_DISCOVERY
    )


def _segment(text: str) -> Segment:
    return re.compile(fnmatch.translate(text)) if re.search(r"[*?\[]", text) else text


def file_names() -> frozenset[str]:
    """Names of all files that discovery reads, wherever they lie."""
    entries = {entry for selected in selection() for entry in selected.entries}
    return frozenset({entry for entry in entries if isinstance(entry, str)} | {"config", "vpd"})


def is_inside(path: str) -> bool:
    """Whether a bundle may have something at this place."""
    return _INSIDE.fullmatch(path) is not None
