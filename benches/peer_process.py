"""The peer's half of a bench: a process of its own that answers lines of JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PEER_PYTHON = Path(__file__).parent.parent / ".venv-interop" / "bin" / "python"

Ask = Callable[..., dict[str, Any]]
"""Words by name to an answer."""


@contextmanager
def peer_process(script: str) -> Iterator[Ask]:
    """A script of this folder in the environment where Nova is installed."""
    with subprocess.Popen(
        [PEER_PYTHON, Path(__file__).with_name(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines_in, lines_out = process.stdin, process.stdout

        def ask(**words: Any) -> dict[str, Any]:
            lines_in.write(json.dumps(words) + "\n")
            lines_in.flush()
            answer: dict[str, Any] = json.loads(lines_out.readline())
            return answer

        yield ask
        process.stdin.close()
