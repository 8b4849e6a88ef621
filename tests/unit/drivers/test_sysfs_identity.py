"""Who the host is, its disk, and the moment of the observation."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.drivers.conftest import HostTree

from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.objects import Host

BOOT_ID = "7d7d7a82-74f4-4254-9df7-535e49308cc4"


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 2, 3, tzinfo=UTC)

    def monotonic(self) -> float:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def test_names_of_the_host(tree: HostTree) -> None:
    tree.file("proc/sys/kernel/hostname", "rack7-12.example\n")
    tree.file("proc/sys/kernel/random/boot_id", f"{BOOT_ID}\n")
    tree.file("etc/machine-id", f"{'0f' * 16}\n")
    host = tree.observe()
    assert (host.hostname, host.boot_id, host.machine_id) == (
        "rack7-12.example",
        BOOT_ID,
        "0f" * 16,
    )


def test_names_that_are_missing_are_null_and_the_folder_names_the_host(tree: HostTree) -> None:
    host = tree.observe()
    assert (host.hostname, host.boot_id, host.machine_id) == (tree.root.name, None, None)


def test_names_of_another_form_are_null(tree: HostTree) -> None:
    tree.file("proc/sys/kernel/random/boot_id", "soon\n")
    tree.file("etc/machine-id", "uninitialized\n")
    tree.file("var/lib/dbus/machine-id", f"{'1' * 32}\n")
    tree.file("etc/hostname", "from-etc\n")
    host = tree.observe()
    assert (host.hostname, host.boot_id, host.machine_id) == ("from-etc", None, "1" * 32)


def test_the_size_of_a_page_is_told_of_the_kernel_that_runs_and_of_no_other(
    tree: HostTree,
) -> None:
    ours = os.sysconf("SC_PAGE_SIZE") // 1024
    assert SysfsDriver("/").observe().page_kib == ours
    assert tree.observe().page_kib is None
    # The same kernel, seen below another root.
    running = Path("/proc/sys/kernel/random/boot_id").read_text()
    tree.file("proc/sys/kernel/random/boot_id", running)
    assert tree.observe().page_kib == ours


def test_the_moment_comes_from_the_clock(tree: HostTree) -> None:
    clock = StoppedClock()
    host = SysfsDriver(str(tree.root), clock=clock).observe()
    assert host.observed_at == clock.now()


def test_the_disk_is_the_file_system_of_its_path() -> None:
    disk = SysfsDriver("/", "/tmp").observe().disk
    sizes = os.statvfs("/tmp")
    assert disk is not None
    assert disk.path == "/tmp"
    assert disk.total_mib == sizes.f_blocks * sizes.f_frsize // 2**20
    assert abs(disk.free_mib - sizes.f_bavail * sizes.f_frsize // 2**20) < 1024


def test_no_disk_is_asked_for_without_a_path(tree: HostTree) -> None:
    assert tree.observe().disk is None


def test_the_disk_of_a_captured_host_is_under_its_root_or_nowhere(tree: HostTree) -> None:
    tree.folder("var/lib/instances")
    assert SysfsDriver(str(tree.root), "/var/lib/instances").observe().disk is not None
    # It exists on this machine, but not there.
    host = SysfsDriver(str(tree.root), "/usr").observe()
    assert (host.disk, host.warnings) == (None, ())


def test_a_disk_path_of_this_machine_that_is_missing_is_a_warning() -> None:
    host = SysfsDriver("/", "/nonexistent/instances").observe()
    assert host.disk is None
    assert any(line.startswith("/nonexistent/instances: cannot be read") for line in host.warnings)


FILES = (
    "sys/devices/system/cpu/online",
    "sys/devices/system/cpu/present",
    "sys/devices/system/cpu/isolated",
    "sys/devices/system/cpu/cpu0/topology/core_id",
    "sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
    "sys/devices/system/node/node0/cpulist",
    "sys/devices/system/node/node0/meminfo",
    "sys/devices/system/node/node0/distance",
    "sys/devices/pci0000:00/0000:00:03.0/numa_node",
    "sys/devices/pci0000:00/0000:00:03.0/class",
    "sys/devices/pci0000:00/0000:00:03.0/sriov_totalvfs",
    "sys/devices/pci0000:00/0000:00:03.0/config",
    "sys/devices/pci0000:00/0000:00:03.0/vpd",
    "proc/meminfo",
    "proc/cmdline",
    "proc/net/route",
    "proc/net/ipv6_route",
    "proc/self/mountinfo",
    "proc/swaps",
    "proc/sys/kernel/hostname",
)
WORDS = st.sampled_from(
    [b"0-1", b"99999999999999999999", b"-1", b"0x", b"\t", b" - ", b"kB", b"MemTotal:"]
)
JUNK = st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=30).map(b" ".join))


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(contents=st.dictionaries(st.sampled_from(FILES), JUNK, min_size=1, max_size=4))
def test_whatever_the_files_hold_there_is_a_host_that_travels(
    tree: HostTree, contents: dict[str, bytes]
) -> None:
    tree.file("sys/devices/system/cpu/online", "0-1\n")
    tree.cell(0, "0-1")
    for path, content in contents.items():
        tree.file(path, content)
    if not (tree.root / "sys/bus").exists():
        tree.function("0000:00:03.0")
    host = tree.observe()
    assert Host.model_validate_json(host.model_dump_json()) == host
