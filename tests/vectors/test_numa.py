"""Nova's recorded placements of guest cells, replayed.

`numa_replay.py` says when a row is the same; the slow model that explains the others is proved in
`test_numa_model.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.vectors.numa.corrections import CORRECTIONS, OF_USAGE
from tests.vectors.replay import ROOT, Counts, main, replay
from tests.vectors.rows import Row, read_rows

RECORDED = ROOT / "tests" / "data" / "vectors" / "numa"
DIFFERENCES = ROOT / "docs" / "differences-from-nova.md"

#: file -> rows
FILES = {"fit": 3600, "fit_traps": 800, "fit_witness": 14, "usage": 700, "sequences": 110}

#: Corrections of requests for devices that no recorded guest with cells needs: `test_pci.py` meets them.
OF_DEVICES = {"numa-last", "joint"}


def recorded(name: str) -> Path:
    return RECORDED / f"{name}.jsonl.gz"


@pytest.fixture(scope="module")
def replayed() -> Callable[[str], Counts]:
    """The counts of each file, made once."""
    known: dict[str, Counts] = {}

    def counts_of(name: str) -> Counts:
        if name not in known:
            known[name] = replay(recorded(name))
        return known[name]

    return counts_of


@pytest.mark.parametrize("name", FILES)
def test_no_undocumented_difference(name: str, replayed: Callable[[str], Counts]) -> None:
    counts = replayed(name)
    assert counts.verdicts.total() == FILES[name]
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])
    assert counts.verdicts["not replayed"] == 0


def test_every_difference_that_is_known_occurs_and_is_documented(
    replayed: Callable[[str], Counts],
) -> None:
    section = DIFFERENCES.read_text().partition("## NUMA fit")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    met = {
        name for file in FILES for names in replayed(file).documented for name in names.split("+")
    }
    assert met == {*CORRECTIONS, *OF_USAGE} - OF_DEVICES
    assert met <= documented, f"not in {DIFFERENCES.name}: {sorted(met - documented)}"


def _fits(row: Row) -> bool:
    return "clean" not in row and bool(row["nova"]) and len(row["nova"]["cells"]) > 1


def _other_cells(row: Row) -> Row:
    """The guest cells on each other's host cells."""
    cells = row["nova"]["cells"]
    ids = [cell["id"] for cell in cells]
    moved = [cell | {"id": other} for cell, other in zip(cells, reversed(ids), strict=True)]
    return row | {"nova": row["nova"] | {"cells": moved}}


def _no_fit(row: Row) -> Row:
    return row | {"nova": None}


def _other_usage(row: Row) -> Row:
    first, *others = row["after"]
    return row | {"after": [first | {"memory_usage": first["memory_usage"] + 1}, *others]}


def _other_step(row: Row) -> Row:
    *steps, last = row["steps"]
    return row | {"steps": [*steps, _other_usage(last)]}


@pytest.mark.parametrize(
    ("name", "wanted", "change"),
    [
        ("fit", _fits, _other_cells),
        ("fit_traps", _fits, _no_fit),
        ("usage", lambda row: bool(row["after"]), _other_usage),
        ("sequences", lambda row: "after" in row["steps"][-1], _other_step),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_another_answer_is_an_undocumented_difference(
    name: str,
    wanted: Callable[[Row], bool],
    change: Callable[[Row], Row],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is recorded is read, not only what the model makes of the row."""
    path = tmp_path / f"{name}.jsonl"
    row = next(row for row in read_rows(recorded(name)) if wanted(row))
    path.write_text(json.dumps(row))
    assert main([str(path)]) == 0
    path.write_text(json.dumps(change(row)))
    assert main([str(path)]) == 1
    assert "1 different" in capsys.readouterr().out
