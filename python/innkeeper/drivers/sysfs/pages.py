"""Preallocated hugepages of a cell or of the whole machine."""

from __future__ import annotations

import re
from collections.abc import Iterable

from innkeeper.drivers.sysfs.parse import parse_amount, parse_meminfo
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.objects import Pages

_SIZE = re.compile(r"hugepages-([1-9]\d{0,14})kB", re.ASCII)


def read_pages(tree: Tree, path: str) -> tuple[Pages, ...]:
    """Hugepages by ascending size from a directory with one `hugepages-<size>kB` each."""
    sizes = [(int(size[1]), name) for name in tree.names(path) if (size := _SIZE.fullmatch(name))]
    return tuple(_read_size(tree, f"{path}/{name}", size) for size, name in sorted(sizes))


def _read_size(tree: Tree, path: str, size_kib: int) -> Pages:
    total = tree.parsed(f"{path}/nr_hugepages", parse_amount) or 0
    free = tree.parsed(f"{path}/free_hugepages", parse_amount) or 0
    # The two are read one after the other, so free may have run ahead.
    return Pages(size_kib=size_kib, total=total, free=min(free, total))


def pages_of_meminfo(tree: Tree) -> tuple[Pages, ...]:
    """Hugepages of the default size, which is all that a kernel without sysfs entries tells."""
    amounts = tree.parsed("proc/meminfo", parse_meminfo) or {}
    size, total = amounts.get("Hugepagesize", 0), amounts.get("HugePages_Total", 0)
    if not size or max(size, total) > 2**50:
        return ()
    free = min(amounts.get("HugePages_Free", 0), total)
    return (Pages(size_kib=size, total=total, free=free),)


def sum_of_pages(places: Iterable[tuple[Pages, ...]]) -> tuple[Pages, ...]:
    """Hugepages of several places together, by ascending size."""
    sums: dict[int, tuple[int, int]] = {}
    for pages in (one for place in places for one in place):
        total, free = sums.get(pages.size_kib, (0, 0))
        sums[pages.size_kib] = total + pages.total, free + pages.free
    return tuple(Pages(size_kib=size, total=t, free=f) for size, (t, f) in sorted(sums.items()))
