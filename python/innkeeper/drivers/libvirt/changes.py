"""libvirt's news of devices, gathered to changes of the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Any, Final, TypeVarTuple

import anyio
import anyio.to_thread
import libvirt
import structlog

from innkeeper.clock import Clock
from innkeeper.drivers.base import Change
from innkeeper.drivers.libvirt.calls import Device, Handle
from innkeeper.drivers.libvirt.connection import Connection, is_unsupported
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.errors import HostUnreadable

Words = TypeVarTuple("Words")

log = structlog.get_logger(__name__)

QUIET: Final = 0.2
"""Seconds between the first news and the change that is told, so that what comes together is told together."""

TRY_AGAIN: Final = 5.0
"""Seconds between two attempts to be told again after a connection was lost."""

_LONGEST_NAME: Final = 80


class News:
    """What libvirt's thread says, for the event loop that it was made in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._came = anyio.Event()
        self._first = ""
        self._count = 0
        self.is_lost = False
        """Whether the connection is: nothing more will come."""

    def tell(self, words: str) -> None:
        """A device came, went or changed; called in any thread."""
        self._call(self._take_in, words)

    def lose(self) -> None:
        """The connection is lost; called in any thread."""
        self._call(self._end)

    def _call(self, take: Callable[[*Words], None], *words: *Words) -> None:
        # The loop may be over before libvirt knows.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(take, *words)

    def _take_in(self, words: str) -> None:
        self._first = self._first or words
        self._count += 1
        self._came.set()

    def _end(self) -> None:
        self.is_lost = True
        self._came.set()

    async def wait(self) -> None:
        """Until something was told."""
        await self._came.wait()

    def take(self) -> Change | None:
        """All that was told since the last time."""
        first, count = self._first, self._count
        self._came, self._first, self._count = anyio.Event(), "", 0
        if not count:
            return None
        return Change(f"{first}, and {count - 1} more events" if count > 1 else first)


class Subscription:
    """Has libvirt tell its news; both calls wait for libvirt, so they are for a thread."""

    def __init__(self, uri: str, news: News) -> None:
        self._connection = Connection(uri)
        self._news = news
        self._numbers: list[int] = []

    def begin(self) -> bool:
        """Whether there will be news.

        Raises:
            HostUnreadable: libvirt does not answer.
        """
        try:
            self._connection.ask(self._begin)
        except HostUnreadable as error:
            if is_unsupported(error.__cause__):
                return False
            raise
        return True

    def end(self) -> None:
        """No more of it."""
        with suppress(HostUnreadable):
            self._connection.ask(self._end)

    def _begin(self, handle: Handle) -> None:
        events = libvirt.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE, libvirt.VIR_NODE_DEVICE_EVENT_ID_UPDATE
        news = self._news
        self._numbers = [
            handle.nodeDeviceEventRegisterAny(None, event, _told, news) for event in events
        ]
        # Drivers within this process lose no connection.
        with suppress(libvirt.libvirtError):
            handle.registerCloseCallback(_closed, news)

    def _end(self, handle: Handle) -> None:
        with suppress(libvirt.libvirtError):
            for number in self._numbers:
                handle.nodeDeviceEventDeregisterAny(number)
            handle.unregisterCloseCallback()


def _told(_handle: object, device: Device, *said: Any) -> None:
    """Of a lifecycle event its kind and a detail come before the news, of an update nothing does."""
    *kind, news = said
    event = _EVENTS.get(kind[0], "event") if kind else "changed"
    news.tell(printable(f"{device.name()} {event}")[:_LONGEST_NAME])


def _closed(_handle: object, _reason: int, news: News) -> None:
    news.lose()


_EVENTS: Final = {
    libvirt.VIR_NODE_DEVICE_EVENT_CREATED: "created",
    libvirt.VIR_NODE_DEVICE_EVENT_DELETED: "deleted",
}


async def device_changes(uri: str, clock: Clock) -> AsyncGenerator[Change, None]:
    """One item for each burst of news, and one when libvirt answers again after it did not.

    Ends at once where libvirt's driver has no news of devices.
    """
    has_missed = False
    while True:
        news = News()
        subscription = Subscription(uri, news)
        try:
            if not await anyio.to_thread.run_sync(subscription.begin):
                return
        except HostUnreadable as error:
            if not has_missed:
                log.warning("no news of devices", reason=error.message, remains="the audit")
            has_missed = True
            await clock.sleep(TRY_AGAIN)
            continue
        if has_missed:
            yield Change("libvirt answers again")
        async with aclosing(_heard(subscription, news, clock)) as changes:
            async for change in changes:
                yield change
        has_missed = True


async def _heard(
    subscription: Subscription, news: News, clock: Clock
) -> AsyncGenerator[Change, None]:
    """Until the connection is lost."""
    try:
        while not news.is_lost:
            await news.wait()
            await clock.sleep(QUIET)
            if change := news.take():
                yield change
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(subscription.end)
