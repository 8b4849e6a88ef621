"""A real libvirtd over a captured /sys: it and the kernel's files tell of the same host."""

from __future__ import annotations

import os
import signal
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType

import anyio
import pytest
from tests.contract.libvirt_daemon import Libvirtd, libvirtd, why_no_libvirtd

from innkeeper.clock import SystemClock
from innkeeper.drivers import Change
from innkeeper.drivers.base import Driver, Hypervisor
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Host, PciKind

libvirt: ModuleType = pytest.importorskip("libvirt", reason="libvirt-python is not installed")

CAPTURE = Path(__file__).parents[1] / "data" / "hosts" / "qemu64-9n-D-smt-off.tar.xz"
#: Thousands of files that neither of the two looks at.
IDLE = ("power", "msi_irqs", "queues", "statistics", "cpuidle", "thermal", "LNXSYSTM:00")
MEMORY = Path("/dev/shm")

pytestmark = pytest.mark.skipif(why_no_libvirtd() is not None, reason=why_no_libvirtd() or "")


def driver_of(uri: str, local: Driver | None = None) -> Driver:
    from innkeeper.drivers.libvirt.driver import LibvirtDriver

    return LibvirtDriver(uri, local)


def hypervisor_of(uri: str) -> Hypervisor:
    from innkeeper.drivers.libvirt.hypervisor import LibvirtHypervisor

    return LibvirtHypervisor(uri)


def not_idle(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
    """Links of /sys leave their folder, and the capture is our own."""
    return None if set(member.name.split("/")) & {*IDLE} else tarfile.tar_filter(member, path)


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="ik-host-", dir=place) as folder:
        with tarfile.open(CAPTURE) as archive:
            archive.extractall(folder, filter=not_idle)
        (only,) = Path(folder).iterdir()
        yield only


@pytest.fixture(scope="module")
def over_capture(root: Path) -> Iterator[Libvirtd]:
    with libvirtd(root) as daemon:
        yield daemon


@pytest.fixture
def daemon() -> Iterator[Libvirtd]:
    with libvirtd() as made:
        yield made


@pytest.fixture(scope="module")
def read(root: Path) -> Host:
    """By the kernel's files."""
    return SysfsDriver(str(root)).observe()


@pytest.fixture(scope="module")
def told(over_capture: Libvirtd) -> Host:
    """By libvirt alone."""
    return driver_of(over_capture.uri).observe()


def test_cells_memory_and_pages_are_the_same(told: Host, read: Host) -> None:
    assert len(read.cells) == 9
    assert told.cells == read.cells
    assert told.pages == read.pages
    assert told.memory_kib == read.memory_kib


def test_online_cpus_are_the_same_but_for_isolation(told: Host, read: Host) -> None:
    online = [cpu.model_copy(update={"isolated": False}) for cpu in read.cpus if cpu.online]
    assert len(online) == 32
    assert list(told.cpus) == online


def test_functions_are_the_same_but_for_their_places(told: Host, read: Host) -> None:
    places = {"slot": None, "switch": None, "used_by_host": None}
    assert [one.kind for one in told.functions].count(PciKind.VF) == 116
    assert list(told.functions) == [one.model_copy(update=places) for one in read.functions]


def test_what_only_the_kernel_tells_is_warned_of(told: Host) -> None:
    assert (told.boot_id, told.machine_id, told.disk) == (None, None, None)
    assert [line.partition(": ")[0] for line in told.warnings] == [
        "libvirt does not tell offline and isolated CPUs, the disk, boot and machine id",
        "libvirt does not tell which devices the host needs itself",
    ]


def test_together_they_tell_all_of_it(over_capture: Libvirtd, root: Path, read: Host) -> None:
    both = driver_of(over_capture.uri, SysfsDriver(str(root))).observe()
    moving = {"observed_at": None, "page_kib": None}
    assert both.page_kib == 4
    assert both.model_copy(update=moving) == read.model_copy(update=moving)


def test_the_same_host_is_seen_the_same_way_twice(over_capture: Libvirtd) -> None:
    driver = driver_of(over_capture.uri)
    assert driver.observe().functions is driver.observe().functions


def test_a_lost_connection_is_told_and_made_again_by_the_next_question(daemon: Libvirtd) -> None:
    hypervisor = hypervisor_of(daemon.uri)
    assert hypervisor.instances() == ()
    daemon.kill()
    with pytest.raises(HostUnreadable, match="gives no answer"):
        hypervisor.instances()
    daemon.restart()
    assert hypervisor.instances() == ()


def test_a_daemon_that_stopped_is_noticed(
    daemon: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    from innkeeper.drivers.libvirt import connection

    monkeypatch.setattr(connection, "ASK_AFTER", 1)
    monkeypatch.setattr(connection, "MISSED", 1)
    hypervisor = hypervisor_of(daemon.uri)
    assert hypervisor.instances() == ()
    daemon.process.send_signal(signal.SIGSTOP)
    with pytest.raises(HostUnreadable, match=r"gives no answer: .*keepalive"):
        hypervisor.instances()
    daemon.restart()
    assert hypervisor.instances() == ()


async def next_of(changes: AsyncIterator[Change]) -> str:
    with anyio.fail_after(30):
        return (await anext(changes)).reason


async def test_news_go_on_after_a_connection_was_lost(
    daemon: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    from innkeeper.drivers.libvirt import changes

    monkeypatch.setattr(changes, "TRY_AGAIN", 0.1)

    async with (
        aclosing(driver_of(daemon.uri).changes(SystemClock())) as news,
        anyio.create_task_group() as group,
    ):
        group.start_soon(lose_it, daemon)
        assert await next_of(news) == "libvirt answers again"


async def lose_it(daemon: Libvirtd) -> None:
    """When it has a client, which is whoever waits for news."""
    with anyio.fail_after(30):
        while not await anyio.to_thread.run_sync(has_client, daemon):
            await anyio.sleep(0.05)
    await anyio.to_thread.run_sync(daemon.restart)


def has_client(daemon: Libvirtd) -> bool:
    rows = Path("/proc/net/unix").read_text().splitlines()
    socket = daemon.uri.partition("socket=")[2]
    # Flags of the one that listens; those that are connected have none.
    return any(row.endswith(socket) and row.split()[3] == "00000000" for row in rows)
