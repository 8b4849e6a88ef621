"""Where files are: configuration, state and socket.

The daemon works without root and without a configuration: state under `$STATE_DIRECTORY`, else
`$XDG_STATE_HOME/innkeeper`; the socket under `$RUNTIME_DIRECTORY`, else `$XDG_RUNTIME_DIR/innkeeper`,
else beside the state. systemd sets the two `*_DIRECTORY` variables, perhaps to several paths with
colons between (systemd.exec(5)); the first is ours. Relative XDG paths are ignored, as the XDG base
directory specification asks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from innkeeper.config.environment import PREFIX
from innkeeper.errors import BadConfig

SYSTEM_CONFIG = Path("/etc/innkeeper/innkeeper.toml")
SYSTEM_SOCKET = Path("/run/innkeeper/api.sock")
SOCKET_NAME = "api.sock"

#: Bytes of a path that fit into `sun_path` beside its final NUL (unix(7)).
SOCKET_PATH_LIMIT = 107


def config_path(
    environ: Mapping[str, str], given: Path | None = None, *, prefix: str = PREFIX
) -> Path | None:
    """The file to load: the given one, else `$INNKEEPER_CONFIG`, else the system's if it exists."""
    named = given or _path(environ.get(f"{prefix}CONFIG"))
    if named is not None:
        return named
    return SYSTEM_CONFIG if os.access(SYSTEM_CONFIG, os.F_OK) else None


def state_directory(environ: Mapping[str, str], given: Path | None = None) -> Path:
    """Where the daemon keeps its database; it may not exist yet.

    Raises:
        BadConfig: nothing in the environment says where.
    """
    if given is not None:
        return given
    ours = _of_systemd(environ, "STATE_DIRECTORY")
    return ours or _state_home(environ) / "innkeeper"


def socket_path(environ: Mapping[str, str], state: Path, given: Path | None = None) -> Path:
    """Where the daemon listens.

    Raises:
        BadConfig: the path is longer than a unix socket's may be.
    """
    runtime = _of_systemd(environ, "RUNTIME_DIRECTORY") or _xdg_runtime(environ) or state
    return require_short(given or runtime / SOCKET_NAME)


def client_sockets(
    environ: Mapping[str, str], given: Path | None = None, *, prefix: str = PREFIX
) -> tuple[Path, ...]:
    """Where a client looks for the daemon, in this order.

    Who names a socket, by option or by `$INNKEEPER_SOCKET`, means that one and no other.

    Raises:
        BadConfig: the socket that was named has too long a path.
    """
    named = given or _path(environ.get(f"{prefix}SOCKET"))
    if named is not None:
        return (require_short(named),)
    runtime = _xdg_runtime(environ)
    places = [
        SYSTEM_SOCKET,
        *([runtime / SOCKET_NAME] if runtime else []),
        *_state_sockets(environ),
    ]
    return tuple(dict.fromkeys(place for place in places if _length(place) <= SOCKET_PATH_LIMIT))


def require_short(path: Path) -> Path:
    """The path itself, if a unix socket can have it.

    Raises:
        BadConfig: it is too long; the message says by how much and what to do.
    """
    length = _length(path)
    if length <= SOCKET_PATH_LIMIT:
        return path
    raise BadConfig(
        f"socket path {path} has {length} bytes; a unix socket's has at most {SOCKET_PATH_LIMIT}. "
        f"Name a shorter one with --socket, such as {SYSTEM_SOCKET} or /tmp/innkeeper.sock",
        path=str(path),
        length=length,
        limit=SOCKET_PATH_LIMIT,
        errors=[{"path": "socket", "message": f"{length} bytes, at most {SOCKET_PATH_LIMIT}"}],
    )


def _length(path: Path) -> int:
    return len(os.fsencode(path))


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _of_systemd(environ: Mapping[str, str], variable: str) -> Path | None:
    return _path(environ.get(variable, "").partition(":")[0])


def _xdg(environ: Mapping[str, str], variable: str) -> Path | None:
    path = _path(environ.get(variable))
    return path if path is not None and path.is_absolute() else None


def _xdg_runtime(environ: Mapping[str, str]) -> Path | None:
    home = _xdg(environ, "XDG_RUNTIME_DIR")
    return home / "innkeeper" if home else None


def _state_home(environ: Mapping[str, str]) -> Path:
    home = _path(environ.get("HOME"))
    found = _xdg(environ, "XDG_STATE_HOME") or (home / ".local/state" if home else None)
    if found is None:
        raise BadConfig(
            "there is no place for state: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set; "
            "name one with --state-dir",
            errors=[{"path": "state_dir", "message": "not set"}],
        )
    return found


def _state_sockets(environ: Mapping[str, str]) -> tuple[Path, ...]:
    try:
        return (state_directory(environ) / SOCKET_NAME,)
    except BadConfig:
        return ()
