"""One loop for everything that must happen at a time: lapsing claims and waits that end."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import anyio

from innkeeper.clock import Clock


@dataclass(order=True, slots=True)
class Alarm:
    """A call that is due at a monotonic time."""

    due: float
    order: int
    ring: Callable[[], None] = field(compare=False)
    void: bool = field(default=False, compare=False)


class Alarms:
    """Rings alarms in the order in which they are due; `run` must be running for that."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Alarm] = []
        self._order = count()
        self._earlier = anyio.Event()
        self._void = 0

    def after(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Ring after so many seconds, at once when they are not positive."""
        alarm = Alarm(self._clock.monotonic() + seconds, next(self._order), ring)
        heapq.heappush(self._heap, alarm)
        if self._heap[0] is alarm:
            self._earlier.set()
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Make it void; harmless after it rang. Void alarms never outnumber the others for long."""
        if not alarm.void:
            alarm.void = True
            self._void += 1
        if self._void > 64 and self._void > len(self._heap) // 2:
            self._heap = [kept for kept in self._heap if not kept.void]
            heapq.heapify(self._heap)
            self._void = 0

    async def run(self) -> None:
        """Ring until cancelled."""
        while True:
            self._earlier = anyio.Event()
            self._ring_due()
            await self._wait_next()

    def _ring_due(self) -> None:
        while self._heap and (self._heap[0].void or self._heap[0].due <= self._clock.monotonic()):
            alarm = heapq.heappop(self._heap)
            if alarm.void:
                self._void -= 1
            else:
                # From now on a late `cancel` must not count it among the void ones in the heap.
                alarm.void = True
                alarm.ring()

    async def _wait_next(self) -> None:
        if not self._heap:
            await self._earlier.wait()
            return
        # Taken now: when the sleeper starts, a cancel may have emptied the heap.
        delay = max(0.0, self._heap[0].due - self._clock.monotonic())
        async with anyio.create_task_group() as racing:
            racing.start_soon(self._sleep_then_cancel, delay, racing.cancel_scope)
            await self._earlier.wait()
            racing.cancel_scope.cancel()

    async def _sleep_then_cancel(self, delay: float, scope: anyio.CancelScope) -> None:
        await self._clock.sleep(delay)
        scope.cancel()
