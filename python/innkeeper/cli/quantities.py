"""Names, amounts and moments in words for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def printable(text: str) -> str:
    """The text on one line; a name must not be able to steer the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


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
    return duration(max(-_from_now(then).total_seconds(), 0.0))


def until(then: datetime) -> str:
    """How long there is until a moment: `in 10m`, or `now` when it is past."""
    seconds = _from_now(then).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"


def _from_now(then: datetime) -> timedelta:
    return then - datetime.now(UTC)  # noqa: TID251 - a Clock would load an event loop for one look
