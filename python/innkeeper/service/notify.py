"""News for the service manager (sd_notify(3)): datagrams to `$NOTIFY_SOCKET`."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Self

import structlog

from innkeeper.clock import Clock

log = structlog.get_logger(__name__)


class Notifier:
    """Tells the service manager how it goes; says nothing where there is none."""

    def __init__(self, address: str | None, watchdog_seconds: float | None) -> None:
        self._address = "\0" + address[1:] if address and address[0] == "@" else address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """As the service manager's variables say."""
        address = environ.get("NOTIFY_SOCKET", "")
        usable = address if address[:1] in ("/", "@") else None
        return cls(usable, _watchdog_seconds(environ))

    def ready(self, status: str) -> None:
        """Started, or done reading the configuration again."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """About to read the configuration again; the time lets the manager match the READY."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """About to end."""
        self._tell("STOPPING=1", f"STATUS={status}")

    async def feed_watchdog(self, clock: Clock) -> None:
        """Show that the event loop runs, twice as often as is asked for, until cancelled."""
        if self._address is None or self._watchdog_seconds is None:
            return
        while True:
            self._tell("WATCHDOG=1")
            await clock.sleep(self._watchdog_seconds / 2)

    def _tell(self, *news: str) -> None:
        if self._address is None:
            return
        try:
            # Never waits: a manager that does not read must not hold up the daemon.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as to:
                to.sendto("\n".join(news).encode(), self._address)
        except OSError as error:
            log.warning("service manager not told", news=news[0], error=str(error))


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    """The period that is asked of this very process (sd_watchdog_enabled(3))."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) else None
