"""Recorded answers to device specs and aliases, replayed."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from tests.vectors.pci import alias_model, spec_model
from tests.vectors.replay import ROOT, main, replay

RECORDED = ROOT / "tests" / "data" / "vectors" / "pci"
FAMILIES = ("devspec_match", "whitelist_first_match", "alias_parse")
DIFFERENCES = ROOT / "docs" / "differences-from-nova.md"


def recorded(family: str) -> Path:
    return RECORDED / f"{family}.jsonl.gz"


@pytest.mark.parametrize(
    ("family", "rows"), list(zip(FAMILIES, (1500, 400, 800), strict=True)), ids=FAMILIES
)
def test_no_undocumented_difference(family: str, rows: int) -> None:
    counts = replay(recorded(family))
    assert counts.verdicts.total() == rows
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])


def test_the_differences_that_occur_are_those_that_are_documented() -> None:
    text = DIFFERENCES.read_text()
    section = text.partition("## Device specs and aliases")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    met = {
        one
        for family in FAMILIES
        for name in replay(recorded(family)).documented
        for one in name.split("+")
    }
    assert met == documented
    assert met == {*spec_model.CORRECTIONS, *alias_model.CORRECTIONS, "clean-refusals"}


@pytest.mark.parametrize("family", FAMILIES)
def test_another_answer_is_an_undocumented_difference(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is recorded is read, not only what the model makes of the row."""
    path = tmp_path / f"{family}.jsonl"
    with gzip.open(recorded(family), "rt") as lines:
        row = next(
            row
            for line in lines
            if "error" not in (row := json.loads(line)).get("parse", row.get("aliases"))
        )
    path.write_text(json.dumps(row))
    assert main([str(path)]) == 0
    wrong = {
        "devspec_match": {"match": [not one for one in row.get("match", ())]},
        "whitelist_first_match": {
            "winner": [{"index": 9, "tags": {}}] * len(row.get("winner", ()))
        },
        "alias_parse": {"aliases": {}},
    }
    path.write_text(json.dumps(row | wrong[family]))
    assert main([str(path)]) == 1
    assert "1 different" in capsys.readouterr().out
