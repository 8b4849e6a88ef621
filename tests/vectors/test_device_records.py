"""Records of devices: their statuses and the pools that Nova reads, as recorded or as documented."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.vectors.pci.state_replay import (
    GONE,
    HELD,
    RECORDED,
    SHAPES,
    World,
    as_derived,
    judge_state,
)
from tests.vectors.replay import replay
from tests.vectors.rows import read_rows
from tests.vectors.verdicts import DIFFERENT, SAME

from innkeeper.objects import PciKind

FAMILIES = (RECORDED.with_name("pool_serial.jsonl.gz"), RECORDED)
DIFFERENCES = Path(__file__).parents[2] / "docs" / "differences-from-nova.md"


@pytest.mark.parametrize(("path", "rows"), list(zip(FAMILIES, (300, 7350), strict=True)))
def test_no_undocumented_difference(path: Path, rows: int) -> None:
    counts = replay(path)
    assert counts.verdicts.total() == rows
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])


def test_the_differences_that_occur_are_those_that_are_documented() -> None:
    section = DIFFERENCES.read_text().partition("## Device records")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE))
    met = {name for path in FAMILIES for name in replay(path).documented}
    assert met == documented | {"changes-of-stored"}


def test_where_statuses_are_what_bookings_lead_to_nova_answers_the_same() -> None:
    verdicts: Counter[str] = Counter()
    for row in read_rows(RECORDED):
        before = tuple(row["before"])
        if as_derived(row["shape"], before) == before and not _is_doubly_held(row["shape"], before):
            verdicts[judge_state(row)[0]] += 1
    assert verdicts == {SAME: 598, "firmest-hold": 4}


def _is_doubly_held(shape: str, before: tuple[str, ...]) -> bool:
    pairs = zip(SHAPES[shape], before, strict=True)
    kinds = [device.kind for device, status in pairs if status in HELD]
    return len(kinds) > 1 and PciKind.PF in kinds


def test_nothing_that_is_gone_comes_back_and_no_holder_loses_a_device() -> None:
    for row in read_rows(RECORDED):
        world = World(row["shape"], tuple(row["before"]))
        world.do(row["op"])
        for before, after in zip(row["before"][1:], world.statuses()[1:], strict=True):
            assert (before in GONE) == (after == "removed")
            assert (before in HELD) == (after in HELD)


def test_a_wrong_answer_is_no_documented_difference() -> None:
    rows = [row for row in read_rows(RECORDED) if row["shape"] == "vf" and row["op"] == "claim"]
    for row in rows:
        if row["after"] != row["before"]:
            lying = {**row, "after": row["before"], "owner": None}
            consistent = as_derived("vf", tuple(row["before"])) == tuple(row["before"])
            if consistent:
                assert judge_state(lying)[0] == DIFFERENT


def test_each_name_claims_the_rows_that_it_explains_and_no_others() -> None:
    """Rows with something that is gone, in which that makes no difference, are not counted as if it did."""
    verdicts = Counter(judge_state(row)[0] for row in read_rows(RECORDED))
    assert verdicts == {
        SAME: 2663,
        "statuses-follow": 3579,
        "gone-bars-nobody": 600,
        "pf-or-vfs": 500,
        "firmest-hold": 8,
    }
