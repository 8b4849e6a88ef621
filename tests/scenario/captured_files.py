"""What the files of a captured host say of its CPUs and cells, read without the project's discovery.

And the words of an operator who has one rule for every host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from innkeeper.objects.cpu_spec import format_cpu_spec, parse_cpu_spec

HUGEPAGE_KIB = 2048


def _listed(file: Path) -> frozenset[int]:
    """CPUs of a file; some who copied the files left a zero byte after them."""
    return parse_cpu_spec(file.read_text().rstrip("\n\0"))


@dataclass(frozen=True)
class CapturedFiles:
    """A folder with sys/ and proc/ in it."""

    root: Path

    @cached_property
    def online(self) -> frozenset[int]:
        """CPUs that run; all that are there, where no file says which."""
        folder = self.root / "sys/devices/system/cpu"
        if (folder / "online").exists():
            return _listed(folder / "online")
        return frozenset(int(it.name[3:]) for it in folder.glob("cpu[0-9]*"))

    @cached_property
    def isolated(self) -> frozenset[int]:
        """CPUs that the kernel's scheduler keeps off."""
        file = self.root / "sys/devices/system/cpu/isolated"
        return _listed(file) if file.exists() else frozenset()

    @cached_property
    def cells(self) -> Mapping[int, frozenset[int]]:
        """CPUs that are online of each cell; one cell with everything where the host tells none."""
        folder = self.root / "sys/devices/system/node"
        found = {
            int(it.name[4:]): self._cpus_of(it) & self.online for it in folder.glob("node[0-9]*")
        }
        return dict(sorted(found.items())) or {0: self.online}

    def _cpus_of(self, cell: Path) -> frozenset[int]:
        """Whoever copied the files may have the list, the bits, or the links alone."""
        listed, mapped = cell / "cpulist", cell / "cpumap"
        if listed.exists():
            return _listed(listed)
        if mapped.exists():
            bits = int(mapped.read_text().replace(",", ""), 16)
            return frozenset(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)
        return frozenset(int(it.name[3:]) for it in cell.glob("cpu[0-9]*"))

    def memory_kib(self, cell: int) -> int:
        """Of one cell; 0 where no file says."""
        file = self.root / f"sys/devices/system/node/node{cell}/meminfo"
        found = re.search(r"MemTotal:\s+(\d+) kB", file.read_text()) if file.exists() else None
        return int(found[1]) if found else 0

    def hugepages(self, cell: int) -> int:
        """Pages of 2 MiB of one cell."""
        folder = self.root / f"sys/devices/system/node/node{cell}/hugepages"
        file = folder / f"hugepages-{HUGEPAGE_KIB}kB/nr_hugepages"
        return int(file.read_text()) if file.exists() else 0

    def core_of(self, cpu: int) -> frozenset[int]:
        """The CPU and its siblings that are online."""
        topology = self.root / f"sys/devices/system/cpu/cpu{cpu}/topology"
        names = ("core_cpus_list", "thread_siblings_list")
        lists = [_listed(topology / it) for it in names if (topology / it).exists()]
        return lists[0] & self.online if lists else frozenset([cpu])

    def cell_of_device(self, address: str) -> int | None:
        """Null where the host does not tell."""
        number = int((self.root / f"sys/bus/pci/devices/{address}/numa_node").read_text())
        return number if number >= 0 else None

    def socket_of(self, cell: int) -> int | None:
        """Of the first CPU of a cell; null where it has none."""
        cpus = self.root / "sys/devices/system/cpu"
        files = [cpus / f"cpu{it}/topology/physical_package_id" for it in sorted(self.cells[cell])]
        return int(files[0].read_text()) if files else None


@dataclass(frozen=True)
class OneRule:
    """Of each cell the first core is shared and the others are dedicated, and a little is the host's own."""

    files: CapturedFiles
    product: str | None
    """Devices of this product may be claimed."""

    @cached_property
    def shared(self) -> frozenset[int]:
        """Isolated CPUs cannot be shared."""
        firsts = [min(cpus) for cpus in self.files.cells.values() if cpus]
        cores = (self.files.core_of(cpu) for cpu in firsts)
        return frozenset[int]().union(*cores) - self.files.isolated

    @cached_property
    def dedicated(self) -> frozenset[int]:
        """All others that are online."""
        return self.files.online - self.shared

    def config(self) -> str:
        """As the operator's file."""
        return "\n".join(["[reserved]", "memory_mib = 0", *self._sections()])

    def _sections(self) -> Iterator[str]:
        yield "[cpus]"
        for key, cpus in (("shared", self.shared), ("dedicated", self.dedicated)):
            if cpus:
                yield f'{key} = "{format_cpu_spec(cpus)}"'
        if self.product is not None:
            yield f'[[devices]]\nvendor_id = "8086"\nproduct_id = "{self.product}"'
        for cell in self.files.cells:
            if self.files.memory_kib(cell):
                yield f"[[reserved.cells]]\ncell = {cell}\nmemory_mib = 16"
            if self.files.hugepages(cell):
                yield f"[[reserved.pages]]\ncell = {cell}\nsize_kib = {HUGEPAGE_KIB}\ncount = 2"
