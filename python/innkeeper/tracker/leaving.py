"""What the ledger still holds and a write under way gives back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from innkeeper.objects import Claim, PlacedCell, Placement
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec


class Leaving:
    """Of claims whose end, or whose getting smaller, is being written."""

    def __init__(self) -> None:
        self._placements: dict[UUID, Placement] = {}

    @property
    def placements(self) -> Collection[Placement]:
        """What will be free once all of it is durable."""
        return self._placements.values()

    def end(self, claims: Sequence[Claim]) -> None:
        """All that these hold."""
        self._placements.update((claim.id, claim.placement) for claim in claims)

    def shrink(self, before: Claim, after: Claim) -> None:
        """What the claim holds in the one form and not in the other."""
        self._placements[before.id] = _less(before.placement, after.placement)

    def forget(self, claims: Sequence[Claim]) -> None:
        """It is written, or it is not."""
        for claim in claims:
            self._placements.pop(claim.id, None)


def _less(before: Placement, after: Placement) -> Placement:
    return Placement(
        vcpus=max(0, before.vcpus - after.vcpus),
        memory_mib=max(0, before.memory_mib - after.memory_mib),
        disk_mib=max(0, before.disk_mib - after.disk_mib),
        cells=tuple(map(_less_of_cell, before.cells, after.cells)),
    )


def _less_of_cell(before: PlacedCell, after: PlacedCell) -> PlacedCell:
    return PlacedCell(
        cell=before.cell,
        shared=_without(before.shared, after.shared),
        pins={vcpu: cpu for vcpu, cpu in before.pins.items() if vcpu not in after.pins},
        charged=_without(before.charged, after.charged),
        memory_mib=max(0, before.memory_mib - after.memory_mib),
        page_kib=before.page_kib,
        pages=max(0, before.pages - after.pages),
    )


def _without(numbers: str, others: str) -> str:
    return format_cpu_spec(parse_cpu_spec(numbers) - parse_cpu_spec(others))
