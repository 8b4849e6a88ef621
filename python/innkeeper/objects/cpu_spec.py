"""CPUs as operators write them, and as texts in old databases hold them: `0-3,8,^2`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from innkeeper.errors import BadRequest

MAX_CPU: Final = 65_535
_MAX_PARTS = 65_536
#: CPUs that one text may name, each as often as it is named: a short text can name very many.
_MAX_NAMED = 4 * (MAX_CPU + 1)


def parse_cpu_spec(text: str) -> frozenset[int]:
    """Numbers and ranges separated by commas; `^` takes out, wherever it stands; spaces and empty parts do not matter.

    Raises:
        BadRequest: a part is no number or range, a range descends, a CPU is above `MAX_CPU`, or the
            text names more than any host needs.
    """
    parts = text.split(",", _MAX_PARTS)
    if len(parts) > _MAX_PARTS:
        raise BadRequest(f"a list of more than {_MAX_PARTS} CPUs and ranges")
    included: set[int] = set()
    excluded: set[int] = set()
    named = 0
    for part in (one.strip() for one in parts):
        if not part:
            continue
        taken_out = part.startswith("^")
        cpus = _range(part[1:].strip() if taken_out else part, part)
        named += len(cpus)
        if named > _MAX_NAMED:
            raise BadRequest(f"a list that names more than {_MAX_NAMED} CPUs")
        (excluded if taken_out else included).update(cpus)
    return frozenset(included - excluded)


def _range(text: str, part: str) -> range:
    first, dash, last = text.partition("-")
    if not dash:
        cpu = _cpu(text, part)
        return range(cpu, cpu + 1)
    low, high = _cpu(first, part), _cpu(last, part)
    if low > high:
        raise BadRequest(f"the range {part[:40]!r} descends")
    return range(low, high + 1)


def _cpu(text: str, part: str) -> int:
    digits = text.strip()
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9 or int(digits) > MAX_CPU:
        raise BadRequest(f"{part[:40]!r} is not a CPU, or a range of CPUs, up to {MAX_CPU}")
    return int(digits)


def format_cpu_list(cpus: Iterable[int]) -> str:
    """Every CPU by itself, ascending: the only form that all old readers take."""
    return ",".join(str(cpu) for cpu in sorted(cpus))


def format_cpu_spec(cpus: Iterable[int]) -> str:
    """With ranges, as the kernel writes it."""
    return ",".join(_spans(sorted(cpus)))


def _spans(cpus: list[int]) -> Iterator[str]:
    for _, group in groupby(enumerate(cpus), lambda pair: pair[1] - pair[0]):
        span = [cpu for _, cpu in group]
        yield str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}"
