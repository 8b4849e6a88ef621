"""The shape of every class and version is recorded: it cannot change by accident."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from innkeeper.objects.describe import fingerprints

RECORDED = Path(__file__).parents[2] / "data" / "fingerprints.json"

ADVICE = """\
{what}

A field was added, removed or changed in a version that others already read and write.
- If the change is meant: give the class a new VERSION, say in its HISTORY what that version brought, and record it with
    python tests/unit/objects/test_fingerprints.py
  The fingerprints of the older versions must stay as they are.
- If it is not meant: take it back.
- Only a version that no release and no database has ever seen may be recorded anew.
"""


def test_no_recorded_version_changed_its_shape() -> None:
    recorded, now = json.loads(RECORDED.read_text()), fingerprints()
    changed = [
        f"{name} {version} is not what it was"
        for name, versions in recorded.items()
        for version, mark in versions.items()
        if now.get(name, {}).get(version) != mark
    ]
    assert not changed, ADVICE.format(what="\n".join(changed))


def test_every_version_is_recorded() -> None:
    recorded, now = json.loads(RECORDED.read_text()), fingerprints()
    missing = [
        f"{name} {version} is not recorded"
        for name, versions in now.items()
        for version in versions
        if version not in recorded.get(name, {})
    ]
    assert not missing, ADVICE.format(what="\n".join(missing))


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(fingerprints(), indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"recorded in {RECORDED}\n")
