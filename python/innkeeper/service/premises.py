"""Where the daemon lives and by which words: all that is known before anything runs."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from innkeeper.config import Config
from innkeeper.config.places import config_path, socket_path, state_directory
from innkeeper.errors import BadConfig
from innkeeper.requests.checking import load_checked
from innkeeper.service.node_name import node_name

DATABASE_NAME: Final = "innkeeper.sqlite3"


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says; null is "as the environment and the defaults say"."""

    config_path: Path | None = None
    state_dir: Path | None = None
    socket_path: Path | None = None
    root: str | None = None
    """A folder with sys/ and proc/, or a capture, instead of this machine."""
    simulate: str | None = None
    """The spec of a host that does not exist."""
    adopt_state: bool = False
    """Take over a ledger that is another machine's."""


@dataclass(frozen=True, slots=True)
class Premises:
    """The options with every default filled in; the state directory exists."""

    config_path: Path | None
    config: Config
    node: str
    state_directory: Path
    socket_path: Path
    open_to_others: bool
    """Whether others than the daemon's user may look into the state directory."""

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.state_directory / DATABASE_NAME

    @property
    def disk_path(self) -> str:
        """Where the disks of instances are."""
        return self.config.disk.path or str(self.state_directory)


def lay_premises(options: ServeOptions, environ: Mapping[str, str]) -> Premises:
    """Read the configuration and make the state directory.

    Raises:
        BadConfig: the configuration is wrong, a path is too long, or a folder cannot be made.
    """
    file = config_path(environ, options.config_path)
    config = load_checked(file, environ)
    state = state_directory(environ, options.state_dir).absolute()
    path = socket_path(environ, state, options.socket_path)
    _make_private(state)
    return Premises(
        config_path=file,
        config=config,
        node=node_name(config.node, state),
        state_directory=state,
        socket_path=path,
        open_to_others=bool(stat.S_IMODE(state.stat().st_mode) & 0o077),
    )


def _make_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from error
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(directory, "it may not be written to")


def _unusable(directory: Path, reason: str) -> BadConfig:
    return BadConfig(
        f"the state directory {directory} cannot be used: {reason}; name another with --state-dir",
        path=str(directory),
        errors=[{"path": "state_dir", "message": reason}],
    )
