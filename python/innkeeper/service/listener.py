"""The unix socket: made by us in place of a dead daemon's, or handed over by the service manager."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from innkeeper.errors import BadConfig, SocketInUse

MODE: Final = 0o660
"""The daemon's user and group; what each may do there is `[access]`'s to say."""

_FIRST_INHERITED: Final = 3
_PROBE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that accepts connections, and the file that is ours to remove."""

    socket: socket.socket
    path: Path
    file: tuple[int, int] | None
    """Device and inode; null for a socket that somebody else made."""

    def remove_file(self) -> None:
        """Remove the socket's file, unless another has taken its place; safe to call twice."""
        with suppress(OSError):
            if self.file is not None and _identity(self.path) == self.file:
                self.path.unlink()


def inherited_listener(environ: Mapping[str, str]) -> Listener | None:
    """The socket that the service manager opened for us (sd_listen_fds(3)), if it did.

    Raises:
        BadConfig: it handed over something else than one listening unix socket.
    """
    count = environ.get("LISTEN_FDS", "0")
    if environ.get("LISTEN_PID") != str(os.getpid()) or count == "0":
        return None
    if count != "1":
        raise _bad_inheritance(f"{count} sockets")
    try:
        inherited = socket.socket(fileno=_FIRST_INHERITED)
    except OSError as error:
        raise _bad_inheritance("something that is no socket") from error
    os.set_inheritable(_FIRST_INHERITED, False)
    if inherited.family != socket.AF_UNIX or not _listens(inherited):
        raise _bad_inheritance("a socket that is no listening unix stream socket")
    inherited.setblocking(False)
    return Listener(inherited, Path(os.fsdecode(inherited.getsockname())), None)


def _listens(candidate: socket.socket) -> bool:
    stream = candidate.type == socket.SOCK_STREAM
    return stream and candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def _bad_inheritance(what: str) -> BadConfig:
    message = f"the service manager handed over {what}; it should be one ListenStream= path"
    return BadConfig(message, errors=[{"path": "socket", "message": message}])


def make_listener(path: Path) -> Listener:
    """Bind the path; a socket that nobody listens on any more is replaced.

    Raises:
        SocketInUse: somebody listens there, or it is no socket.
        BadConfig: it cannot be made there.
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with _turn_in(path.parent):
            _remove_stale(path)
            return _bind(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadConfig(
            f"cannot listen at {path}: {reason}; name another place with --socket",
            path=str(path),
            errors=[{"path": "socket", "message": reason}],
        ) from error


@contextmanager
def _turn_in(directory: Path) -> Iterator[None]:
    """Let two daemons that start at once not remove each other's socket."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SocketInUse(
            f"another daemon is starting in {directory} at this moment; try again",
            path=str(directory),
        ) from None
    finally:
        os.close(descriptor)


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SocketInUse(f"{path} is there and is no socket; it is left alone", path=str(path))
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        outcome = probe.connect_ex(os.fspath(path))
    if outcome not in (errno.ECONNREFUSED, errno.ENOENT):
        raise SocketInUse(
            f"another daemon listens at {path}. Stop it, or give this one another place with "
            "--socket",
            path=str(path),
        )
    path.unlink(missing_ok=True)


def _bind(path: Path) -> Listener:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        # The file takes the descriptor's mode less the umask, so it is never wider than it should be.
        os.fchmod(made.fileno(), MODE)
        made.bind(os.fspath(path))
        path.chmod(MODE)
        made.listen(socket.SOMAXCONN)
        return Listener(made, path, _identity(path))
    except BaseException:
        made.close()
        raise


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
