"""The service's sign of life: one small transaction at every interval, where Nova's tables are kept."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

import structlog

from innkeeper.errors import InnkeeperError
from innkeeper.objects import ChangeSet, Event, EventKind
from innkeeper.objects.base import VersionedObject
from innkeeper.tracker.nova.service import BINARY
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.writing import Step

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 5.0
"""From the start to the first one, as in Nova."""


class Heartbeat:
    """Says that the service is there, until it is cancelled; fenced like every write."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._is_failing = False
        self.beats = 0
        """How often it was tried, whether or not it was written."""

    async def run(self) -> None:
        """Beat until cancelled; where there is no service to tell of, do nothing."""
        if self._parts.config.nova.tables == "none":
            return
        clock = self._parts.clock
        await clock.sleep(min(FIRST_SECONDS, self._parts.config.service.report_interval))
        while True:
            await self.beat()
            self.beats += 1
            await clock.sleep(self._parts.config.service.report_interval)

    async def beat(self) -> None:
        """One sign of life; that it cannot be written is told once, and once that it can again.

        Where somebody deleted the service's row it is made anew, which log and history tell.
        """
        try:
            if await self._is_there():
                await self._write(self._parts.writer.rows.of_beat())
            else:
                await self._bring_back()
        except InnkeeperError as error:
            if not self._is_failing:
                log.warning("heartbeat failed", code=error.code, error=error.message)
            self._is_failing = True
            return
        if self._is_failing:
            log.info("heartbeat is back")
        self._is_failing = False

    async def _is_there(self) -> bool:
        services = await self._parts.store.list_services(self._parts.service_host)
        return any(service.binary == BINARY for service in services)

    async def _bring_back(self) -> None:
        details = {"host": self._parts.service_host}
        event = Event(at=self._parts.clock.now(), kind=EventKind.SERVICE_RETURNED, details=details)
        await self._write(self._parts.writer.rows.of_return(), event)
        log.warning(
            "service was deleted from nova's tables and is back", host=self._parts.service_host
        )

    async def _write(self, records: tuple[VersionedObject, ...], *events: Event) -> None:
        parts = self._parts
        change_set = ChangeSet(id=uuid4(), node=parts.node, events=events, records=records)
        await parts.writer.write_step(Step(change_set))
