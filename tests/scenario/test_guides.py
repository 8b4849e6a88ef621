"""What the guides show is what happens: their commands are run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
GUEST = "2f1a6f0e-7e7b-4c57-9d0c-6a1f1f0c9a01"

#: A command that fails ends it, and no daemon outlives it.
FRAME = """
set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
{commands}
a claims --all -o json > a.json
b claims --all -o json > b.json
a audit run -o json > a-audit.json
b audit run -o json > b-audit.json
"""


def run(guide: str, folder: Path) -> None:
    """Every block of shell of a guide, in one shell."""
    text = (GUIDES / guide).read_text()
    commands = "\n".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    command = folder / "bin" / "innkeeper"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m innkeeper "$@"\n')
    command.chmod(0o755)
    environ = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    environ = {key: value for key, value in environ.items() if not key.startswith("INNKEEPER_")}
    ran = subprocess.run(
        ["bash", "-c", FRAME.format(commands=commands)],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


def claims(folder: Path, name: str) -> list[tuple[str, str, str, int]]:
    """Kind of move, its state, the claim's state and vCPUs, oldest first."""
    found: list[dict[str, Any]] = json.loads((folder / name).read_text())
    return [
        (
            claim["move"]["kind"] if claim["move"] else "",
            claim["move"]["state"] if claim["move"] else "",
            claim["state"],
            claim["placement"]["vcpus"],
        )
        for claim in sorted(found, key=lambda claim: str(claim["created_at"]))
    ]


@pytest.mark.timeout(300)
def test_an_instance_is_moved_as_the_guide_says(tmp_path: Path) -> None:
    run("moving-an-instance.md", tmp_path)
    assert claims(tmp_path, "a.json") == [
        ("resize", "confirmed", "released", 2),
        ("live-migration", "confirmed", "released", 6),
        ("evacuation", "confirmed", "confirmed", 6),
    ]
    assert claims(tmp_path, "b.json") == [
        ("migration", "reverted", "released", 6),
        ("evacuation", "confirmed", "released", 6),
    ]
    for name in ("a-audit.json", "b-audit.json"):
        assert json.loads((tmp_path / name).read_text())["findings"] == []


def test_a_tracker_in_ones_own_process(tmp_path: Path) -> None:
    text = (GUIDES / "library.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", text, flags=re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    # Its log goes the same way: the program set up none.
    said = [line for line in ran.stdout.splitlines() if not line.startswith("20")]
    assert said == shown.splitlines()
    assert list(tmp_path.iterdir()) == []
