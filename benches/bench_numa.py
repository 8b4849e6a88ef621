"""Guest cells on the cells of large hosts, beside Nova's own fit, in the same run.

Traps: eight guest cells on 16 host cells of 64 CPUs, and on 32 of 32, where all fits, where no cell is large
enough, where one cell is missing, and where the cells fit and VFs are never near enough; a request that ends
undecided; the host of every day with two cells; counts; growth over cells. Wall time, medians and 99th
percentiles; each line says what the figure must be, where it must be something. Nova walks ordered selections of
cells, so each of its turns has a limit. The core's own figures are those that
`cargo bench -p innkeeper-core --bench numa` left behind.

Run `make bench`, or `make interop` once and then `python -m benches.bench_numa [SECONDS]`.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from benches.numa_hosts import TRAPS, as_nova_is_told, guest, host, trap
from benches.pci_figures import Figures, Sample, repeat, tell_machine
from benches.pci_lines import MS, US, of_core
from benches.peer_process import PEER_PYTHON, Ask, peer_process

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import Request

PEER_LIMIT = 10.0
"""Seconds that one of the peer's turns may take."""
SIZES = ((16, 64), (32, 32))
"""Cells, and CPUs of each."""
MUST_BE = {"fits": 100 * US, "none_fits": 1 * MS, "one_short": 1 * MS, "pci_never": 1 * MS}
GROWTH = (2, 4, 8, 16, 32, 64)
"""Cells."""
MOST_COUNTED = 10_000


class Bench:
    """What is told of each host."""

    def __init__(self, figures: Figures, seconds: float, ask: Ask) -> None:
        self._figures = figures
        self._seconds = seconds
        self._ask = ask

    def traps(self, cells: int, cpus: int) -> None:
        self._figures.head(f"8 guest cells on {cells} cells of {cpus} CPUs")
        for name in TRAPS:
            self._tell_core(name, "numa_traps", name, f"{cells}x{cpus}", most=MUST_BE[name])
            theirs = self._ask(**as_nova_is_told(name, cells, cpus), limit=PEER_LIMIT)
            self._trap(name, cells, cpus, theirs)

    def _trap(self, name: str, cells: int, cpus: int, theirs: dict[str, Any]) -> None:
        inventory, wanted, taken = trap(name, cells, cpus)
        ledger = _core.Ledger(inventory)
        if taken:
            ledger.book("taken", guest(taken, cpus))
        found = fits(ledger, wanted)
        assert found == (name == "fits"), name
        assert not theirs["seconds"] or found == theirs["fits"], name
        steps = ledger.steps
        took = repeat(lambda: fits(ledger, wanted), self._seconds / 3)
        self._tell(f"{name}, through Python", took, theirs, note=f"{steps:,} steps")

    def _tell(self, name: str, took: Sample, theirs: dict[str, Any], note: str = "") -> None:
        if theirs["seconds"]:
            self._figures.tell(name, took, peer=Sample(theirs["seconds"]), note=note)
            return
        ratio = f"more than {PEER_LIMIT / took.median:,.0f}x"
        note = "; ".join(filter(None, [f"peer > {PEER_LIMIT:.0f} s, {ratio}", note]))
        self._figures.tell(name, took, note=note)

    def _tell_core(self, name: str, *path: str, most: float | None = None) -> float | None:
        took = of_core(*path)
        if took is None:
            self._figures.say(f"{name}, in the core", "not measured: `cargo bench` does it")
            return None
        self._figures.tell(f"{name}, in the core", took, most=most)
        return took.median

    def undecided(self) -> None:
        self._figures.head("beyond the bound of the search: 8 of 32 cells to cover 17 networks")
        self._tell_core("undecided", "numa_traps", "undecided", "32x32", most=5 * MS)

    def everyday(self) -> None:
        self._figures.head("one guest cell of 8 vCPUs on 2 cells of 64 CPUs")
        self._tell_core("does it fit", "numa_fit", "1", "2", most=10 * US)
        self._tell_core("claim and free", "numa_claim_and_free", "1", "2")
        theirs = self._ask(host=[2, 64, 0], guest=[1, 8], vfs=0, limit=PEER_LIMIT)
        ledger, wanted = _core.Ledger(host(2, 64)), guest(1, 8)
        took = repeat(lambda: ledger.fit(wanted), self._seconds / 3)
        self._tell("does it fit, through Python", took, theirs)
        took = repeat(lambda: claim_and_free(ledger, wanted), self._seconds / 3)
        self._figures.tell("claim and free, through Python", took)

    def counts(self) -> None:
        self._figures.head("how often a guest fits, one after another")
        for cells, cpus in SIZES:
            for guest_cells in (1, 8):
                name = f"of {guest_cells} x 4 vCPUs on {cells} cells of {cpus} CPUs"
                path = ("numa_count", str(guest_cells), f"{cells}x{cpus}")
                self._tell_core(name, *path, most=25 * MS)
                ledger, wanted = _core.Ledger(host(cells, cpus)), guest(guest_cells, 4)
                times = ledger.tally(wanted, MOST_COUNTED).times
                took = repeat(lambda: ledger.tally(wanted, MOST_COUNTED), self._seconds / 3)  # noqa: B023 - at once
                self._figures.tell(f"{name}, through Python", took, note=f"{times} times")

    def growth(self) -> None:
        self._figures.head(f"growth over {', '.join(map(str, GROWTH))} cells of 64 CPUs")
        for name, group in (("does it fit", "numa_fit"), ("claim and free", "numa_claim_and_free")):
            for cells in GROWTH:
                self._tell_core(f"{name}, {cells} cells", group, "1", str(cells))


def fits(ledger: _core.Ledger, wanted: Request) -> bool:
    try:
        ledger.fit(wanted)
    except NoFit:
        return False
    return True


def claim_and_free(ledger: _core.Ledger, wanted: Request) -> None:
    ledger.book("bench", wanted)
    ledger.unbook("bench")


def main(seconds: float) -> int:
    if not PEER_PYTHON.exists():
        print(f"no peer: {PEER_PYTHON} does not exist; `make interop` sets it up")
        return 2
    gc.freeze()
    figures = Figures()
    tell_machine()
    with peer_process("peer_numa.py") as ask:
        bench = Bench(figures, seconds, ask)
        for cells, cpus in SIZES:
            bench.traps(cells, cpus)
        bench.undecided()
        bench.everyday()
        bench.counts()
        bench.growth()
    print(f"\n{figures.missed} missed" if figures.missed else "\nall reached")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
