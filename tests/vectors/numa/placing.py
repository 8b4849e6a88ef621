"""Answers of the model, and recorded ones, as innkeeper's placements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.vectors.numa.corrections import Corrections, NovaError
from tests.vectors.numa.model_cell import Placed
from tests.vectors.numa.model_host import Guest, GuestCell, HostCell
from tests.vectors.numa.model_usage import charge, charged_to

from innkeeper.objects import PlacedCell, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec

Words = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """Where the guest cells go; null when they do not fit, or an error ended it."""

    cells: tuple[PlacedCell, ...] | None
    error: str | None = None
    """Of the search, or of charging what it found."""


def answer_of(
    host: Sequence[HostCell],
    guest: Guest,
    placed: Sequence[Placed] | str | None,
    corrections: Corrections,
) -> Answer:
    """What the search found, and whether it can be charged."""
    if placed is None or isinstance(placed, str):
        return Answer(None, placed)
    try:
        charge(host, words_of(guest, placed), 1, corrections)
    except NovaError as error:
        return Answer(cells_of(host, guest, placed), error.name)
    return Answer(cells_of(host, guest, placed))


def words_of(guest: Guest, placed: Sequence[Placed]) -> Words:
    """The instance as Nova charges it."""
    pairs = zip(guest.cells, placed, strict=True)
    return {"cells": [_words(guest, cell, it) for cell, it in pairs]}


def _words(guest: Guest, cell: GuestCell, placed: Placed) -> Words:
    return {
        "id": placed.cell,
        "cpu_policy": guest.policy,
        "cpu_thread_policy": guest.threads,
        "cpuset": sorted(cell.shared),
        "memory": cell.memory,
        "pagesize": placed.page,
        "cpu_pinning": placed.pins,
        "cpuset_reserved": sorted(placed.emulator),
    }


def cells_of(
    host: Sequence[HostCell], guest: Guest, placed: Sequence[Placed]
) -> tuple[PlacedCell, ...]:
    """What each guest cell holds."""
    return held_by(host, words_of(guest, placed))


def held_by(host: Sequence[HostCell], instance: Words) -> tuple[PlacedCell, ...]:
    """What each cell of a placed instance holds, on cells that the host lacks too."""
    known = {it.id: it for it in host}
    return tuple(_held(known.get(it["id"]), it) for it in instance["cells"])


def _held(host: HostCell | None, words: Words) -> PlacedCell:
    small = host.pages[0].size if host and host.pages else None
    page = words["pagesize"] or small
    return PlacedCell(
        cell=words["id"],
        shared=format_cpu_spec(words["cpuset"]),
        cpus=format_cpu_spec(host.shared) if host and words["cpuset"] else "",
        pins={int(vcpu): cpu for vcpu, cpu in (words.get("cpu_pinning") or {}).items()},
        emulator=format_cpu_spec(words.get("cpuset_reserved") or ()),
        charged=format_cpu_spec(charged_to(host, words)),
        memory_mib=words["memory"],
        page_kib=page if page and page > 0 else None,
        pages=words["memory"] * 1024 // page if page and page > 0 else 0,
    )


def placement_of(host: Sequence[HostCell], cells: Sequence[PlacedCell]) -> Placement:
    """What is held of the host: vCPUs that float, and memory that is not of hugepages."""
    small = {it.id: it.pages[0].size if it.pages else None for it in host}
    return Placement(
        vcpus=sum(len(cpus_in(it.shared)) for it in cells),
        memory_mib=sum(it.memory_mib for it in cells if it.page_kib == small.get(it.cell)),
        cells=tuple(cells),
    )


def cpus_in(text: str) -> frozenset[int]:
    """The CPUs of a list in the kernel's format."""
    spans = [it.split("-") for it in text.split(",") if it]
    return frozenset(cpu for span in spans for cpu in range(int(span[0]), int(span[-1]) + 1))
