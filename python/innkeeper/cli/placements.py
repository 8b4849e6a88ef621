"""A placement as what a program needs: variables of its environment, CPUs to run on."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from uuid import UUID

from innkeeper.objects import Placement


def environment(placement: Placement, claim_id: UUID | None) -> dict[str, str]:
    """`INNKEEPER_*` variables: CPUs in the kernel's list format, amounts in MiB, addresses.

    `INNKEEPER_CELLS` has the host cell of each guest cell, `INNKEEPER_PINS` vCPU and CPU as `0:4,1:20`,
    `INNKEEPER_PAGES` host cell, size in KiB and count of pages as `0:2048:512`; each only where there is
    any.
    """
    words = {"INNKEEPER_CLAIM": str(claim_id)} if claim_id else {}
    words |= {
        "INNKEEPER_VCPUS": str(placement.all_vcpus),
        "INNKEEPER_CPUS": placement.cpus,
        "INNKEEPER_MEMORY_MIB": str(placement.all_memory_mib),
        "INNKEEPER_DISK_MIB": str(placement.disk_mib),
        "INNKEEPER_PCI": ",".join(device.address for device in placement.devices),
    }
    words |= {key: text for key, text in _of_cells(placement) if text}
    for name, count in sorted(placement.counters.items()):
        key = "".join(c if c.isalnum() else "_" for c in name).upper()
        words[f"INNKEEPER_COUNTER_{key}"] = str(count)
    return words


def _of_cells(placement: Placement) -> Iterator[tuple[str, str]]:
    cells = placement.cells
    pins = sorted((vcpu, cpu) for cell in cells for vcpu, cpu in cell.pins.items())
    pages = [(cell.cell, cell.page_kib, cell.pages) for cell in cells if cell.page_kib]
    yield "INNKEEPER_CELLS", ",".join(str(cell.cell) for cell in cells)
    yield "INNKEEPER_PINS", ",".join(f"{vcpu}:{cpu}" for vcpu, cpu in pins)
    yield "INNKEEPER_PAGES", ",".join(f"{cell}:{kib}:{count}" for cell, kib, count in pages)


def env_text(placement: Placement, claim_id: UUID | None) -> str:
    """Lines to source."""
    words = environment(placement, claim_id)
    return "\n".join(f"{key}={shlex.quote(value)}" for key, value in words.items())


def cpu_ids(cpus: str) -> set[int]:
    """CPUs of a list in the kernel's format, such as `0-3,8`."""
    ranges = (part.partition("-") for part in cpus.split(",") if part)
    return {cpu for low, _, high in ranges for cpu in range(int(low), int(high or low) + 1)}
