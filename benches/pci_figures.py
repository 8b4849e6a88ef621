"""Times as they are told: median and 99th percentile, beside the peer's and what they must be."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds of wall time, one for each turn."""

    seconds: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p99(self) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]

    def __str__(self) -> str:
        few = len(self.seconds) < 3
        return duration(self.median) + ("" if few else f" (p99 {duration(self.p99)})")


@dataclass(slots=True)
class Figures:
    """Prints figures, and remembers whether all were what they must be."""

    missed: int = 0

    def head(self, words: str) -> None:
        print(f"\n{words}", flush=True)

    def tell(
        self,
        name: str,
        ours: Sample,
        *,
        most: float | None = None,
        peer: Sample | None = None,
        note: str = "",
    ) -> None:
        """One line; `most` is what the median must not be above, in seconds."""
        words = [f"{name}: {ours}"]
        if peer is not None:
            ratio = peer.median / ours.median
            words.append(f"peer {peer}, {ratio:,.{0 if ratio >= 10 else 1}f}x")
        words += [note] if note else []
        if most is not None:
            words.append(f"must be {duration(most)}: {self.judge(reached=ours.median <= most)}")
        print("; ".join(words), flush=True)

    def say(self, name: str, words: str, *, reached: bool | None = None) -> None:
        verdict = "" if reached is None else f": {self.judge(reached=reached)}"
        print(f"{name}: {words}{verdict}", flush=True)

    def judge(self, *, reached: bool) -> str:
        self.missed += not reached
        return "reached" if reached else "MISSED"


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            number = seconds / size
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"
    return "0 us"


def timed(once: Callable[[], object]) -> float:
    start = time.perf_counter()
    once()
    return time.perf_counter() - start


def repeat(once: Callable[[], object], seconds: float, least: int = 5) -> Sample:
    """As often as so many seconds allow, after one turn that does not count."""
    once()
    end = time.perf_counter() + seconds
    took: list[float] = []
    while len(took) < least or time.perf_counter() < end:
        took.append(timed(once))
    return Sample(took)


def rounds(once: Callable[[], float], count: int) -> Sample:
    """So many turns, each of which says itself how long what counts took."""
    once()
    return Sample([once() for _ in range(count)])


def sync_of_disk(folder: Path) -> Sample:
    """How long the disk takes to promise 4 KiB."""
    descriptor = os.open(folder / "synced", os.O_WRONLY | os.O_CREAT)

    def once() -> None:
        os.pwrite(descriptor, b"x" * 4096, 0)
        os.fsync(descriptor)

    try:
        return repeat(once, 0.5)
    finally:
        os.close(descriptor)


def tell_machine() -> None:
    with tempfile.TemporaryDirectory() as folder:
        synced = sync_of_disk(Path(folder))
        print(
            f"Python {platform.python_version()} on {platform.machine()}, {os.cpu_count()} CPUs, "
            f"load {os.getloadavg()[0]:.1f}; {folder} takes {synced} to sync 4 KiB"
        )
