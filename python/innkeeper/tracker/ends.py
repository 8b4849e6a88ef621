"""Carries out the ends that nobody asked for."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import anyio
import structlog

from innkeeper.errors import InnkeeperError
from innkeeper.tracker.claims import Claims
from innkeeper.tracker.lapses import Cause
from innkeeper.tracker.parts import Parts

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
"""After an end that could not be written: the claim stays held until it is."""


class Ends:
    """Ends claims that are due; those that come due together share a write."""

    def __init__(self, parts: Parts, claims: Claims) -> None:
        self._parts = parts
        self._claims = claims

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as group:
            while True:
                claim_id, cause = await self._parts.due.wait_next()
                group.start_soon(self._end, claim_id, cause)

    async def _end(self, claim_id: UUID, cause: Cause) -> None:
        try:
            await self._claims.end_due(claim_id, cause)
        except InnkeeperError as error:
            log.warning("end of claim not written", claim=str(claim_id), code=error.code)
            again = partial(self._parts.due.add, claim_id, cause)
            self._parts.alarms.after(RETRY_SECONDS, again)
