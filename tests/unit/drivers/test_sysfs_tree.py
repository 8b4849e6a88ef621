"""A tree that nobody vouches for never leads outside, blocks, or brings discovery down."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.unit.drivers.conftest import HostTree

from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Host

ONLINE = "sys/devices/system/cpu/online"
CPULIST = "sys/devices/system/node/node0/cpulist"
MEMINFO = "proc/meminfo"


def only_warning(host: Host) -> str:
    assert len(host.warnings) == 1, host.warnings
    return host.warnings[0]


def test_a_good_tree_has_no_warnings(tree: HostTree) -> None:
    assert tree.observe().warnings == ()


@pytest.mark.parametrize("name", [ONLINE, CPULIST, MEMINFO])
def test_a_huge_file_is_skipped_with_its_name(tree: HostTree, name: str) -> None:
    os.truncate(tree.root / name, 1 << 40)
    host = tree.observe()
    assert f"/{name}: cannot be read: larger than" in host.warnings[0]
    assert [cpu.id for cpu in host.cpus] == [0, 1]


@pytest.mark.parametrize("name", [ONLINE, CPULIST, MEMINFO])
def test_a_directory_in_place_of_a_file_is_skipped_with_its_name(tree: HostTree, name: str) -> None:
    (tree.root / name).unlink()
    tree.folder(name)
    assert f"/{name}: cannot be read: a directory, not a file" in tree.observe().warnings


@pytest.mark.parametrize("name", [ONLINE, CPULIST, MEMINFO])
def test_a_fifo_never_blocks(tree: HostTree, name: str) -> None:
    (tree.root / name).unlink()
    os.mkfifo(tree.root / name)
    hosts: list[Host] = []
    reader = threading.Thread(target=lambda: hosts.append(tree.observe()), daemon=True)
    reader.start()
    reader.join(timeout=10)
    assert hosts, "observe still waits for the FIFO"
    assert f"/{name}: cannot be read: a FIFO, not a file" in hosts[0].warnings


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device node")
def test_a_device_node_is_never_opened(tree: HostTree) -> None:
    (tree.root / MEMINFO).unlink()
    # No driver has this number: opening it would say ENXIO.
    os.mknod(tree.root / MEMINFO, 0o20666, os.makedev(4095, 1))
    assert f"/{MEMINFO}: cannot be read: a device node, not a file" in tree.observe().warnings


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe0-1",
        b"0-",
        b"one",
        b"1-0",
        b"0-99999999999",
        b"0,\x00,1",
        b"-1",
        b"0-1;2",
        b"\xd9\xa1",
    ],
)
def test_a_malformed_list_is_skipped_with_its_name(tree: HostTree, content: bytes) -> None:
    tree.file(CPULIST, content)
    assert f"/{CPULIST}: is " in only_warning(tree.observe())


def test_ranges_that_repeat_without_end_are_refused_at_once(tree: HostTree) -> None:
    tree.file(CPULIST, ",".join(["0-65535"] * 8000))
    assert "names ids more than once" in only_warning(tree.observe())


@pytest.mark.parametrize("name", [ONLINE, CPULIST, MEMINFO])
def test_an_unreadable_file_is_skipped_with_its_name(tree: HostTree, name: str) -> None:
    (tree.root / name).chmod(0)
    host = tree.observe_unprivileged()
    assert f"/{name}: cannot be read: Permission denied" in host.warnings
    assert [cpu.id for cpu in host.cpus] == [0, 1]


def test_an_unreadable_directory_is_skipped_with_its_name(tree: HostTree) -> None:
    name = "sys/devices/system/node/node0/hugepages"
    tree.folder(name).chmod(0)
    warning = only_warning(tree.observe_unprivileged())
    assert warning == f"/{name}: cannot be read: Permission denied"
    (tree.root / name).chmod(0o755)


def test_an_absolute_link_is_taken_inside_the_root(tree: HostTree) -> None:
    (tree.root / MEMINFO).unlink()
    tree.link(MEMINFO, "/other/meminfo")
    tree.file("other/meminfo", "MemTotal:  77 kB\n")
    assert tree.observe().memory_kib == 77


@pytest.mark.parametrize("target", ["/proc/meminfo", "../../../../../../../../proc/meminfo"])
def test_a_link_never_leads_outside_of_the_root(tree: HostTree, target: str) -> None:
    (tree.root / CPULIST).unlink()
    # Inside this root the link is to the tree's own meminfo, whatever this machine has there.
    tree.link(CPULIST, target)
    assert "'MemTotal:  1024 kB' is no range" in only_warning(tree.observe())


def test_a_directory_link_never_leads_outside_of_the_root(tree: HostTree) -> None:
    tree.link("sys/bus", "/sys/bus")
    tree.link("sys/kernel", "/sys/kernel")
    host = tree.observe()
    assert host.functions == ()
    assert (
        "/sys/bus/pci/devices: cannot be read: Too many levels of symbolic links" in host.warnings
    )


def test_links_in_a_circle_end(tree: HostTree) -> None:
    (tree.root / MEMINFO).unlink()
    tree.link(MEMINFO, "again")
    tree.link("proc/again", "meminfo")
    assert (
        f"/{MEMINFO}: cannot be read: Too many levels of symbolic links" in tree.observe().warnings
    )


def test_a_dangling_link_counts_as_missing(tree: HostTree) -> None:
    tree.link("proc/cmdline", "nowhere")
    assert tree.observe().warnings == ()


def test_names_that_are_no_text_do_not_disturb(tree: HostTree) -> None:
    tree.folder(os.fsdecode(b"sys/devices/system/node/node\xff1"))
    tree.link(os.fsdecode(b"sys/bus/pci/devices/0000:\xff\x1b[31m"), "x")
    host = tree.observe()
    assert only_warning(host) == "/sys/bus/pci/devices/0000:\\udcff\\x1b[31m: is no PCI address"
    assert Host.model_validate_json(host.model_dump_json()) == host


def test_warnings_are_limited_and_counted(tree: HostTree) -> None:
    for number in range(150):
        tree.file(f"sys/bus/pci/devices/bad{number}")
    warnings = tree.observe().warnings
    assert len(warnings) == 101
    assert warnings[-1] == "50 more could not be read"


def test_the_only_folder_in_the_root_may_be_the_host(tree: HostTree) -> None:
    wrapped = tree.root / "outer"
    (wrapped / "machine").mkdir(parents=True)
    for part in ("sys", "proc"):
        (tree.root / part).rename(wrapped / "machine" / part)
    assert SysfsDriver(str(wrapped)).observe().hostname == "machine"


def test_two_folders_in_the_root_are_no_host(empty: HostTree) -> None:
    empty.folder("one/sys")
    empty.folder("two/sys")
    with pytest.raises(HostUnreadable, match="neither sys/ nor proc/"):
        empty.observe()


@pytest.mark.parametrize("root", ["/nonexistent/root", "", "/proc/self/status", "a\0b"])
def test_a_root_that_is_no_folder_is_refused(root: str) -> None:
    with pytest.raises(HostUnreadable) as refused:
        SysfsDriver(root).observe()
    assert refused.value.details["root"] == root


def test_a_root_without_any_cpu_is_refused(empty: HostTree) -> None:
    empty.folder("sys")
    empty.folder("proc")
    with pytest.raises(HostUnreadable, match="no CPU"):
        empty.observe()


def test_nothing_is_written(tree: HostTree) -> None:
    def picture() -> list[tuple[Path, int, int]]:
        places = sorted(tree.root.rglob("*"))
        return [(one, one.lstat().st_mtime_ns, one.lstat().st_size) for one in places]

    before = picture()
    tree.observe()
    assert picture() == before


def test_descriptors_are_given_back(tree: HostTree) -> None:
    tree.function("0000:00:03.0")
    tree.observe()
    before = len([*Path("/proc/self/fd").iterdir()])
    for _ in range(3):
        tree.observe()
    assert len([*Path("/proc/self/fd").iterdir()]) == before
