"""Replay recorded answers: `python tests/vectors/replay.py FILE...`.

Prints for each file how many rows it has, how many innkeeper answers in the same way, how many
differ as docs/differences-from-nova.md says, and how many differ otherwise. Exits with 1 if any do.
Rows that speak of nothing innkeeper does are counted with their reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for _place in (ROOT, ROOT / "python"):
    if str(_place) not in sys.path:
        sys.path.insert(0, str(_place))

from tests.vectors import objects_replay  # noqa: E402
from tests.vectors.observations import JUDGES, NOT_REPLAYED  # noqa: E402
from tests.vectors.rows import Row, base_name, read_rows  # noqa: E402
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict  # noqa: E402

RECORDED = ROOT / "tests" / "data" / "vectors" / "objects"


@dataclass
class Counts:
    """The verdicts on the rows of one file."""

    name: str
    verdicts: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    """The first undocumented differences, in words."""

    @property
    def different(self) -> int:
        return self.verdicts[DIFFERENT]

    @property
    def documented(self) -> dict[str, int]:
        plain = (SAME, DIFFERENT, UNREPLAYED)
        return {name: count for name, count in self.verdicts.items() if name not in plain}

    def __str__(self) -> str:
        documented = self.documented
        names = ", ".join(f"{name} {count}" for name, count in sorted(documented.items()))
        left_out = self.verdicts[UNREPLAYED]
        return (
            f"{self.name}: {self.verdicts.total()} rows, {self.verdicts[SAME]} same, "
            f"{sum(documented.values())} documented differences{names and f' ({names})'}, "
            f"{self.different} different{f', {left_out} not replayed' if left_out else ''}"
        )


def judged(path: Path) -> Iterator[tuple[Row, Verdict]]:
    """Each row of a file with the verdict on it."""
    rows = list(read_rows(path))
    name = base_name(path)
    if name in NOT_REPLAYED:
        for row in rows:
            yield row, (UNREPLAYED, NOT_REPLAYED[name])
    elif rows and "method" in rows[0] and "object" in rows[0] and not name.startswith("x_"):
        sources = objects_replay.sources_in(rows)
        for key, known in recorded_sources(name).items():
            sources.setdefault(key, []).extend(known)
        for row in rows:
            yield row, objects_replay.judge(row, sources)
    else:
        judge = JUDGES[next(one for one in JUDGES if name.startswith(one))]
        for row in rows:
            yield row, judge(row)


@cache
def recorded_sources(name: str) -> objects_replay.Sources:
    """The objects of the recorded file of that name: a further file may lack them."""
    paths = [path for path in RECORDED.glob("*.gz") if base_name(path) == name]
    return objects_replay.sources_in(read_rows(paths[0])) if paths else {}


def replay(path: Path) -> Counts:
    """The verdicts on one file."""
    counts = Counts(path.name)
    for row, (verdict, why) in judged(path):
        counts.verdicts[verdict] += 1
        if verdict == DIFFERENT and len(counts.seen) < 5:
            about = {key: row[key] for key in _ABOUT if key in row}
            counts.seen.append(f"  {about}\n    {why}")
    return counts


_ABOUT = (
    "writer",
    "case",
    "desc",
    "column",
    "field",
    "method",
    "version",
    "release",
    "input",
    "id",
    "n",
)


def main(names: list[str]) -> int:
    if not names:
        sys.stdout.write(f"{__doc__}\n")
        return 2
    results = [replay(Path(name)) for name in names]
    for counts in results:
        sys.stdout.write("\n".join([str(counts), *counts.seen, ""]))
    return 1 if any(counts.different for counts in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
