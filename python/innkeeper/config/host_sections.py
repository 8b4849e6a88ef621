"""`[reserved]`, `[cpus]` and `[placement]`: what of the host is for instances, and how cells are taken."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from innkeeper.config.section import Section
from innkeeper.errors import BadRequest
from innkeeper.objects.base import Amount
from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec

_LONGEST = 65_536
_MOST_CELLS = 1024


def _require_cpus(text: str) -> str:
    try:
        cpus = parse_cpu_spec(text)
    except BadRequest as error:
        raise ValueError(error.message) from None
    if not cpus:
        raise ValueError(f"{text[:40]!r} names no CPU: leave the key out, or name some")
    return text


CpuSpec = Annotated[str, Field(max_length=_LONGEST), AfterValidator(_require_cpus)]
"""CPUs as people write them, such as `0-3,8,^2`; at least one."""


class ReservedPages(Section):
    """Hugepages of one cell that are the host's own; ordinary pages, too, may be named by their size."""

    cell: Amount
    size_kib: Annotated[int, Field(strict=True, ge=1, le=2**40)]
    count: Amount


class ReservedCell(Section):
    """Ordinary memory of one cell that is the host's own."""

    cell: Amount
    memory_mib: Amount


class Reserved(Section):
    """Held back for the host itself."""

    vcpus: Amount = 0
    memory_mib: Amount = 512
    """Of the host as a whole; where the cells' own reservations are more together, those count."""
    disk_mib: Amount = 0
    pages: Annotated[tuple[ReservedPages, ...], Field(max_length=16 * _MOST_CELLS)] = ()
    cells: Annotated[tuple[ReservedCell, ...], Field(max_length=_MOST_CELLS)] = ()

    @field_validator("pages")
    @classmethod
    def _refuse_twin_pages(cls, pages: tuple[ReservedPages, ...]) -> tuple[ReservedPages, ...]:
        counts = Counter((one.cell, one.size_kib) for one in pages)
        twins = [f"{size} KiB of cell {cell}" for (cell, size), n in counts.items() if n > 1]
        if twins:
            raise ValueError(f"pages of {', '.join(twins)} stand there more than once")
        return pages

    @field_validator("cells")
    @classmethod
    def _refuse_twin_cells(cls, cells: tuple[ReservedCell, ...]) -> tuple[ReservedCell, ...]:
        counts = Counter(one.cell for one in cells)
        twins = [str(cell) for cell, n in counts.items() if n > 1]
        if twins:
            raise ValueError(f"cell {', '.join(twins)} stands there more than once")
        return cells


class Cpus(Section):
    """CPUs for instances; with either key set, what neither names is the host's own.

    Neither: every CPU that is online and not isolated is shared.
    """

    shared: CpuSpec | None = None
    """vCPUs float over them."""
    dedicated: CpuSpec | None = None
    """Each is one vCPU's alone; they may be isolated from the kernel's scheduler."""

    @model_validator(mode="after")
    def _require_apart(self) -> Cpus:
        both = self.shared_cpus & self.dedicated_cpus
        if both:
            raise ValueError(
                f"shared and dedicated both name {format_cpu_spec(both)}: a CPU that one vCPU has "
                "alone cannot be floated over"
            )
        return self

    @property
    def are_named(self) -> bool:
        """Whether the operator says which CPUs are for instances."""
        return self.shared is not None or self.dedicated is not None

    @property
    def shared_cpus(self) -> frozenset[int]:
        """Those that are named, none where none is."""
        return parse_cpu_spec(self.shared or "")

    @property
    def dedicated_cpus(self) -> frozenset[int]:
        """Likewise."""
        return parse_cpu_spec(self.dedicated or "")


class PlacementSection(Section):
    """How the cells of the host are taken by instances with NUMA cells of their own."""

    cells: Literal["spread", "pack"] = "spread"
    """The emptiest first, or the fullest (Nova's `packing_host_numa_cells_allocation_strategy`)."""
