"""The slow model of Nova answers every recorded row as Nova did, defects included.

What innkeeper does otherwise is then the model with one named correction, see `test_pci.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.vectors.pci.nova_pools import matches_any
from tests.vectors.pci.nova_replay import answer, steps
from tests.vectors.rows import Row, read_rows

RECORDED = Path(__file__).resolve().parents[1] / "data" / "vectors" / "pci"
FAMILIES = (
    "plain",
    "multipool",
    "numa_required",
    "numa_legacy",
    "numa_preferred",
    "numa_socket",
    "pfvf",
    "vdpa",
    "remote_managed",
    "live_migratable",
    "multi_request",
    "placement",
    "big",
)
SEQUENCES = ("fill_free", "tracker", "corner")
ANSWERS = (
    "claim",
    "config_error",
    "pools_before",
    "supported",
    "scheduler_supported",
    "scheduler_apply",
    "has_remote_managed_pools",
    "has_remote_managed_pools_scheduler",
)


def rows_of(name: str) -> list[Row]:
    return list(read_rows(RECORDED / f"{name}.jsonl.gz"))


@pytest.mark.parametrize("family", FAMILIES)
def test_claims(family: str) -> None:
    rows = rows_of(family)
    assert rows
    for row in rows:
        assert answer(row) == {key: row[key] for key in ANSWERS if key in row}, row["id"]


@pytest.mark.parametrize("family", SEQUENCES)
def test_sequences(family: str) -> None:
    rows = rows_of(family)
    assert rows
    for row in rows:
        for number, (step, then) in enumerate(zip(row["steps"], steps(row), strict=True)):
            assert then == step["then"], f"{row['id']}, step {number}"


def test_property_match() -> None:
    rows = rows_of("prop_match")
    assert rows
    for row in rows:
        assert matches_any(row["pool"], row["specs"]) is row["matched"], row["id"]
