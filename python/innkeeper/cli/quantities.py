"""Amounts and moments in words for people."""

from __future__ import annotations

from datetime import datetime

from innkeeper.clock import SystemClock


def size(mib: int) -> str:
    """MiB in the largest unit of which there is one: `512 MiB`, `1.5 GiB`, `2 TiB`."""
    for unit, factor in (("TiB", 2**20), ("GiB", 2**10)):
        if mib >= factor:
            return f"{round(mib / factor, 1):g} {unit}"
    return f"{mib} MiB"


def page_size(kib: int) -> str:
    """The size of a hugepage: `64 KiB`, `2 MiB`, `1 GiB`."""
    return size(kib // 1024) if kib >= 1024 else f"{kib} KiB"


def count(number: int, what: str) -> str:
    """`1 cell`, `1,024 CPUs`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Rounded to the largest unit of which there are two: `45s`, `12m`, `3h`, `5d`."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length)}{unit}"
    return f"{round(seconds)}s"


def ago(then: datetime) -> str:
    """How long a moment is past."""
    return duration(max((SystemClock().now() - then).total_seconds(), 0.0))


def until(then: datetime) -> str:
    """How long there is until a moment: `in 10m`, or `now` when it is past."""
    seconds = (then - SystemClock().now()).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"
