"""Recorded answers of Nova and of the old releases, replayed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.vectors.replay import RECORDED, ROOT, main, replay

FILES = sorted(RECORDED.glob("*.jsonl.gz"))
DIFFERENCES = ROOT / "docs" / "differences-from-nova.md"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.partition(".")[0])
def test_no_undocumented_difference(path: Path) -> None:
    counts = replay(path)
    assert counts.verdicts.total() > 0
    assert counts.different == 0, "\n".join([str(counts), *counts.seen])


def test_every_difference_that_occurs_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z-]+)` \|", DIFFERENCES.read_text(), re.MULTILINE))
    met = {one for path in FILES for name in replay(path).documented for one in name.split("+")}
    assert met <= documented, f"not in {DIFFERENCES.name}: {sorted(met - documented)}"


def test_an_undocumented_difference_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = (
        '{"object": "PciDevicePool", "case": 0, "desc": "d", "method": "%s", "version": "1.1", '
        '"primitive": {"nova_object.name": "PciDevicePool", "nova_object.namespace": "nova", '
        '"nova_object.version": "1.1", "nova_object.data": {"count": %d}}}\n'
    )
    path = tmp_path / "PciDevicePool.jsonl"
    path.write_text(row % ("current", 1) + row % ("manifest", 1))
    assert main([str(path)]) == 0
    path.write_text(row % ("current", 1) + row % ("manifest", 2))
    assert main([str(path)]) == 1
    assert "2 rows, 1 same, 0 documented differences, 1 different" in capsys.readouterr().out


def test_a_further_file_may_lack_the_objects_it_speaks_of() -> None:
    assert main([str(RECORDED / "legacy_liberty.jsonl.gz")]) == 0
