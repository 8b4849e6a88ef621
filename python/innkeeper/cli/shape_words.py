"""The flags that say how the vCPUs and the memory of an instance lie: guest cells, CPUs, pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, TypeVar

import typer

from innkeeper.config.nearest import hint
from innkeeper.config.sizes import refusal
from innkeeper.errors import BadRequest
from innkeeper.objects import (
    CellPreference,
    EmulatorThreads,
    GuestCell,
    GuestTopology,
    L3Policy,
)
from innkeeper.objects.cpu_spec import format_cpu_spec
from innkeeper.requests.numa_words.command_words import parse_hugepages, parse_threads

_Word = TypeVar("_Word", bound=StrEnum)

#: As the limit of `GuestTopology.cells`.
_MOST_CELLS: Final = 128

VCpus = Annotated[str | None, typer.Option("--vcpus", metavar="N", help="vCPUs.")]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="512MiB, 8GiB, or MiB as a number.")
]
Cells = Annotated[
    str | None,
    typer.Option("--cells", metavar="N", help="Guest cells, each with an equal share of the rest."),
]
Dedicated = Annotated[
    bool, typer.Option("--dedicated", help="Every vCPU has a CPU for itself alone.")
]
Threads = Annotated[
    str | None,
    typer.Option(
        "--threads",
        metavar="HOW",
        help="Dedicated vCPUs on cores: prefer siblings, isolate, require, full-cores.",
    ),
]
Hugepages = Annotated[
    str | None,
    typer.Option(
        "--hugepages", metavar="SIZE", help="Memory of pages of 2MiB, 1GiB, large, small or any."
    ),
]
Emulator = Annotated[
    str | None,
    typer.Option(
        "--emulator-threads", metavar="HOW", help="share, or isolate: on a dedicated CPU more."
    ),
]
L3 = Annotated[
    str | None,
    typer.Option("--l3", metavar="HOW", help="A cell's CPUs on one L3 cache: prefer or require."),
]
Prefer = Annotated[
    str | None,
    typer.Option(
        "--prefer", metavar="WHICH", help="Host cells: closest, spread-sockets, pack or spread."
    ),
]


@dataclass(frozen=True, slots=True)
class ShapeWords:
    """What the flags of a guest's size and shape say, still as text; each field is one flag."""

    vcpus: VCpus = None
    memory: Memory = None
    cells: Cells = None
    dedicated: Dedicated = False
    threads: Threads = None
    hugepages: Hugepages = None
    emulator_threads: Emulator = None
    l3: L3 = None
    prefer: Prefer = None

    def shape_flags(self) -> Sequence[str]:
        """Those that are given, by name."""
        values = {
            "--cells": self.cells,
            "--dedicated": self.dedicated or None,
            "--threads": self.threads,
            "--hugepages": self.hugepages,
            "--emulator-threads": self.emulator_threads,
            "--l3": self.l3,
            "--prefer": self.prefer,
        }
        return [flag for flag, value in values.items() if value is not None]

    def topology(self, vcpus: Any, memory_mib: Any) -> GuestTopology:
        """Guest cells alike, which share vCPUs and memory evenly.

        Raises:
            BadRequest: a word is none, a flag lacks another that it needs, or the amounts do not
                divide.
        """
        topology = GuestTopology(
            cells=self._cells(vcpus, memory_mib),
            pages=parse_hugepages(self.hugepages, what="--hugepages") if self.hugepages else None,
            threads=parse_threads(self.threads, what="--threads") if self.threads else None,
            emulator_threads=_word(EmulatorThreads, self.emulator_threads, "--emulator-threads"),
            l3=_word(L3Policy, self.l3, "--l3"),
            preference=_word(CellPreference, self.prefer, "--prefer"),
        )
        self._require_dedicated(topology)
        return topology

    def _require_dedicated(self, topology: GuestTopology) -> None:
        isolate = topology.emulator_threads is EmulatorThreads.ISOLATE
        needy = {
            f"--threads {self.threads}": topology.threads is not None,
            "--emulator-threads isolate": isolate,
            f"--l3 {self.l3}": topology.l3 is not None,
        }
        for flag, is_given in needy.items():
            if is_given and not self.dedicated:
                raise BadRequest(f"{flag} is about dedicated CPUs; say --dedicated too")

    def _cells(self, vcpus: Any, memory_mib: Any) -> tuple[GuestCell, ...]:
        self._require_amounts(vcpus, memory_mib)
        count = 1 if self.cells is None else _cell_count(self.cells)
        _require_even(count, vcpus, memory_mib)
        each = (vcpus or 0) // count
        lists = [format_cpu_spec(range(cell * each, (cell + 1) * each)) for cell in range(count)]
        kind = "dedicated" if self.dedicated else "shared"
        mib = (memory_mib or 0) // count
        return tuple(GuestCell(**{kind: vcpu_list}, memory_mib=mib) for vcpu_list in lists)

    def _require_amounts(self, vcpus: Any, memory_mib: Any) -> None:
        flag = self.shape_flags()[0]
        for amount, name in ((vcpus, "vcpus"), (memory_mib, "memory_mib")):
            # What a spec file has in their place is refused with the rest of it.
            if amount is not None and (type(amount) is not int or amount < 1):
                raise BadRequest(f"{flag} divides `{name}`, which should be a number above 0")
        if self.dedicated and vcpus is None:
            raise BadRequest("--dedicated is about vCPUs; say --vcpus too")
        if self.hugepages is not None and memory_mib is None:
            raise BadRequest("--hugepages is about memory; say --memory too")
        if vcpus is None and memory_mib is None:
            raise BadRequest(f"{flag} is about vCPUs and memory; say --vcpus and --memory too")


def _cell_count(text: str) -> int:
    count = int(text) if text.strip().isascii() and text.strip().isdecimal() else 0
    if not 1 <= count <= _MOST_CELLS:
        problem = (
            f"should be how many guest cells, from 1 to {_MOST_CELLS}; "
            "host cells that the instance is on already are --on-cells"
        )
        raise refusal("--cells", text, problem)
    return count


def _require_even(count: int, vcpus: int | None, memory_mib: int | None) -> None:
    amounts = ((vcpus, "vCPUs"), (memory_mib, "MiB"))
    odd = [(amount, unit) for amount, unit in amounts if amount is not None and amount % count]
    if not odd:
        return
    asked = " and ".join(_counted(amount, unit) for amount, unit in odd)
    nearest = " and ".join(f"{_around(amount, count)} {unit}" for amount, unit in odd)
    raise BadRequest(
        f"--cells {count} should divide {asked} evenly; {nearest} would do. Unequal cells are said "
        "with --property hw:numa_cpus.N and hw:numa_mem.N, or in a --spec file"
    )


def _counted(amount: int, unit: str) -> str:
    return "1 vCPU" if (amount, unit) == (1, "vCPUs") else f"{amount} {unit}"


def _around(amount: int, count: int) -> str:
    """The nearest amounts that divide."""
    below = amount - amount % count
    return f"{below} or {below + count}" if below else str(below + count)


def _word(kind: type[_Word], text: str | None, flag: str) -> _Word | None:
    if text is None:
        return None
    word = text.strip().replace("-", "_")
    if word not in tuple(kind):
        known = [one.replace("_", "-") for one in kind]
        raise refusal(flag, text, f"is none; {hint(text, known)}")
    return kind(word)
