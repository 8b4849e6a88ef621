"""The other interpreter, with Nova in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-interop" / "bin" / "python"

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def nova() -> Iterator[Ask]:
    """Asks Nova's own classes; the tests are skipped where they are not installed."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON.parent.parent.name} is not there: `make interop` sets it up")
    script = Path(__file__).with_name("peer.py")
    with subprocess.Popen(
        [PYTHON, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines_in, lines_out = process.stdin, process.stdout

        def ask(**request: Any) -> dict[str, Any]:
            lines_in.write(json.dumps(request) + "\n")
            lines_in.flush()
            answer: dict[str, Any] = json.loads(lines_out.readline())
            return answer

        yield ask
        lines_in.close()
