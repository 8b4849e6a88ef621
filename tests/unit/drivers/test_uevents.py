"""News of the kernel: what is believed, what matters, and how much of it makes one change."""

from __future__ import annotations

import select
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NoReturn

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from structlog.testing import capture_logs
from tests.scenario.conftest import VirtualClock
from tests.unit.drivers.conftest import HostTree
from tests.unit.drivers.kernel_events import LOOPBACK, poke, why_not_here

from innkeeper.drivers import Change
from innkeeper.drivers.base import Driver
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.drivers.sysfs.uevents import MOST_PAUSES, QUIET, Burst, Receiver, Uevent

BOOT_ID = "proc/sys/kernel/random/boot_id"


def message(head: str, **variables: str) -> bytes:
    return "\0".join([head, *(f"{key}={value}" for key, value in variables.items()), ""]).encode()


async def let_it_hear() -> None:
    """What was sent can be read already; the loop has to look."""
    for _ in range(3):
        await anyio.lowlevel.checkpoint()
    await anyio.wait_all_tasks_blocked()


@pytest.fixture
def kernel() -> None:
    """This machine's kernel can be asked for events."""
    if reason := why_not_here():
        pytest.skip(reason)


class Watch:
    """Changes that a driver told, as they came."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.is_over = False

    async def run(self, driver: Driver, clock: VirtualClock) -> None:
        async with aclosing(driver.changes(clock)) as changes:
            async for change in changes:
                self.reasons.append(change.reason)
        self.is_over = True


@asynccontextmanager
async def watching(driver: Driver, clock: VirtualClock) -> AsyncIterator[Watch]:
    watch = Watch()
    async with anyio.create_task_group() as group:
        group.start_soon(watch.run, driver, clock)
        # The socket is opened behind a thread.
        with anyio.fail_after(10):
            while not (watch.is_over or receivers()):
                await anyio.sleep(0.01)
        await anyio.wait_all_tasks_blocked()
        yield watch
        group.cancel_scope.cancel()


def receivers() -> int:
    """Sockets of this process that kernel events come to."""
    # sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    rows = [line.split() for line in Path("/proc/net/netlink").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if row[1] == "15" and row[3] == "00000001"}
    own = {str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()}
    return sum(f"socket:[{inode}]" in own for inode in inodes)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def here() -> SysfsDriver:
    driver = SysfsDriver("/")
    driver.observe()
    return driver


# --- words ------------------------------------------------------------------------------------------


def test_a_message_of_the_kernel_is_understood() -> None:
    path = "/devices/pci0000:40/0000:40:00.0/0000:41:10.2"
    event = Uevent.parse(
        message(f"remove@{path}", ACTION="remove", DEVPATH=path, SUBSYSTEM="pci", SEQNUM="4711")
    )
    assert event == Uevent("remove", path, "pci")
    assert event.words() == "pci remove 0000:41:10.2"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"libudev\0\xfe\xed\xca\xfe",
        message("remove@/devices/x"),
        message("REMOVE@/devices/x", SUBSYSTEM="pci"),
        message("remove", SUBSYSTEM="pci"),
        b"\xff" * 8192,
    ],
)
def test_anything_else_is_no_event(data: bytes) -> None:
    assert Uevent.parse(data) is None


def test_words_fit_on_one_short_line() -> None:
    event = Uevent.parse(message("add@/devices/\x1b[2J" + "x" * 5000, SUBSYSTEM="pci"))
    assert event is not None
    assert event.words().isprintable()
    assert len(event.words()) <= 120


@pytest.mark.parametrize(
    ("subsystem", "path", "it_matters"),
    [
        ("pci", "/devices/pci0000:40/0000:40:00.0", True),
        ("vdpa", "/devices/pci0000:40/0000:40:00.0/vdpa0", True),
        ("cpu", "/devices/system/cpu/cpu7", True),
        ("node", "/devices/system/node/node1", True),
        ("memory", "/devices/system/memory/memory32", True),
        ("net", "/devices/pci0000:40/0000:40:00.0/net/eth0", True),
        ("net", "/devices/pci0000:40/0000:40:00.0/virtio3/net/eth0", True),
        ("net", "/devices/virtual/net/tap12", False),
        ("queues", "/devices/pci0000:40/0000:40:00.0/net/eth0/queues/rx-0", False),
        ("block", "/devices/virtual/block/dm-0", False),
    ],
)
def test_what_matters(subsystem: str, path: str, it_matters: object) -> None:
    assert Uevent("add", path, subsystem).matters is it_matters


def test_a_burst_is_told_by_its_first_event() -> None:
    burst = Burst()
    for number in range(3):
        burst.add(Uevent("add", f"/devices/0000:41:10.{number}", "pci"))
    assert burst.change() == Change("pci add 0000:41:10.0, and 2 more events")
    burst.add_loss()
    assert burst.change() == Change(
        "pci add 0000:41:10.0, and 2 more events, some events were lost"
    )
    lost = Burst()
    lost.add_loss()
    assert lost.change() == Change("some events were lost")


# --- the kernel of this machine ---------------------------------------------------------------------


@pytest.mark.usefixtures("kernel")
async def test_an_event_is_told_when_it_is_quiet_again(
    here: SysfsDriver, clock: VirtualClock
) -> None:
    async with watching(here, clock) as watch:
        poke()
        await let_it_hear()
        await clock.advance(QUIET / 2)
        assert watch.reasons == []
        await clock.advance(QUIET / 2)
        assert watch.reasons == ["cpu change cpu0"]
    assert receivers() == 0


@pytest.mark.usefixtures("kernel")
async def test_a_burst_is_one_change(here: SysfsDriver, clock: VirtualClock) -> None:
    async with watching(here, clock) as watch:
        poke()
        await let_it_hear()
        for _ in range(2):
            for _ in range(100):
                poke()
            await clock.advance(QUIET)
        assert watch.reasons == []
        await clock.advance(QUIET)
        assert watch.reasons == ["cpu change cpu0, and 200 more events"]
        await clock.advance(60)
        assert len(watch.reasons) == 1


@pytest.mark.usefixtures("kernel")
async def test_a_burst_that_does_not_end_is_told_within_a_second(
    here: SysfsDriver, clock: VirtualClock
) -> None:
    async with watching(here, clock) as watch:
        poke()
        await let_it_hear()
        for _ in range(MOST_PAUSES):
            assert watch.reasons == []
            poke()
            await clock.advance(QUIET)
        assert watch.reasons == [f"cpu change cpu0, and {MOST_PAUSES} more events"]
    assert MOST_PAUSES * QUIET < 1


@pytest.mark.usefixtures("kernel")
async def test_devices_without_hardware_are_no_change(
    here: SysfsDriver, clock: VirtualClock
) -> None:
    async with watching(here, clock) as watch:
        poke(LOOPBACK)
        await let_it_hear()
        await clock.advance(60)
        assert watch.reasons == []
        poke()
        await let_it_hear()
        await clock.advance(QUIET)
        assert watch.reasons == ["cpu change cpu0"]


@pytest.mark.usefixtures("kernel")
async def test_what_came_between_observation_and_watch_is_told(
    here: SysfsDriver, clock: VirtualClock
) -> None:
    poke()
    async with watching(here, clock) as watch:
        assert watch.reasons == ["events since the last observation"]
    await anyio.to_thread.run_sync(here.observe)
    async with watching(here, clock) as watch:
        assert watch.reasons == []


@pytest.mark.usefixtures("kernel")
def test_events_that_had_no_room_are_known_to_be_lost() -> None:
    with Receiver(room=1) as receiver:
        for _ in range(200):
            poke()
        burst = Burst()
        assert receiver.take(burst)
        assert burst.change().reason.startswith("cpu change cpu0")
        assert burst.change().reason.endswith(", some events were lost")
        poke()
        after = Burst()
        assert receiver.take(after)
        assert after.change() == Change("cpu change cpu0")


@pytest.mark.usefixtures("kernel")
def test_nobody_but_the_kernel_is_believed() -> None:
    forged = message("remove@/devices/pci0000:40/0000:40:00.0", SUBSYSTEM="pci")
    with (
        Receiver() as receiver,
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15) as other,
    ):
        other.sendto(forged, (receiver.socket.getsockname()[0], 0))
        assert select.select([receiver.socket], [], [], 1)[0]
        assert not receiver.take(Burst())
        other.sendto(forged, (0, 1))
        assert not receiver.take(Burst())


# --- where nothing is to be watched -----------------------------------------------------------------


async def test_without_netlink_it_says_so_once_and_ends(
    here: SysfsDriver, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)
    with capture_logs() as lines:
        changes = [change async for change in here.changes(clock)]
    assert changes == []
    assert lines == [
        {
            "event": "no news of devices",
            "log_level": "warning",
            "error": "Operation not permitted",
            "remains": "the audit",
        }
    ]


@pytest.fixture
def elsewhere(tree: HostTree) -> SysfsDriver:
    """A tree of another kernel."""
    tree.file(BOOT_ID, "deadbeef-1111-4222-8333-444455556666\n")
    tree.observe()
    return tree.driver


@pytest.fixture
def below_host(tree: HostTree) -> SysfsDriver:
    """This kernel under another root, as a container has it that sees its host below /host."""
    tree.file(BOOT_ID, Path("/", BOOT_ID).read_text())
    tree.observe()
    return tree.driver


async def test_a_tree_of_another_kernel_is_not_watched(
    elsewhere: SysfsDriver, clock: VirtualClock
) -> None:
    with capture_logs() as lines:
        assert [change async for change in elsewhere.changes(clock)] == []
    assert lines == []


@pytest.mark.usefixtures("kernel")
async def test_this_kernel_under_another_root_is_watched(
    below_host: SysfsDriver, clock: VirtualClock
) -> None:
    async with watching(below_host, clock) as watch:
        poke()
        await let_it_hear()
        await clock.advance(QUIET)
        assert watch.reasons == ["cpu change cpu0"]
