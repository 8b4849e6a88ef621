"""Claims tied to a process: however it ends, the kernel tells us (pidfd, Linux 5.3)."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import anyio

from innkeeper.errors import BadRequest, HostUnreadable, InnkeeperError, InternalError
from innkeeper.objects import Process
from innkeeper.tracker.lapses import Cause, DueClaims

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def read_process(pid: int) -> Process:
    """Name a running process so that its pid cannot be mistaken for a later one's.

    Raises:
        BadRequest: no such process.
        HostUnreadable: there is one, but it cannot be looked at.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError as error:
        raise _unusable(pid, error) from error
    # The command in field 2 may hold spaces and parentheses: count from the last one.
    fields = stat.rpartition(b")")[2].split()
    boot_id = Path(BOOT_ID).read_text().strip()
    return Process(pid=pid, start_ticks=int(fields[19]), boot_id=boot_id)


@dataclass(slots=True)
class TiedProcess:
    """A running process held by its pidfd, so that its pid cannot come to mean another one."""

    process: Process
    _pidfd: int | None

    def take(self) -> int:
        """The pidfd, which is the caller's to close from now on; it can be taken once."""
        if self._pidfd is None:
            raise InternalError(f"the pidfd of process {self.process.pid} was taken before")
        pidfd, self._pidfd = self._pidfd, None
        return pidfd

    def close(self) -> None:
        """Let go of it, if nobody took it."""
        if self._pidfd is not None:
            os.close(self.take())


def tie(pid: int) -> TiedProcess:
    """Hold a running process.

    Raises:
        BadRequest: no such process.
        HostUnreadable: there may be one, but it cannot be looked at.
    """
    fd = _open_pidfd(pid)
    try:
        # Read after it was opened: from here on the pid cannot be given to another process.
        return TiedProcess(read_process(pid), fd)
    except BaseException:
        os.close(fd)
        raise


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        raise _unusable(pid, error) from error


def tie_again(process: Process) -> TiedProcess | None:
    """Hold the very process that an earlier daemon knew; null when it is gone for sure.

    Raises:
        HostUnreadable: it cannot be told; try again.
    """
    try:
        tied = tie(process.pid)
    except BadRequest:
        return None
    if tied.process == process:
        return tied
    tied.close()
    return None


class ProcessWatch:
    """One epoll over the pidfds of all tied processes: no task and no thread for each."""

    def __init__(self, due: DueClaims) -> None:
        self._due = due
        self._epoll = select.epoll()
        self._claims: dict[int, UUID] = {}
        self._fds: dict[UUID, int] = {}

    def watch(self, claim_id: UUID, pidfd: int) -> None:
        """The claim is due when this process ends; takes over the pidfd."""
        self._claims[pidfd] = claim_id
        self._fds[claim_id] = pidfd
        self._epoll.register(pidfd, select.EPOLLIN)

    def forget(self, claim_id: UUID) -> None:
        """The claim ended."""
        fd = self._fds.pop(claim_id, None)
        if fd is not None:
            del self._claims[fd]
            self._epoll.unregister(fd)
            os.close(fd)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await anyio.wait_readable(self._epoll.fileno())
            for fd, _ in self._epoll.poll(0):
                claim_id = self._claims[fd]
                self.forget(claim_id)
                self._due.add(claim_id, Cause.PROCESS)

    def close(self) -> None:
        """Let go of every process; safe to call twice."""
        for claim_id in tuple(self._fds):
            self.forget(claim_id)
        self._epoll.close()


def _unusable(pid: int, error: OSError) -> InnkeeperError:
    """Gone only when the kernel says so; no descriptor left, or no right to look, is something else."""
    if isinstance(error, ProcessLookupError | FileNotFoundError):
        return BadRequest(f"there is no process {pid} to tie the claim to", pid=pid)
    return HostUnreadable(
        f"process {pid} cannot be watched: {error.strerror}; the claim was not tied to it", pid=pid
    )
