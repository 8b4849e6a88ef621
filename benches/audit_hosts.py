"""A dense host with thousands of claims on it, as audits meet it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import anyio

from innkeeper.clock import Clock, SystemClock
from innkeeper.config import Config
from innkeeper.drivers.base import Change
from innkeeper.drivers.simulated import simulated
from innkeeper.drivers.still import no_changes
from innkeeper.objects import ClaimSpec, DeviceRequest, Holder, Host, Request
from innkeeper.objects.topology import GuestCell, GuestTopology
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

CELLS = 8
CPUS_OF_EACH = 160
DEDICATED_OF_EACH = 140
VFS = 4096
VF = {"vendor_id": "8086", "product_id": "1889"}
AT_ONCE = 64
"""Claims that wait together while a host is filled."""


def dense_host() -> Host:
    """1,280 CPUs in 8 cells, 4,096 VFs on 32 PFs."""
    cpus = CELLS * CPUS_OF_EACH
    return simulated(f"cpus={cpus},cells={CELLS},sockets=2,memory=16TiB,pfs={VFS // 128},vfs=128")


def dense_config(*, tables: str = "embedded") -> Config:
    """Most CPUs of each cell are for instances that have them alone; the others are overcommitted."""
    dedicated = [f"{first}-{first + DEDICATED_OF_EACH - 1}" for first in _first_cpus()]
    shared = [f"{first + DEDICATED_OF_EACH}-{first + CPUS_OF_EACH - 1}" for first in _first_cpus()]
    return Config.model_validate(
        {
            "devices": [{}],
            "cpus": {"dedicated": ",".join(dedicated), "shared": ",".join(shared)},
            "ratios": {"vcpus": 400.0, "disk": 1000.0},
            "nova": {"tables": tables},
        }
    )


def _first_cpus() -> range:
    return range(0, CELLS * CPUS_OF_EACH, CPUS_OF_EACH)


class Later(SystemClock):
    """The time of the machine, and so much more: what was done at first is long ago."""

    def __init__(self) -> None:
        self.more = timedelta()

    def now(self) -> datetime:
        return super().now() + self.more


class Given:
    """A host that was observed before."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def observe(self) -> Host:
        return self._host

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        return no_changes()


def spec(number: int) -> ClaimSpec:
    """The instance of that number: half of 2,000 have a CPU of their own, a quarter have a VF."""
    devices = (DeviceRequest(**VF),) if number % 8 < 2 else ()
    pinned = GuestTopology(cells=(GuestCell(dedicated="0", memory_mib=1024),))
    request = Request(
        vcpus=1 if _is_pinned(number) else 2,
        memory_mib=1024,
        disk_mib=10_240,
        devices=devices,
        topology=pinned if _is_pinned(number) else None,
    )
    instance_uuid = UUID(int=0x1257 << 96 | number)
    return ClaimSpec(instance_uuid=instance_uuid, name=f"instance-{number}", request=request)


def _is_pinned(number: int) -> bool:
    """Every other one of the first two thousand: there are no more CPUs."""
    return number % 2 == 1 and number < 2000


def tracker_of(folder: Path, host: Host, clock: Clock, *, tables: str = "embedded") -> Tracker:
    """Of a database that may be there already; the host's observation is given."""
    store = SqliteStore(folder / "innkeeper.sqlite3", node="dense", clock=clock)
    return Tracker(
        node="dense",
        store=store,
        driver=Given(host),
        config=dense_config(tables=tables),
        clock=clock,
    )


async def fill(tracker: Tracker, first: int, last: int) -> None:
    """Make the instances of these numbers, as if a fleet were moved here; they run."""
    for start in range(first, last, AT_ONCE):
        async with anyio.create_task_group() as group:
            for number in range(start, min(start + AT_ONCE, last)):
                group.start_soon(_make, tracker, number)


async def _make(tracker: Tracker, number: int) -> None:
    placed = await tracker.place(spec(number))
    await tracker.confirm(placed.claim.id, by=Holder())
