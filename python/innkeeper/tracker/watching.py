"""The host is looked at when it says that it changed, not only at the next audit."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import structlog

from innkeeper.drivers.base import Driver
from innkeeper.tracker.audit.audits import Audits
from innkeeper.tracker.parts import Parts

log = structlog.get_logger(__name__)

SETTLE_SECONDS = 0.2
"""Between a call and the look: whatever else is called for meanwhile is seen in the same one."""


class Watching:
    """Takes hints of the driver, and calls from inside, to an observation."""

    def __init__(self, parts: Parts, driver: Driver, audits: Audits) -> None:
        self._parts = parts
        self._driver = driver
        self._audits = audits

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen)
            group.start_soon(self._answer)

    async def _listen(self) -> None:
        """The driver gathers what belongs together by itself; without it, audits remain."""
        try:
            async with aclosing(self._driver.changes(self._parts.clock)) as changes:
                async for change in changes:
                    log.info("host changed", reason=change.reason)
                    await self._look()
        except Exception:
            log.exception("host no longer watched")

    async def _answer(self) -> None:
        while True:
            await self._parts.look_due.wait()
            await self._parts.clock.sleep(SETTLE_SECONDS)
            await self._look()

    async def _look(self) -> None:
        try:
            await self._audits.look()
        except Exception:
            log.exception("look at the host failed")
