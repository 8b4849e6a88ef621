"""The slow model of Nova's placement of cells answers every recorded row as Nova did.

What innkeeper does otherwise is then the model with named corrections, see `test_numa.py`. Asked
through innkeeper's objects the corrected model answers as when asked with the recorded words, so
that the objects say all that the words do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.numa.asking import MakeLedger, corrected_answer, our_answer
from tests.vectors.numa.corrections import ALL, NONE, NovaError
from tests.vectors.numa.model_fit import Search, search_of
from tests.vectors.numa.model_host import HostCell, bounds_of, guest_of, host_of
from tests.vectors.numa.model_ledger import ModelLedger
from tests.vectors.numa.model_usage import charge, usage_of
from tests.vectors.numa.recorded import placed_in, recorded_answer
from tests.vectors.numa_replay import judge_sequence, judge_usage
from tests.vectors.rows import Row, read_rows
from tests.vectors.verdicts import DIFFERENT, Verdict

RECORDED = Path(__file__).resolve().parents[1] / "data" / "vectors" / "numa"

#: file -> rows
FITS = {"fit": 3600, "fit_traps": 800, "fit_witness": 14}
USAGE, SEQUENCES, STEPS = 700, 110, 2133


def rows_of(name: str, count: int) -> list[Row]:
    rows = list(read_rows(RECORDED / f"{name}.jsonl.gz"))
    assert len(rows) == count
    return rows


@pytest.mark.parametrize(("name", "count"), FITS.items())
def test_cells(name: str, count: int) -> None:
    """The answer on fresh copies, and the order in which host cells are tried."""
    for row in rows_of(name, count):
        search = search_of(row, NONE)
        tried = [cell.id for cell in search.order(row["strategy"])]
        assert row["order"] in ([], tried), row["n"]
        assert _answer(search, row["strategy"]) == recorded_answer(row), row["n"]


@pytest.mark.parametrize(("name", "count"), FITS.items())
def test_cells_through_objects(name: str, count: int) -> None:
    for row in rows_of(name, count):
        assert our_answer(row, ModelLedger) == corrected_answer(row, ALL), row["n"]


@pytest.mark.parametrize(
    ("name", "count", "judge"),
    [("usage", USAGE, judge_usage), ("sequences", SEQUENCES, judge_sequence)],
)
def test_usage_through_objects(
    name: str, count: int, judge: Callable[[Row, MakeLedger], Verdict]
) -> None:
    for row in rows_of(name, count):
        verdict, why = judge(row, ModelLedger)
        assert verdict != DIFFERENT, f"{row['n']}: {why}"


def _answer(search: Search, strategy: str) -> Any:
    try:
        return search.first(strategy)
    except NovaError as error:
        return error.name


def test_usage() -> None:
    for row in rows_of("usage", USAGE):
        assert _after(row) == (row["after"], row["error"]), row["n"]


def _after(row: Row) -> tuple[list[dict[str, Any]] | None, str | None]:
    sign = -1 if row["free"] else 1
    try:
        cells = charge(host_of(row["host"]), row["instance"], sign, NONE)
    except NovaError as error:
        return None, error.name
    return [usage_of(cell) for cell in cells], None


def test_sequences() -> None:
    steps = [
        (row, number, step, then)
        for row in rows_of("sequences", SEQUENCES)
        for number, (step, then) in enumerate(zip(row["steps"], _states(row), strict=True))
    ]
    assert len(steps) == STEPS
    for row, number, step, (fitted, cells) in steps:
        assert fitted == placed_in(step.get("fitted")), f"{row['n']}, step {number}"
        if "after" in step:
            assert [usage_of(it) for it in cells] == step["after"], f"{row['n']}, step {number}"


def _states(row: Row) -> Iterator[tuple[Any, tuple[HostCell, ...]]]:
    """What each step was given, and the cells after it."""
    cells, held = host_of(row["host"]), dict[str, Row]()
    for step in row["steps"]:
        fitted = None
        if step["op"] == "free":
            cells = charge(cells, held.pop(step["name"]), -1, NONE)
        else:
            search = Search(cells, guest_of(step["instance"]), bounds_of(row["limits"]))
            fitted = search.first(row["strategy"])
            if step["fitted"]:
                held[step["name"]] = step["fitted"]
                cells = charge(cells, step["fitted"], 1, NONE)
        yield fitted, cells
