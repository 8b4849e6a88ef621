"""libvirt's own event loop, in a thread of its own: keepalive and news of devices need one."""

from __future__ import annotations

import threading
import time
from typing import Final

import libvirt

_PAUSE: Final = 1.0
"""Seconds after a failure, so that one that stays does not take a CPU."""


class _EventLoop:
    """There is one in a process, as in libvirt itself; it runs as long as the process does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            # What goes wrong is raised as well; libvirt would write it to stderr beside the log.
            libvirt.registerErrorHandler(lambda _context, _error: None, None)
            libvirt.virEventRegisterDefaultImpl()
            self._thread = threading.Thread(target=_run, name="libvirt-events", daemon=True)
            self._thread.start()


def _run() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except libvirt.libvirtError:
            time.sleep(_PAUSE)


_LOOP: Final = _EventLoop()


def start_event_loop() -> None:
    """Before the first connection is opened; later calls change nothing."""
    _LOOP.start()
