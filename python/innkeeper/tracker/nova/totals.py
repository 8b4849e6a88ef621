"""How much of a host is in use as Nova counts it: every vCPU and all memory of each instance.

The ledger counts what competes for the same thing: shared vCPUs apart from CPUs that are one vCPU's
alone, ordinary memory apart from hugepages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from innkeeper import _core
from innkeeper.tracker.leaving import Leaving

_KIB = 1024
"""In a MiB."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all instances, once what leaves is gone; what the host keeps for itself is counted in."""

    vcpus: int
    memory_mib: int
    disk_mib: int

    @classmethod
    def of(cls, usage: _core.Usage, leaving: Leaving) -> Self:
        """What the ledger holds, less what leaves."""
        gone = leaving.placements
        vcpus = usage.vcpus.used + usage.vcpus.reserved + _dedicated_vcpus(usage)
        memory_mib = usage.memory_mib.used + usage.memory_mib.reserved + _huge_mib(usage)
        disk_mib = usage.disk_mib.used + usage.disk_mib.reserved
        return cls(
            vcpus=vcpus - sum(one.all_vcpus for one in gone),
            memory_mib=memory_mib - sum(one.all_memory_mib for one in gone),
            disk_mib=disk_mib - sum(one.disk_mib for one in gone),
        )


def _dedicated_vcpus(usage: _core.Usage) -> int:
    return sum(cell.dedicated_vcpus for cell in usage.cells)


def _huge_mib(usage: _core.Usage) -> int:
    """All but the smallest pages of each cell, which are ordinary memory."""
    huge = (pages for cell in usage.cells for pages in cell.pages[1:])
    return sum(pages.used * pages.size_kib for pages in huge) // _KIB
