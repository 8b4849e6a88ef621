"""A connection to libvirt that is read-only, is opened again after it was lost, and never waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final, TypeVar

import libvirt

from innkeeper.drivers.libvirt.calls import Handle
from innkeeper.drivers.libvirt.event_loop import start_event_loop
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.errors import HostUnreadable

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds that libvirt may take for one question; a first connection takes ten, thousands of devices likewise."""

ASK_AFTER: Final = 5
MISSED: Final = 3
"""A daemon that is dead or stopped is noticed after so many silences of so many seconds."""


class Connection:
    """Asks one libvirt; one question at a time.

    libvirt's calls cannot be cut short. So each question has a thread of its own, which is left behind
    when it takes too long; until it comes back nothing else is asked, so that at most one waits.
    """

    def __init__(self, uri: str, patience: float = PATIENCE) -> None:
        self._uri = uri
        self._patience = patience
        self._handle: Handle | None = None
        self._asked: Future[None] | None = None
        """Done when the thread of the last question is."""

    def ask(self, question: Callable[[Handle], T]) -> T:
        """What the question gets of an open connection.

        Raises:
            HostUnreadable: there is no connection, it was lost, or there was no answer in time.
        """
        if self._asked is not None and not self._asked.done():
            raise self._unreadable("has not answered an earlier question yet")
        answer: Future[T] = Future()
        asked: Future[None] = Future()
        self._asked = asked

        def run() -> None:
            try:
                answer.set_result(question(self._opened()))
            except BaseException as error:
                answer.set_exception(error)
            finally:
                asked.set_result(None)

        threading.Thread(target=run, name="libvirt-question", daemon=True).start()
        return self._wait(answer)

    def _wait(self, answer: Future[T]) -> T:
        try:
            return answer.result(self._patience)
        except TimeoutError:
            problem = f"did not answer within {self._patience:g} s"
            raise self._unreadable(problem) from None
        except libvirt.libvirtError as error:
            raise self._unreadable(f"gives no answer: {error}") from error

    def _opened(self) -> Handle:
        if self._handle is None or not self._is_alive(self._handle):
            # The event loop is there first: a connection that is opened without it never hears of anything.
            start_event_loop()
            self._handle = None
            handle: Handle = libvirt.openReadOnly(self._uri)
            # Drivers within this process have nobody to keep alive.
            with suppress(libvirt.libvirtError):
                handle.setKeepAlive(ASK_AFTER, MISSED)
            self._handle = handle
        return self._handle

    @staticmethod
    def _is_alive(handle: Handle) -> bool:
        with suppress(libvirt.libvirtError):
            return bool(handle.isAlive())
        return False

    def _unreadable(self, problem: str) -> HostUnreadable:
        message = printable(f"libvirt at {self._uri} {problem}")
        return HostUnreadable(message, uri=self._uri)


def is_unsupported(error: BaseException | None) -> bool:
    """Whether libvirt's driver has no such call at all."""
    if not isinstance(error, libvirt.libvirtError):
        return False
    return bool(error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT)


def is_gone(error: libvirt.libvirtError) -> bool:
    """Whether what was asked about is no longer there."""
    gone = (libvirt.VIR_ERR_NO_NODE_DEVICE, libvirt.VIR_ERR_NO_DOMAIN)
    return error.get_error_code() in gone
