"""How many NUMA cells a guest has, and which vCPUs and how much memory each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from innkeeper.config.nearest import quoted
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.objects.topology import GuestCell
from innkeeper.requests.numa_words.masks import read_cpu_lists
from innkeeper.requests.numa_words.words import (
    INTEGER,
    GuestWords,
    Saying,
    read_number,
    refused,
)

#: As the limit of `GuestTopology.cells`, and Nova's of a flavor.
MOST_CELLS: Final = 128

_LISTS: Final = ("numa_cpus", "numa_mem")


@dataclass(frozen=True, slots=True)
class _Share:
    """One guest cell before its vCPUs are told apart."""

    vcpus: frozenset[int]
    memory_mib: int


def read_cell_count(words: GuestWords) -> int | None:
    """`hw:numa_nodes` or `hw_numa_nodes`.

    Raises:
        BadRequest: both are set, or it is no number above 0.
    """
    flavor, image = words.of_flavor("numa_nodes"), words.of_image("numa_nodes")
    if flavor and image:
        raise refused(
            "ImageNUMATopologyForbidden", image.key, f"{image}, but {flavor}: only one may"
        )
    said = flavor or image
    if said is None:
        return None
    count = read_number(said, "InvalidNUMANodesNumber", what="a number of cells")
    if count < 1:
        raise refused("InvalidNUMANodesNumber", said.key, f"{said}, should be 1 or more")
    return count


def read_cells(words: GuestWords, count: int, dedicated: frozenset[int]) -> tuple[GuestCell, ...]:
    """The cells of a guest: equal shares, or as `hw:numa_cpus.N` and `hw:numa_mem.N` say.

    Raises:
        BadRequest: it cannot be divided equally, or the lists are incomplete, repeat or leave out
            something, or do not sum up.
    """
    cpus, memory = (_list_of(words, name) for name in _LISTS)
    if not cpus and not memory:
        shares = _equal_shares(words, count)
    else:
        said = read_cpu_lists(cpus)
        sizes = [(one, _read_mebibytes(one)) for one in memory]
        _require_complete(words, count)
        _require_each_once(words, said)
        _require_memory(words, sizes)
        pairs = zip(said, sizes, strict=True)
        shares = [_Share(vcpus, mib) for (_, vcpus), (_, mib) in pairs]
    return tuple(_cell(share, dedicated) for share in shares)


def _cell(share: _Share, dedicated: frozenset[int]) -> GuestCell:
    return GuestCell(
        shared=format_cpu_spec(share.vcpus - dedicated),
        dedicated=format_cpu_spec(share.vcpus & dedicated),
        memory_mib=share.memory_mib,
    )


def _equal_shares(words: GuestWords, count: int) -> list[_Share]:
    key, asked = _count_asked(words)
    sizes = (("vCPUs", words.vcpus), ("MiB", words.memory_mib))
    for unit, size in sizes:
        if size % count:
            message = f"{asked}, but {size} {unit} cannot be divided by {count} equally"
            hint = "say hw:numa_cpus.N and hw:numa_mem.N of each cell"
            raise refused("ImageNUMATopologyAsymmetric", key, f"{message}: {hint}")
    if count > MOST_CELLS:
        message = f"{asked}, but a guest has {MOST_CELLS} cells at most"
        raise refused("InvalidNUMANodesNumber", key, message)
    each, mib = words.vcpus // count, words.memory_mib // count
    starts = range(0, words.vcpus, each)
    return [_Share(frozenset(range(start, start + each)), mib) for start in starts]


def _count_asked(words: GuestWords) -> tuple[str, str]:
    """The key that says how many cells, and what it says."""
    said = words.of_flavor("numa_nodes") or words.of_image("numa_nodes")
    missing = "hw:numa_nodes"
    return (said.key, str(said)) if said else (missing, f"{missing} is not set, so there is 1")


def _list_of(words: GuestWords, name: str) -> list[Saying]:
    """What is said of cell 0, 1 and so on, by the flavor or by the image.

    Raises:
        BadRequest: both say it.
    """
    flavor = list(_entries(words.extra_specs, f"hw:{name}"))
    image = list(_entries(words.image_properties, f"hw_{name}"))
    if flavor and image:
        message = f"{image[0]}, but {flavor[0]}: only one of flavor and image may say it"
        raise refused("ImageNUMATopologyForbidden", image[0].key, message)
    return flavor or image


def _entries(words: Mapping[str, str], prefix: str) -> Iterator[Saying]:
    for number in range(MOST_CELLS):
        key = f"{prefix}.{number}"
        if key not in words:
            return
        yield Saying(key, words[key])


def _require_complete(words: GuestWords, count: int) -> None:
    for name in _LISTS:
        said = _list_of(words, name)
        if len(said) != count:
            prefix = _prefix(said) if said else f"hw:{name}"
            key, (_, asked) = f"{prefix}.{min(len(said), count)}", _count_asked(words)
            message = f"{prefix}.N is said of {len(said)} cells, but {asked}: say it of each"
            raise refused("ImageNUMATopologyIncomplete", key, message)


def _prefix(said: list[Saying]) -> str:
    return said[0].key.partition(".")[0]


def _read_mebibytes(said: Saying) -> int:
    """What is below 0 is refused later, so that the same error wins as in Nova."""
    if not INTEGER.fullmatch(said.text):
        raise refused("InvalidNUMAMemory", said.key, f"{said}, should be an amount in whole MiB")
    return int(said.text)


def _require_each_once(words: GuestWords, said: list[tuple[Saying, frozenset[int]]]) -> None:
    taken: dict[int, Saying] = {}
    for one, vcpus in said:
        for vcpu in sorted(vcpus):
            if vcpu >= words.vcpus:
                message = f"{one}, but vCPU {vcpu} is not there: the flavor has {words.vcpus}"
                raise refused("ImageNUMATopologyCPUOutOfRange", one.key, message)
            if vcpu in taken:
                message = f"{one}, but {taken[vcpu]}: vCPU {vcpu} is in both"
                raise refused("ImageNUMATopologyCPUDuplicates", one.key, message)
            taken[vcpu] = one
    rest = set(range(words.vcpus)) - taken.keys()
    if rest:
        key = _prefix([said[0][0]])
        message = f"{key}.N leave out vCPUs {format_cpu_spec(rest)} of {words.vcpus}"
        raise refused("ImageNUMATopologyCPUsUnassigned", key, message)


def _require_memory(words: GuestWords, sizes: list[tuple[Saying, int]]) -> None:
    for said, mib in sizes:
        if mib < 0:
            raise refused("InvalidNUMAMemory", said.key, f"{said}, but no cell has less than 0 MiB")
    total = sum(mib for _, mib in sizes)
    if total != words.memory_mib:
        key = _prefix([sizes[0][0]])
        message = f"{key}.N sum up to {total} MiB, but the flavor has {words.memory_mib} MiB"
        raise refused("ImageNUMATopologyMemoryOutOfRange", key, message)


def require_all_used(words: GuestWords, count: int) -> None:
    """No `hw:numa_cpus.N` or `hw:numa_mem.N` is left that says something of no cell.

    Raises:
        BadRequest: one is (D12 of the differences from Nova), which is most often one too many, a gap
            before it, or a flavor without hw:numa_nodes.
    """
    for words_of, mark in ((words.extra_specs, "hw:"), (words.image_properties, "hw_")):
        used = {f"{mark}{name}.{number}" for name in _LISTS for number in range(count)}
        for key in sorted(words_of):
            if key.startswith(tuple(f"{mark}{name}." for name in _LISTS)) and key not in used:
                message = f"{key} is {quoted(words_of[key])}, but the guest has {_cells(count)}"
                raise refused("ImageNUMATopologyIncomplete", key, message)


def _cells(count: int) -> str:
    if not count:
        return "no cells: set hw:numa_nodes, or a page size or CPU policy that makes some"
    return f"{count} cells, numbered from 0"
