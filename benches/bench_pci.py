"""PCI devices of a dense host, beside Nova's own tracker, in the same run.

4,096 VFs on 32 PFs over 4 cells; growth over 256, 1,024, 4,096 and 16,384 of them; 1,024 cards without VFs;
256 device specs. Wall time, medians and 99th percentiles; each line says what the figure must be, where it
must be something. The peer's file is on the same disk with its own settings. The core's own figures are those
that `cargo bench -p innkeeper-core --bench pci` left behind.

Run `make bench`, or `make interop` once and then `python -m benches.bench_pci [SECONDS]`.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benches.pci_figures import Figures, duration, tell_machine
from benches.pci_hosts import (
    CELLS,
    PLAIN,
    VF,
    as_reported,
    host_of_plain_functions,
    host_of_vfs,
    specs,
)
from benches.pci_lines import OnHost
from benches.pci_searches import tell_searches
from benches.peer_process import PEER_PYTHON, Ask, peer_process

from innkeeper.objects import Host

SIZES = (256, 1024, 4096, 16384)
DENSE = 4096
PEER_SIZES = (256, 1024, DENSE)
"""With more the peer takes many minutes."""

TOLERANCE = 1.5
"""Of growth: caches are no larger on a larger host."""


@contextmanager
def peer(host: Host, entries: list[dict[str, str]], pattern: dict[str, str]) -> Iterator[Ask]:
    """A process of its own with one host in Nova's tracker, after its first sync."""
    with tempfile.TemporaryDirectory() as folder, peer_process("peer_pci.py") as ask:
        database = str(Path(folder) / "nova.sqlite3")
        devices = as_reported(host)
        ask(devices=devices, specs=entries, database=database, cells=CELLS, pattern=pattern)
        yield ask


@contextmanager
def on_host(
    figures: Figures, seconds: float, host: Host, *, pattern: dict[str, str], before: int = 0
) -> Iterator[OnHost]:
    """Beside the peer; `before` so many device specs that admit nothing."""
    entries = specs(before)
    with peer(host, entries, pattern) as ask:
        yield OnHost(figures, seconds, host, entries=entries, pattern=pattern, ask=ask)


def dense(figures: Figures, seconds: float) -> dict[int, dict[str, float]]:
    """Hosts of all sizes; what must be reached is told on one of them."""
    told = {}
    for size in SIZES:
        figures.head(f"{size:,} VFs on {size // 128} PFs over {CELLS} cells")
        host = host_of_vfs(size)
        with on_host(figures, seconds, host, pattern=VF) as bench:
            bench.judged = size == DENSE
            bench.peers = size in PEER_SIZES
            bench.core = str(size)
            bench.count = size
            bench.all_lines()
            if size == DENSE:
                bench.memory()
        told[size] = bench.took
    return told


def tell_growth(figures: Figures, told: dict[int, dict[str, float]]) -> None:
    """Syncs and filling may grow as the devices do, decisions not at all."""
    figures.head(f"growth over {', '.join(f'{size:,}' for size in told)} VFs")
    for name in told[DENSE]:
        took = [medians[name] for medians in told.values()]
        linear = name.startswith(("first", "nothing", "fill"))
        most = (SIZES[-1] / SIZES[0] if linear else 1) * TOLERANCE
        words = f"{', '.join(duration(one) for one in took)}; {took[-1] / took[0]:.1f}x"
        figures.say(name, f"{words}, must be {most:.0f}x", reached=took[-1] <= took[0] * most)


def main(seconds: float) -> int:
    if not PEER_PYTHON.exists():
        print(f"no peer: {PEER_PYTHON} does not exist; `make interop` sets it up")
        return 2
    # As `serve` does: what was loaded is no garbage.
    gc.freeze()
    figures = Figures()
    tell_machine()
    tell_growth(figures, dense(figures, seconds))
    figures.head("1,024 PCI devices without VFs")
    with on_host(figures, seconds, host_of_plain_functions(1024), pattern=PLAIN) as bench:
        bench.judged, bench.core, bench.count = True, "1024_plain", 1024
        bench.all_lines()
    figures.head(f"{DENSE:,} VFs and 256 device specs, the last of which admit them")
    with on_host(figures, seconds, host_of_vfs(DENSE), pattern=VF, before=253) as bench:
        bench.judged = True
        bench.syncs()
    tell_searches(figures, seconds)
    print(f"\n{figures.missed} missed" if figures.missed else "\nall reached")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0))
