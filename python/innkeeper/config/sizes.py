"""Sizes and durations as people write them: `8GiB`, `512MiB`, `1h30m`.

Decimal units are refused, not converted: memory and disks are booked in MiB, and who writes `8GB` mostly
means 8GiB, but 7.6 % less is what the letters say.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from innkeeper.config.nearest import quoted
from innkeeper.errors import BadRequest

#: MiB; one exbibyte.
SIZE_LIMIT_MIB = 2**40
#: Seconds; a leap year.
DURATION_LIMIT = 366 * 86_400

_KIB = {"KIB": 1, "MIB": 2**10, "GIB": 2**20, "TIB": 2**30, "PIB": 2**40}
#: Seconds of d, h, m, s and ms, as the groups of `_DURATION` have them.
_SECONDS = (Decimal(86_400), Decimal(3_600), Decimal(60), Decimal(1), Decimal("0.001"))

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([A-Za-z]*)")
_DURATION = re.compile(
    r"(?:([0-9]{1,6})d)?(?:([0-9]{1,7})h)?(?:([0-9]{1,9})m(?!s))?"
    r"(?:([0-9]{1,9}(?:\.[0-9]{1,6})?)s)?(?:([0-9]{1,9})ms)?"
)

_SIZE_EXAMPLES = (
    "write a whole number of MiB with a unit of KiB, MiB, GiB or TiB, such as 512MiB or 8GiB"
)


def parse_memory(text: str, *, what: str = "memory") -> int:
    """MiB of `512MiB`, `8GiB`, or of a bare number of MiB.

    Raises:
        BadRequest: it is no size, no whole number of MiB, zero, or above `SIZE_LIMIT_MIB`.
    """
    return _parse_size(text, what=what, bare_unit="MiB")


def parse_disk(text: str, *, what: str = "disk") -> int:
    """MiB of `20GiB`; a bare number is refused, since people mean GB by it as often as MB.

    Raises:
        BadRequest: it is no size with a unit, no whole number of MiB, zero, or above `SIZE_LIMIT_MIB`.
    """
    return _parse_size(text, what=what, bare_unit="")


def _parse_size(text: str, *, what: str, bare_unit: str) -> int:
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise refusal(what, text, f"is no size; {_SIZE_EXAMPLES}")
    number, unit = Decimal(found[1]), found[2] or bare_unit
    kib = _KIB.get(unit.upper())
    if kib is None:
        raise refusal(what, text, _unit_problem(found[1], unit))
    mib = number * kib / 1024
    if mib != int(mib):
        raise refusal(what, text, "is no whole number of MiB")
    if not 1 <= mib <= SIZE_LIMIT_MIB:
        raise refusal(what, text, f"should be from 1 MiB to {SIZE_LIMIT_MIB} MiB")
    return int(mib)


def _unit_problem(number: str, unit: str) -> str:
    if not unit:
        return f"has no unit; did you mean {number}GiB or {number}MiB?"
    binary = f"{unit[0].upper()}iB"
    if unit.upper() in ("K", "M", "G", "T", "P"):
        return f"does not say whether it is decimal; did you mean {number}{binary}?"
    if unit.upper() in ("KB", "MB", "GB", "TB", "PB"):
        return f"is decimal, and sizes are booked in MiB; did you mean {number}{binary}?"
    return f"has an unknown unit; {_SIZE_EXAMPLES}"


def parse_duration(text: str, *, what: str = "duration") -> float:
    """Seconds of `30s`, `10m`, `1h30m`, `2d` or `250ms`.

    Raises:
        BadRequest: it is no duration with units, the larger ones first; zero; or above
            `DURATION_LIMIT`.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not text.strip():
        bare = re.fullmatch(r"[0-9]{1,9}", text.strip())
        meant = f"did you mean {text.strip()}s?" if bare else "write one such as 30s, 10m or 1h30m"
        raise refusal(what, text, f"is no duration; {meant}")
    parts = zip(_SECONDS, found.groups(), strict=True)
    seconds = sum((Decimal(number) * unit for unit, number in parts if number), Decimal(0))
    if not 0 < seconds <= DURATION_LIMIT:
        raise refusal(what, text, "should be above 0 and at most 366d")
    return float(seconds)


def refusal(what: str, given: str, problem: str, **details: Any) -> BadRequest:
    """A refusal of one word of the caller: what it was for, what was given, what would do."""
    errors = [{"path": what, "message": problem}]
    return BadRequest(
        f"{what} {quoted(given)} {problem}", given=given[:256], errors=errors, **details
    )
