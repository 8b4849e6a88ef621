"""The service's sign of life: one small transaction at every interval, where Nova's tables are kept."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

import structlog

from innkeeper.errors import InnkeeperError
from innkeeper.objects import ChangeSet
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

    async def run(self) -> None:
        """Beat until cancelled; where there is no service to tell of, do nothing."""
        if self._parts.config.nova.tables == "none":
            return
        clock = self._parts.clock
        await clock.sleep(min(FIRST_SECONDS, self._parts.config.service.report_interval))
        while True:
            await self.beat()
            await clock.sleep(self._parts.config.service.report_interval)

    async def beat(self) -> None:
        """One sign of life; that it cannot be written is told once, and once that it can again."""
        parts = self._parts
        try:
            records = parts.writer.rows.of_beat()
            change_set = ChangeSet(id=uuid4(), node=parts.node, records=records)
            await parts.writer.write_step(Step(change_set))
        except InnkeeperError as error:
            if not self._is_failing:
                log.warning("heartbeat failed", code=error.code, error=error.message)
            self._is_failing = True
            return
        if self._is_failing:
            log.info("heartbeat is back")
        self._is_failing = False
