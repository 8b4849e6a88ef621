"""What a daemon that has become ready says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from innkeeper.api.views import HostView


@dataclass(frozen=True, slots=True)
class Listening:
    """Where it listens, where it keeps its state, and what it sees."""

    socket: Path
    state_directory: Path
    view: HostView
