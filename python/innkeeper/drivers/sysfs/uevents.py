"""The kernel's own news of devices: uevents, as they come over netlink.

Watched are PCI functions (plugged, removed, bound, their VFs made), their network devices, vDPA devices, CPUs,
cells and blocks of memory (brought online, taken offline). Network devices without hardware below them come
and go with every guest and mean nothing here. Bridges, bonds, routes and mounts make no uevents, nor do
hugepages: what the host itself needs is looked at again by the audit.

The kernel sends uevents to the network namespaces of the host's own user namespace alone (lib/kobject_uevent.c
of Linux); in others nothing comes, and the audit remains.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.to_thread
import structlog

from innkeeper.clock import Clock
from innkeeper.drivers.base import Change
from innkeeper.drivers.sysfs.location import functions_on
from innkeeper.drivers.sysfs.notes import printable

log = structlog.get_logger(__name__)

QUIET: Final = 0.2
"""Seconds without an event that end a burst."""

MOST_PAUSES: Final = 4
"""A burst that does not end is told after as many of these."""

_NETLINK_KOBJECT_UEVENT: Final = 15
_FROM_KERNEL: Final = 1
"""The group that the kernel sends to; udev uses another."""

#: Bytes; the kernel makes none above 2 KiB of variables and a path (UEVENT_BUFFER_SIZE of linux/kobject.h).
_LARGEST: Final = 8192
#: Room for some thousand events, so that a PF may lose all its VFs at once. The kernel may give less.
_ROOM: Final = 4 * 1024 * 1024
#: Taken in one go, so that a flood does not hold up the event loop.
_MOST_AT_ONCE: Final = 1024

UEVENTS_MADE: Final = "sys/kernel/uevent_seqnum"
"""Where the kernel says how many uevents it has made, below the root."""

_SUBSYSTEMS: Final = frozenset({"pci", "vdpa", "cpu", "node", "memory"})
_LONGEST_WORDS: Final = 120


@dataclass(frozen=True, slots=True)
class Uevent:
    """What one message says."""

    action: str
    path: str
    """Of the device, from /sys on."""
    subsystem: str

    @classmethod
    def parse(cls, message: bytes) -> Uevent | None:
        """`ACTION@PATH` and variables, each ended by a zero byte; null for anything else."""
        head, *variables = message.decode("utf-8", "replace").split("\0")
        action, at, path = head.partition("@")
        subsystem = next((one for one in variables if one.startswith("SUBSYSTEM=")), "")
        if not at or not re.fullmatch(r"[a-z]{1,16}", action) or not subsystem:
            return None
        return cls(action, path, subsystem.partition("=")[2])

    @property
    def matters(self) -> bool:
        """Whether an observation may see another host after it."""
        if self.subsystem == "net":
            return bool(functions_on(self.path))
        return self.subsystem in _SUBSYSTEMS

    def words(self) -> str:
        """For the log, such as `pci remove 0000:41:10.2`."""
        name = self.path.rpartition("/")[2]
        return printable(f"{self.subsystem} {self.action} {name}")[:_LONGEST_WORDS]


class Burst:
    """Events that are told as one change."""

    def __init__(self) -> None:
        self._first = ""
        self._events = 0
        self._lost = 0

    def __len__(self) -> int:
        """Events, and times that some were lost."""
        return self._events + self._lost

    def add(self, event: Uevent) -> None:
        """Count an event that matters."""
        self._first = self._first or event.words()
        self._events += 1

    def add_loss(self) -> None:
        """Count that nobody knows what else there was."""
        self._lost += 1

    def change(self) -> Change:
        """All of them."""
        parts = [
            self._first,
            f"and {self._events - 1} more events" if self._events > 1 else "",
            "some events were lost" if self._lost else "",
        ]
        return Change(", ".join(part for part in parts if part))


class Receiver:
    """A netlink socket that kernel events come to."""

    def __init__(self, room: int = _ROOM) -> None:
        """Open it.

        Raises:
            OSError: it is not allowed here.
        """
        self.socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            _NETLINK_KOBJECT_UEVENT,
        )
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            self.socket.bind((0, _FROM_KERNEL))
        except OSError:
            self.socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    async def wait(self) -> None:
        """Until there is something to take."""
        await anyio.wait_readable(self.socket)

    def take(self, burst: Burst) -> bool:
        """Add what has come to a burst, without waiting; whether any of it matters."""
        before = len(burst)
        for _ in range(_MOST_AT_ONCE):
            try:
                message, _, flags, (sender, _) = self.socket.recvmsg(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                burst.add_loss()
                continue
            # Whoever may send to this socket can say anything; the kernel is number 0.
            if sender == 0:
                _take_in(burst, message, flags)
        return len(burst) > before


def _take_in(burst: Burst, message: bytes, flags: int) -> None:
    if flags & socket.MSG_TRUNC:
        burst.add_loss()
        return
    event = Uevent.parse(message)
    if event is not None and event.matters:
        burst.add(event)


def _uevents_made() -> int | None:
    try:
        return int(Path("/", UEVENTS_MADE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


async def kernel_changes(clock: Clock, since: int | None = None) -> AsyncGenerator[Change, None]:
    """One item for each burst of uevents that matter; one at once when there were any after `since`.

    `since` is how many the kernel had made before the last observation. A burst ends with the first pause of
    `QUIET`, and is told after `MOST_PAUSES` of them at the latest. Ends at once, with one warning in the log,
    where no netlink is allowed.
    """
    try:
        receiver = Receiver()
    except OSError as error:
        log.warning("no news of devices", error=error.strerror, remains="the audit")
        return
    with receiver:
        if since is not None and since != await anyio.to_thread.run_sync(_uevents_made):
            yield Change("events since the last observation")
        while True:
            await receiver.wait()
            burst = Burst()
            if receiver.take(burst):
                await _let_end(receiver, burst, clock)
                yield burst.change()


async def _let_end(receiver: Receiver, burst: Burst, clock: Clock) -> None:
    for _ in range(MOST_PAUSES):
        await clock.sleep(QUIET)
        if not receiver.take(burst):
            return
