"""A guest's cells before they are placed, as Nova keeps them and as innkeeper does."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from innkeeper.errors import BadRequest
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec
from innkeeper.objects.instance_numa import InstanceNUMACell, InstanceNUMATopology
from innkeeper.objects.topology import (
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    PageWant,
    ThreadPolicy,
)

#: Nova's numbers for sizes that are not chosen yet; every other one is in KiB.
_PAGES: Final[dict[PageWant | None, int]] = {"small": -1, "large": -2, "any": -3}
_WANTS: Final = {number: want for want, number in _PAGES.items()}


def nova_of_guest(topology: GuestTopology) -> InstanceNUMATopology:
    """The cells as Nova's API makes them: `id` is the position, and nothing is pinned yet.

    Nova has no word for whole cores: `full_cores` becomes `require`, the nearest that it has.
    """
    cells = tuple(
        InstanceNUMACell(
            id=position,
            cpuset=parse_cpu_spec(cell.shared),
            pcpuset=parse_cpu_spec(cell.dedicated),
            memory=cell.memory_mib,
            pagesize=_PAGES.get(topology.pages, topology.pages),
            **policies_of(topology),
            cpu_pinning_raw=None,
            cpuset_reserved=None,
        )
        for position, cell in enumerate(topology.cells)
    )
    return InstanceNUMATopology(
        cells=cells,
        emulator_threads_policy=topology.emulator_threads and topology.emulator_threads.value,
    )


def policies_of(topology: GuestTopology) -> dict[str, str | None]:
    """Nova's CPU and thread policy, the same for every cell of a guest.

    The CPU policy is what the vCPUs say; where all share it is null, which Nova reads as shared.
    """
    shared = any(cell.shared for cell in topology.cells)
    dedicated = any(cell.dedicated for cell in topology.cells)
    mixed = "mixed" if shared else "dedicated"
    threads = topology.threads
    nearest = ThreadPolicy.REQUIRE if threads is ThreadPolicy.FULL_CORES else threads
    return {
        "cpu_policy": mixed if dedicated else None,
        "cpu_thread_policy": nearest and nearest.value,
    }


def guest_of_nova(nova: InstanceNUMATopology) -> GuestTopology:
    """What a guest of Nova's asked for; a size of pages that was chosen already is asked for.

    Raises:
        BadRequest: it has no cells, cells that disagree in what a guest has once, or odd numbers.
    """
    if not nova.cells:
        raise BadRequest("a NUMA topology without cells", errors=[_error("cells", "is empty")])
    try:
        return _guest(nova)
    except ValidationError as error:
        path = ".".join(map(str, error.errors()[0]["loc"]))
        said = error.errors()[0]["msg"]
        raise BadRequest(f"{path}: {said}", errors=[_error(path, said)]) from None


def _guest(nova: InstanceNUMATopology) -> GuestTopology:
    threads = _agreed(nova, "cpu_thread_policy")
    emulator = nova.emulator_threads_policy if nova.is_set("emulator_threads_policy") else None
    _agreed(nova, "cpu_policy")
    pages = _agreed(nova, "pagesize")
    return GuestTopology(
        cells=tuple(_guest_cell(cell) for cell in nova.cells),
        pages=_WANTS.get(pages, pages) or None,
        threads=ThreadPolicy(threads) if threads else None,
        emulator_threads=EmulatorThreads(emulator) if emulator else None,
    )


def _guest_cell(cell: InstanceNUMACell) -> GuestCell:
    shared, dedicated = vcpus_of(cell)
    return GuestCell(
        shared=format_cpu_spec(shared),
        dedicated=format_cpu_spec(dedicated),
        memory_mib=cell.memory,
    )


def vcpus_of(cell: InstanceNUMACell) -> tuple[frozenset[int], frozenset[int]]:
    """Shared and dedicated vCPUs.

    Before version 1.5 `cpuset` had them all (Victoria moved the dedicated ones), and before the
    policy was stored (Mitaka) a map of pins, even an empty one, meant that all are dedicated.
    """
    pcpuset = cell.pcpuset if cell.is_set("pcpuset") else frozenset[int]()
    policy = said_by(cell, "cpu_policy")
    pinned = said_by(cell, "cpu_pinning_raw") is not None and not cell.is_set("pcpuset")
    if not pcpuset and (policy == "dedicated" or (policy is None and pinned)):
        return frozenset(), cell.cpuset
    return cell.cpuset, pcpuset


def said_by(cell: InstanceNUMACell, name: str) -> Any:
    """A field that older cells lack; null where they do."""
    return getattr(cell, name) if cell.is_set(name) else None


def _agreed(nova: InstanceNUMATopology, name: str) -> Any:
    first, *rest = (said_by(cell, name) for cell in nova.cells)
    for position, other in enumerate(rest, 1):
        if other != first:
            path = f"cells[{position}].{name}"
            here, there = ("not set" if one is None else one for one in (other, first))
            said = f"is {here}, but that of the first cell is {there}: a guest has one for all"
            raise BadRequest(f"{path} {said}", errors=[_error(path, said)])
    return first


def _error(path: str, message: str) -> dict[str, str]:
    return {"path": path, "message": message, "cause": "InternalError"}
