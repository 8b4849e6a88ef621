"""What every test has: a guard against a blocked event loop, and room for sockets."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx


@pytest.fixture(autouse=True)
def loop_never_blocks() -> Iterator[None]:
    """Code of ours that blocks in a running event loop raises `BlockingError` there."""
    with blockbuster_ctx(scanned_modules=["innkeeper"]):
        yield


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose path leaves room in the 107 bytes of a unix socket's path."""
    made = Path(tempfile.mkdtemp(prefix="ik-"))
    yield made
    shutil.rmtree(made)
