"""Recorded answers: one JSON object a line, gzipped or not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Every row of a file."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def base_name(path: Path) -> str:
    """The name of a file without its endings."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")
