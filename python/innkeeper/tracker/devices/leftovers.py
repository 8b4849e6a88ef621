"""Processes of an earlier attempt, found by what their environment says.

A daemon that was killed leaves its commands running, and what hangs in the kernel outlives every signal:
while one of them may still write to a device, nobody gets it.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

DEATH_MS = 2000
"""Until a process that was killed is to be gone."""


def stop_leftovers(variables: Mapping[str, str]) -> int:
    """Kill every process that was started with all these variables; how many would not go.

    Blocks for a moment. Processes that may not be looked at are not ours.
    """
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    return sum(not _stop(pid, wanted) for pid in _processes() if _has(pid, wanted))


def _processes() -> Iterator[int]:
    return (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal())


def _has(pid: int, wanted: set[bytes]) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
    return wanted <= set(environment.split(b"\0"))


def _stop(pid: int, wanted: set[bytes]) -> bool:
    """Whether it is gone."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return True
    try:
        # Asked again: from here on the pid cannot come to mean another process.
        if _has(pid, wanted):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(DEATH_MS))
    except ProcessLookupError:
        return True
    finally:
        os.close(fd)
