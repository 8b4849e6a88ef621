"""One owner for each state directory."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from innkeeper.errors import StoreInUse

LOCK_NAME: Final = "innkeeper.lock"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The lock on a state directory; the kernel drops it with the process, however that ends."""

    descriptor: int

    def release(self) -> None:
        """Let others have it. The file stays: removing it would let two owners lock two files."""
        os.close(self.descriptor)


def take_ownership(directory: Path) -> Ownership:
    """Lock the state directory, making it when it is missing.

    Raises:
        StoreInUse: another process has it; the message has its pid.
        OSError: it cannot be made or written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / LOCK_NAME
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _write_pid(descriptor)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode(errors="replace").strip()
        os.close(descriptor)
        raise _in_use(directory, owner) from None
    except BaseException:
        os.close(descriptor)
        raise
    return Ownership(descriptor)


def _write_pid(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _in_use(directory: Path, owner: str) -> StoreInUse:
    pid = int(owner) if owner.isdecimal() else None
    who = f"process {pid}" if pid else "another process"
    return StoreInUse(
        f"{who} already keeps the state directory {directory}. Stop it, or give this one another "
        "directory with --state-dir",
        path=str(directory),
        pid=pid,
    )
