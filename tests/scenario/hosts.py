"""Hosts that change under a running tracker."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import anyio

from innkeeper.clock import Clock
from innkeeper.drivers.base import Change
from innkeeper.drivers.simulated import simulated
from innkeeper.objects import Host, PciFunction

SPEC = "cpus=8,cells=2,memory=16GiB,pfs=2,vfs=2,gpus=1"


class HostOfSpec:
    """A driver over a simulated host; a test gives it other words, edits functions, and says so."""

    def __init__(self, spec: str = SPEC) -> None:
        self.host: Host = simulated(spec)
        self._arrived = anyio.Event()

    def become(self, spec: str) -> None:
        """Another host, made of other objects."""
        self.host = simulated(spec)

    def edit(self, address: str, **changes: object) -> None:
        """One function becomes another."""
        self._replace(lambda one: one.model_copy(update=changes) if one.address == address else one)

    def unplug(self, address: str) -> None:
        """It and what hangs on it are gone."""
        left = [one for one in self.host.functions if address not in (one.address, one.parent)]
        self.host = self.host.model_copy(update={"functions": tuple(left)})

    def _replace(self, change: Callable[[PciFunction], PciFunction]) -> None:
        functions = tuple(map(change, self.host.functions))
        self.host = self.host.model_copy(update={"functions": functions})

    def observe(self) -> Host:
        return self.host

    async def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            yield Change("a test says so")

    def tell(self) -> None:
        """As the kernel would."""
        self._arrived.set()


async def until(seen: Callable[[], bool]) -> None:
    """What threads and child processes do comes when it comes; a test waits for it."""
    with anyio.fail_after(20):
        while not seen():
            await anyio.sleep(0.002)
