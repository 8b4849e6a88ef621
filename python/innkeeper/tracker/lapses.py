"""Claims that end by themselves: not confirmed in time, lease not renewed, process gone."""

from __future__ import annotations

from collections import deque
from enum import Enum
from functools import partial
from uuid import UUID

import anyio

from innkeeper.clock import Clock
from innkeeper.objects import Claim
from innkeeper.tracker.alarms import Alarm, Alarms


class Cause(Enum):
    """Why a claim is due to end."""

    TIME = "time"
    PROCESS = "process"
    CALLER = "caller"
    """Who asked for it was cancelled while it was being written."""
    START = "start"
    """The daemon started: whether its process still runs is to be found out."""


class DueClaims:
    """Claims that are due to end, in the order in which they came due."""

    def __init__(self) -> None:
        self._queue: deque[tuple[UUID, Cause]] = deque()
        self._arrived = anyio.Event()

    def add(self, claim_id: UUID, cause: Cause) -> None:
        """This claim is due."""
        self._queue.append((claim_id, cause))
        self._arrived.set()

    async def wait_next(self) -> tuple[UUID, Cause]:
        """The next one, as soon as there is one."""
        while not self._queue:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._queue.popleft()


class Expiries:
    """One alarm for each claim that has a time at which it ends."""

    def __init__(self, alarms: Alarms, clock: Clock, due: DueClaims) -> None:
        self._alarms = alarms
        self._clock = clock
        self._due = due
        self._by_claim: dict[UUID, Alarm] = {}

    def arm(self, claim: Claim) -> None:
        """Follow this form of the claim; the alarm of an earlier form is void."""
        self.forget(claim.id)
        if claim.expires_at is not None and claim.state.live:
            seconds = (claim.expires_at - self._clock.now()).total_seconds()
            ring = partial(self._ring, claim.id)
            self._by_claim[claim.id] = self._alarms.after(seconds, ring)

    def forget(self, claim_id: UUID) -> None:
        """The claim ended or was armed anew."""
        alarm = self._by_claim.pop(claim_id, None)
        if alarm is not None:
            self._alarms.cancel(alarm)

    def _ring(self, claim_id: UUID) -> None:
        del self._by_claim[claim_id]
        self._due.add(claim_id, Cause.TIME)
