"""Logical CPUs: which there are, and how they share cores, dies, sockets and L3 caches."""

from __future__ import annotations

import re
from dataclasses import dataclass

from innkeeper.drivers.sysfs.parse import (
    numbers_of,
    parse_amount,
    parse_ids,
    parse_mask,
    parse_number,
)
from innkeeper.drivers.sysfs.tree import TABLE_LIMIT, Folder, Tree
from innkeeper.objects import Cpu

CPUS = "sys/devices/system/cpu"

CPU = re.compile(r"cpu(\d{1,5})", re.ASCII)
_PROCESSOR = re.compile(r"^processor\s*:\s*(\d{1,5})\s*$", re.MULTILINE | re.ASCII)

#: The same set under its names of different kernels, newest first.
_SIBLINGS = ("core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings")
_SHARED = ("shared_cpu_list", "shared_cpu_map")


@dataclass(frozen=True, slots=True)
class CpuSets:
    """CPUs of the whole host, whatever the cgroup of this process allows."""

    present: frozenset[int]
    online: frozenset[int]
    isolated: frozenset[int]


def read_cpu_sets(tree: Tree) -> CpuSets:
    """Present, online and isolated CPUs; old kernels say it only by directories and single files."""
    folders = frozenset(numbers_of(CPU, tree.names(CPUS)))
    present = tree.parsed(f"{CPUS}/present", parse_ids) or folders
    online = tree.parsed(f"{CPUS}/online", parse_ids)
    if not online:
        online = _online_one_by_one(tree, present or _processors(tree))
    return CpuSets(present | online, online, _isolated(tree))


def _online_one_by_one(tree: Tree, present: frozenset[int]) -> frozenset[int]:
    offline = tree.parsed(f"{CPUS}/offline", parse_ids) or frozenset()
    return frozenset(
        cpu
        for cpu in present - offline
        if tree.parsed(f"{CPUS}/cpu{cpu}/online", parse_amount) != 0
    )


def _processors(tree: Tree) -> frozenset[int]:
    text = tree.text("proc/cpuinfo", limit=TABLE_LIMIT) or ""
    return frozenset(int(number) for number in _PROCESSOR.findall(text))


def _isolated(tree: Tree) -> frozenset[int]:
    isolated = tree.parsed(f"{CPUS}/isolated", parse_ids)
    if isolated is not None:
        return isolated
    words = (tree.text("proc/cmdline") or "").split()
    asked = [word.partition("=")[2] for word in words if word.startswith("isolcpus=")]
    if not asked:
        return frozenset()
    return tree.accept("proc/cmdline", asked[-1], _parse_isolcpus) or frozenset()


def _parse_isolcpus(value: str) -> frozenset[int]:
    """CPUs without scheduling: flags come first, and any flag but `domain` leaves scheduling alone."""
    words = value.split(",")
    flags = [word for word in words if word[:1].isalpha()]
    if flags and "domain" not in flags:
        return frozenset()
    return parse_ids(",".join(words[len(flags) :]))


def read_cpus(tree: Tree, sets: CpuSets, cell_of: dict[int, int]) -> tuple[Cpu, ...]:
    """Every present CPU by ascending id."""
    return tuple(_read_cpu(tree, cpu, sets, cell_of) for cpu in sorted(sets.present))


def _read_cpu(tree: Tree, cpu: int, sets: CpuSets, cell_of: dict[int, int]) -> Cpu:
    online = cpu in sets.online
    ids = _read_ids(tree, cpu)
    return Cpu(
        id=cpu,
        online=online,
        isolated=cpu in sets.isolated,
        socket=ids.socket,
        die=ids.die,
        core=ids.core,
        cell=cell_of.get(cpu),
        l3=_read_l3(tree, cpu, sets.online) if online else None,
        siblings=tuple(sorted(ids.siblings & sets.online | {cpu})) if online else (),
    )


@dataclass(frozen=True, slots=True)
class _Ids:
    socket: int | None = None
    die: int | None = None
    core: int | None = None
    siblings: frozenset[int] = frozenset()


def _read_ids(tree: Tree, cpu: int) -> _Ids:
    folder = tree.folder(f"{CPUS}/cpu{cpu}/topology")
    if folder is None:
        return _Ids()
    with folder:
        return _Ids(
            socket=_read_id(folder, "physical_package_id"),
            die=_read_id(folder, "die_id"),
            core=_read_id(folder, "core_id"),
            siblings=_read_set(folder, _SIBLINGS),
        )


def _read_id(folder: Folder, name: str) -> int | None:
    number = folder.parsed(name, parse_number)
    # -1 is the kernel's word for "unknown".
    return number if number is not None and number >= 0 else None


def _read_set(folder: Folder, names: tuple[str, ...]) -> frozenset[int]:
    for name in names:
        found = folder.parsed(name, parse_ids if name.endswith("_list") else parse_mask)
        if found:
            return found
    return frozenset()


def _read_l3(tree: Tree, cpu: int, online: frozenset[int]) -> int | None:
    path = f"{CPUS}/cpu{cpu}/cache"
    for name in reversed([name for name in tree.names(path) if name.startswith("index")]):
        folder = tree.folder(f"{path}/{name}")
        if folder is None:
            continue
        with folder:
            if folder.parsed("level", parse_amount) == 3:
                return min(_read_set(folder, _SHARED) & online | {cpu})
    return None
