"""Nova's recorded answers to PCI claims, replayed.

`pci_replay.py` says when a row is the same; the slow model that explains the others is proved in
`test_pci_model.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.vectors.pci.corrections import CORRECTIONS
from tests.vectors.replay import ROOT, Counts, main, replay
from tests.vectors.rows import Row, read_rows

RECORDED = ROOT / "tests" / "data" / "vectors" / "pci"
DIFFERENCES = ROOT / "docs" / "differences-from-nova.md"
QUIRKS = 37

#: family -> rows
CLAIMS = {
    "plain": 360,
    "multipool": 360,
    "numa_required": 320,
    "numa_legacy": 320,
    "numa_preferred": 320,
    "numa_socket": 320,
    "pfvf": 420,
    "vdpa": 320,
    "remote_managed": 340,
    "live_migratable": 320,
    "multi_request": 420,
    "placement": 360,
    "big": 32,
}
OTHERS = {"fill_free": 320, "tracker": 420, "corner": 55, "prop_match": 500, "placement_view": 360}
FAMILIES = CLAIMS | OTHERS

#: family -> rows that speak of nothing innkeeper does, see `pci_replay.py`.
NOT_REPLAYED = {"prop_match": 383, "placement_view": 158}

#: Nova's answer that no correction turns into innkeeper's: the operator's word is refused.
REFUSED = "tags-refused"


def recorded(family: str) -> Path:
    return RECORDED / f"{family}.jsonl.gz"


@pytest.fixture(scope="module")
def replayed() -> Callable[[str], Counts]:
    """The counts of each family, made once."""
    known: dict[str, Counts] = {}

    def counts_of(family: str) -> Counts:
        if family not in known:
            known[family] = replay(recorded(family))
        return known[family]

    return counts_of


@pytest.mark.parametrize("family", FAMILIES)
def test_no_undocumented_difference(family: str, replayed: Callable[[str], Counts]) -> None:
    counts = replayed(family)
    assert counts.verdicts.total() == FAMILIES[family]
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])
    assert counts.verdicts["not replayed"] == NOT_REPLAYED.get(family, 0)


def test_every_difference_that_is_known_occurs_and_is_documented(
    replayed: Callable[[str], Counts],
) -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", DIFFERENCES.read_text(), re.MULTILINE))
    met = {
        name
        for family in FAMILIES
        for names in replayed(family).documented
        for name in names.split("+")
    }
    assert met == {*CORRECTIONS, REFUSED}
    assert met <= documented, f"not in {DIFFERENCES.name}: {sorted(met - documented)}"


def _other_claim(row: Row) -> Row:
    """Of two answers that cannot both be right one is recorded."""
    return row | {"supported": not row["supported"]}


def _other_devices(row: Row) -> Row:
    """What Nova chose, but for its last device."""
    return row | {"claim": row["claim"] | {"chosen": row["claim"]["chosen"][:-1]}}


def _other_pools(row: Row) -> Row:
    return row | {"claim": row["claim"] | {"pools": row["pools_before"]}}


def _other_step(row: Row) -> Row:
    *steps, last = row["steps"]
    return row | {"steps": [*steps, last | {"then": last["then"] | {"pools": []}}]}


def _other_match(row: Row) -> Row:
    return row | {"pool": {**row["pool"], "caps": "other"}, "specs": [{"caps": "another"}]}


def _other_view(row: Row) -> Row:
    return row | {"result": row["result"] | {"pools": []}}


def _claims_something(row: Row) -> bool:
    return bool(row["claim"].get("chosen"))


def _ends_with_pools(row: Row) -> bool:
    return bool(row["steps"][-1]["then"]["pools"])


@pytest.mark.parametrize(
    ("family", "wanted", "change"),
    [
        ("plain", _claims_something, _other_claim),
        ("pfvf", _claims_something, _other_devices),
        ("vdpa", _claims_something, _other_pools),
        ("fill_free", _ends_with_pools, _other_step),
        ("placement_view", lambda row: bool(row["result"].get("pools")), _other_view),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_another_answer_is_an_undocumented_difference(
    family: str,
    wanted: Callable[[Row], bool],
    change: Callable[[Row], Row],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is recorded is read, not only what the model makes of the row."""
    path = tmp_path / f"{family}.jsonl"
    row = next(row for row in read_rows(recorded(family)) if wanted(row))
    path.write_text(json.dumps(row))
    assert main([str(path)]) == 0
    path.write_text(json.dumps(change(row)))
    assert main([str(path)]) == 1
    assert "1 different" in capsys.readouterr().out


def test_every_quirk_is_accounted_for() -> None:
    """The table names each once, says whether it is kept or fixed, and tests that exist."""
    rows = list(_quirk_rows())
    assert [number for number, *_ in rows] == list(range(1, QUIRKS + 1))
    for number, verdict, shown in rows:
        assert verdict in ("kept", "fixed"), f"Q{number}: {verdict}"
        assert shown, f"Q{number} names no test"
        for path, name in shown:
            source = (ROOT / path).read_text()
            assert re.search(rf"\b(fn|def) {name}\(", source), f"Q{number}: {path}::{name}"


def _quirk_rows() -> Iterator[tuple[int, str, list[tuple[str, str]]]]:
    """Number, verdict, and file and name of each test."""
    section = DIFFERENCES.read_text().partition("### The 37 quirks")[2].partition("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].isdigit():
            shown = re.findall(r"`([\w/.-]+)::(\w+)`", cells[3])
            yield int(cells[0]), cells[2], shown
