"""What an instance that runs asks for once it is to have more or less."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Literal

from innkeeper.errors import BadRequest
from innkeeper.objects import ClaimUpdate, GuestCell, GuestTopology, Request
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec

VCpuKind = Literal["shared", "dedicated"]


def updated(request: Request, change: ClaimUpdate) -> Request:
    """The request with what the change says in place of what it said; its devices stay.

    Each guest cell of a topology gets an equal part. vCPUs that stay keep their numbers, and with them
    their CPUs; new ones take the lowest numbers that no vCPU had, the first cell first; those that go
    are the highest of their cell. Where some vCPUs float, only floating ones come and go.

    Raises:
        BadRequest: nothing is said, or it cannot be spread over the guest cells.
    """
    said = {
        name: value
        for name in ClaimUpdate.model_fields
        if (value := getattr(change, name)) is not None
    }
    if not said:
        raise BadRequest(
            "nothing is to change; name at least one of vcpus, memory_mib and disk_mib"
        )
    changed = {name: value for name, value in said.items() if value != getattr(request, name)}
    topology = request.topology
    if topology is not None and "vcpus" in changed:
        topology = _with_vcpus(topology, changed["vcpus"])
    if topology is not None and "memory_mib" in changed:
        topology = _with_memory(topology, changed["memory_mib"])
    return request.model_copy(update={**changed, "topology": topology})


def _with_memory(topology: GuestTopology, memory_mib: int) -> GuestTopology:
    each = _each(topology, memory_mib, "MiB", "memory_mib")
    cells = (cell.model_copy(update={"memory_mib": each}) for cell in topology.cells)
    return topology.model_copy(update={"cells": tuple(cells)})


def _with_vcpus(topology: GuestTopology, vcpus: int) -> GuestTopology:
    each = _each(topology, vcpus, "vCPUs", "vcpus")
    kind: VCpuKind = "shared" if any(cell.shared for cell in topology.cells) else "dedicated"
    had = {vcpu for cell in topology.cells for vcpu in _numbers(cell.shared, cell.dedicated)}
    fresh = (vcpu for vcpu in count() if vcpu not in had)
    cells = (
        _resized(position, cell, each, kind, fresh) for position, cell in enumerate(topology.cells)
    )
    return topology.model_copy(update={"cells": tuple(cells)})


def _resized(
    position: int, cell: GuestCell, each: int, kind: VCpuKind, fresh: Iterator[int]
) -> GuestCell:
    changing = _numbers(getattr(cell, kind))
    fixed = len(_numbers(cell.shared, cell.dedicated)) - len(changing)
    wanted = each - fixed
    if wanted < 0:
        message = (
            f"guest cell {position} has {fixed} dedicated vCPUs, which stay beside those that float: "
            f"it cannot have {each}"
        )
        raise _refusal("vcpus", message)
    new = islice(fresh, max(0, wanted - len(changing)))
    return cell.model_copy(update={kind: format_cpu_spec([*changing[:wanted], *new])})


def _numbers(*lists: str) -> list[int]:
    return sorted(number for text in lists for number in parse_cpu_spec(text))


def _each(topology: GuestTopology, amount: int, unit: str, path: str) -> int:
    cells = len(topology.cells)
    if amount % cells:
        asked = "1 vCPU" if (amount, unit) == (1, "vCPUs") else f"{amount} {unit}"
        even = [near for near in (amount - amount % cells, amount - amount % cells + cells) if near]
        would_do = " or ".join(map(str, even))
        message = f"{asked} cannot be spread evenly over {cells} guest cells; {would_do} would do"
        raise _refusal(path, message)
    return amount // cells


def _refusal(path: str, message: str) -> BadRequest:
    return BadRequest(message, errors=[{"path": path, "message": message}])
