"""Nova's recorded answers to the words of flavors, images and operators, replayed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.vectors.numa.words_rules import RULES
from tests.vectors.replay import ROOT, main, replay
from tests.vectors.rows import Row, read_rows

RECORDED = ROOT / "tests" / "data" / "vectors" / "numa"
DIFFERENCES = ROOT / "docs" / "differences-from-nova.md"

#: file -> rows, and those that are the same
FILES = {"constraints": (1600, 1360), "cpuspec": (250, 247), "reserved_pages": (60, 53)}


@pytest.mark.parametrize("name", FILES)
def test_no_undocumented_difference(name: str) -> None:
    counts = replay(RECORDED / f"{name}.jsonl.gz")
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])
    assert (counts.verdicts.total(), counts.verdicts["same"]) == FILES[name]


def test_every_difference_that_is_known_occurs_and_is_documented() -> None:
    section = DIFFERENCES.read_text().partition("## Words for NUMA cells")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    met = {
        one
        for name in FILES
        for names in replay(RECORDED / f"{name}.jsonl.gz").documented
        for one in names.split("+")
    }
    assert met == {*RULES, "reserved-once"}
    assert met == documented | {"clean-refusals"}


def _refused(row: Row) -> bool:
    return bool(row["error"] == "ImageCPUPinningForbidden")


def _placed(row: Row) -> bool:
    return bool(row["result"]) and not row["error"]


def _other_cells(row: Row) -> Row:
    first, *rest = row["result"]["cells"]
    return row | {"result": row["result"] | {"cells": [first | {"pagesize": 4}, *rest]}}


def _other_query(row: Row) -> Row:
    value = row["placement"]["value"] | {"required": ["HW_OTHER"]}
    return row | {"placement": {"value": value}}


def _other_part(row: Row) -> Row:
    return row | {"parts": row["parts"] | {"cpu_policy": {"value": "other"}}}


def _empty_list(row: Row) -> Row:
    return row | {"error": None, "cpus": [], "format": "", "format_flat": ""}


def _bits(row: Row) -> bool:
    return bool(row["extra_specs"] == {"hw:mem_page_size": "16Mib"})


#: what is recorded otherwise -> file, row, and the row with another answer or other words
CHANGES: dict[str, tuple[str, Callable[[Row], Any], Callable[[Row], Row]]] = {
    "cause": ("constraints", _refused, lambda row: row | {"error": "LockMemoryForbidden"}),
    "accepted": (
        "constraints",
        _refused,
        lambda row: row | {"error": None, "placement": {"value": {}}},
    ),
    "cells": ("constraints", _placed, _other_cells),
    "query": ("constraints", _placed, _other_query),
    "part": ("constraints", _placed, _other_part),
    "error": ("constraints", _placed, lambda row: row | {"error": "ValueError"}),
    "words": (
        "constraints",
        _bits,
        lambda row: row | {"extra_specs": {"hw:mem_page_size": "32MiB"}},
    ),
    "cpus": ("cpuspec", lambda row: row["cpus"] == [0, 2, 3], lambda row: row | {"cpus": [0, 2]}),
    "no list": ("cpuspec", lambda row: row["error"], _empty_list),
    "pages": (
        "reserved_pages",
        lambda row: row["n"] == 0,
        lambda row: row | {"result": {"0": {"4": 1}}},
    ),
    "entries": ("reserved_pages", lambda row: row["n"] == 10, lambda row: row | {"config": []}),
}


@pytest.mark.parametrize("case", CHANGES)
def test_another_answer_is_an_undocumented_difference(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, wanted, change = CHANGES[case]
    path = tmp_path / f"{name}.jsonl"
    row = next(row for row in read_rows(RECORDED / f"{name}.jsonl.gz") if wanted(row))
    path.write_text(json.dumps(row))
    assert main([str(path)]) == 0
    path.write_text(json.dumps(change(row)))
    assert main([str(path)]) == 1
    assert "1 different" in capsys.readouterr().out
