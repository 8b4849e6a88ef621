"""Bundles of hosts: made, redacted, and opened again, also when nobody vouches for them."""

from __future__ import annotations

import lzma
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.drivers.conftest import SYSTEM, HostTree
from tests.unit.drivers.full_host import SECRETS, fill, secret

from innkeeper.drivers import discover, driver_for
from innkeeper.drivers.capture import open_capture, write_capture
from innkeeper.drivers.capture.unpack import unpack
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.errors import BadRequest, HostUnreadable
from innkeeper.objects import Host, PciFunction, PciKind

#: What moves on a living host from one moment to the next.
MOVING = {"observed_at": None, "disk": None, "pages": (), "cells": (), "warnings": ()}


@pytest.fixture
def full(tree: HostTree) -> HostTree:
    fill(tree)
    return tree


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "host.tar.xz"


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a capture does not wait")


def still(host: Host) -> Host:
    return host.model_copy(update=MOVING)


def test_discovery_over_a_bundle_of_this_host_equals_discovery_of_it(bundle: Path) -> None:
    write_capture(bundle)
    assert still(discover(str(bundle))) == still(discover())


def test_discovery_over_a_bundle_equals_discovery_over_the_tree(
    full: HostTree, bundle: Path
) -> None:
    write_capture(bundle, root=str(full.root))
    there, here = full.observe(), discover(str(bundle))
    assert here.model_copy(update={"observed_at": None}) == there.model_copy(
        update={"observed_at": None}
    )
    # The comparison is worth something only if there is something to compare.
    used = {one.address: one.used_by_host for one in there.functions if one.used_by_host}
    assert set(used) == {"0000:41:00.0", "0000:43:00.0", "0000:44:00.0"}
    assert [one.serial for one in there.functions if one.serial] == [
        secret("serial of config"),
        secret("serial of vpd"),
    ]
    functions = {one.address: one for one in there.functions}
    pf, vf = functions["0000:41:00.0"], functions["0000:41:10.0"]
    assert (pf.mac, pf.slot) == (secret("hardware address"), "7-1")
    assert (vf.kind, vf.vf_number, vf.slot) == (PciKind.VDPA, 0, "7-1")
    assert functions["0000:83:00.0"].switch == "0000:80:01.0"
    assert there.cpus[1].isolated
    assert there.cpus[0].l3 == 0
    assert there.pages[0].total == 4


def shape(function: PciFunction) -> PciFunction:
    """A function without what redaction may change."""
    return function.model_copy(
        update={
            "serial": function.serial and "serial",
            "mac": function.mac and "mac",
            "netdevs": tuple("net" for _ in function.netdevs),
            "used_by_host": function.used_by_host and function.used_by_host.split(" ")[0],
        }
    )


def test_a_redacted_bundle_contains_none_of_the_originals(full: HostTree, bundle: Path) -> None:
    whole = full.root.parent / f"{full.root.name}.tar.xz"
    try:
        write_capture(whole, root=str(full.root))
        plain = content_of(whole)
    finally:
        whole.unlink(missing_ok=True)
    write_capture(bundle, root=str(full.root), redact=True)
    redacted = content_of(bundle)
    for name, text in SECRETS.items():
        forms = [text, text.lower(), text.upper(), text.replace("-", "")]
        assert not any(form in redacted for form in forms), name
        if "serial of config" not in name:
            assert text in plain, f"{name} is not in the capture at all"
    eight_bytes = bytes.fromhex(secret("serial of config").replace("-", ""))[::-1]
    assert eight_bytes.decode("latin-1") in plain
    assert eight_bytes.decode("latin-1") not in redacted


def content_of(bundle: Path) -> str:
    """Everything in a bundle as one text: names, link targets and bytes."""
    with lzma.open(bundle) as file:
        return file.read().decode("latin-1")


def test_a_redacted_bundle_has_a_host_of_the_same_shape(full: HostTree, bundle: Path) -> None:
    write_capture(bundle, root=str(full.root), redact=True)
    there, here = full.observe(), discover(str(bundle))
    assert (here.cpus, here.cells, here.memory_kib) == (there.cpus, there.cells, there.memory_kib)
    assert list(map(shape, here.functions)) == list(map(shape, there.functions))
    assert (here.hostname, here.machine_id) == ("redacted", f"{1:032x}")
    assert here.boot_id is not None


def test_this_host_redacted_keeps_its_shape_and_loses_its_name(bundle: Path) -> None:
    write_capture(bundle, redact=True)
    there, here = discover(), discover(str(bundle))
    assert here.cpus == there.cpus
    assert list(map(shape, here.functions)) == list(map(shape, there.functions))
    content = content_of(bundle)
    for path in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
        original = Path(path).read_text().strip() if Path(path).exists() else ""
        assert not original or original not in content
    for file in Path("/sys/class/net").glob("*/address"):
        address = file.read_text().strip()
        assert address.strip("0:") == "" or address not in content


def test_the_same_host_gives_the_same_bundle(full: HostTree, tmp_path: Path) -> None:
    bundles = [tmp_path / "one", tmp_path / "two"]
    for file in bundles:
        write_capture(file, root=str(full.root), redact=True, clock=FixedClock())
    assert bundles[0].read_bytes() == bundles[1].read_bytes()


def test_the_manifest_says_what_no_file_tells(full: HostTree, bundle: Path) -> None:
    full.folder("var/guests")
    manifest = write_capture(
        bundle, root=str(full.root), disk_path="/var/guests", clock=FixedClock()
    )
    assert (manifest.kernel, manifest.redacted) == ("6.12.1", False)
    assert manifest.disk is not None
    assert manifest.disk.path == "/var/guests"
    with open_capture(bundle) as driver:
        host = driver.observe()
        assert driver.manifest == manifest
    assert (host.disk, host.observed_at) == (manifest.disk, FixedClock().now())
    assert host.page_kib is manifest.page_kib is None


def test_a_bundle_keeps_the_size_of_a_page(bundle: Path) -> None:
    manifest = write_capture(bundle)
    assert manifest.page_kib == os.sysconf("SC_PAGE_SIZE") // 1024
    assert discover(str(bundle)).page_kib == manifest.page_kib


def test_what_cannot_be_read_is_skipped_and_told(full: HostTree) -> None:
    full.file(f"{SYSTEM}/node/node0/distance", "10\n").chmod(0)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        bundle = Path(folder) / "host.tar.xz"
        with nobody():
            manifest = write_capture(bundle, root=str(full.root))
        line = f"/{SYSTEM}/node/node0/distance: cannot be read: Permission denied"
        assert manifest.skipped == (line,)
        assert discover(str(bundle)).warnings == full.observe_unprivileged().warnings == (line,)


@contextmanager
def nobody() -> Iterator[None]:
    """As a user who is not root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(0)


def test_links_stay_relative_and_none_is_followed_out(full: HostTree, bundle: Path) -> None:
    outside = full.file("outside/secret.txt", "hidden words")
    full.link("sys/class/net/absolute", "/sys/devices/virtual/net/" + secret("bond"))
    full.link("sys/class/net/out", str(outside.parent))
    full.link("sys/class/block/up", "../../../../../../outside")
    write_capture(bundle, root=str(full.root))
    assert "hidden words" not in content_of(bundle)
    with tarfile.open(bundle) as tar:
        links = {member.name: member.linkname for member in tar if member.issym()}
    assert links
    assert not any(target.startswith("/") for target in links.values())
    assert links["innkeeper-capture/sys/class/net/absolute"] == (
        f"../../devices/virtual/net/{secret('bond')}"
    )
    names = [f"{name}/../{target}" for name, target in links.items()]
    assert all(os.path.normpath(name).startswith("innkeeper-capture/") for name in names)


def test_links_in_a_circle_come_to_an_end(full: HostTree, bundle: Path) -> None:
    full.link("sys/class/net/a", "b")
    full.link("sys/class/net/b", "a")
    write_capture(bundle, root=str(full.root))
    assert discover(str(bundle)).cpus == full.observe().cpus


def test_a_fifo_or_device_among_the_files_is_skipped(full: HostTree, bundle: Path) -> None:
    place = full.root / f"{SYSTEM}/cpu/isolated"
    os.mkfifo(place)
    manifest = write_capture(bundle, root=str(full.root))
    assert any("FIFO" in line for line in manifest.skipped)


def test_an_older_bundle_is_replaced_and_nothing_else_is_left(full: HostTree, bundle: Path) -> None:
    bundle.write_bytes(b"old")
    write_capture(bundle, root=str(full.root))
    assert [entry.name for entry in bundle.parent.iterdir()] == [bundle.name]
    assert bundle.stat().st_mode & 0o077 == 0
    assert discover(str(bundle)).cpus


@pytest.mark.parametrize("place", ["missing/host.tar.xz", "."])
def test_a_place_that_cannot_be_written_is_named(
    full: HostTree, tmp_path: Path, place: str
) -> None:
    with pytest.raises(BadRequest, match="cannot write the capture"):
        write_capture(tmp_path / place, root=str(full.root))
    assert list(tmp_path.iterdir()) == []


def test_a_root_without_a_host_cannot_be_captured(tmp_path: Path, bundle: Path) -> None:
    with pytest.raises(HostUnreadable):
        write_capture(bundle, root=str(tmp_path / "nowhere"))
    assert not bundle.exists()


def test_the_words_of_the_operator_choose_the_driver(full: HostTree, bundle: Path) -> None:
    write_capture(bundle, root=str(full.root))
    with driver_for(None, None, "/") as here:
        assert isinstance(here, SysfsDriver)
        assert here.observe().disk is not None
    with driver_for(str(full.root)) as there:
        assert isinstance(there, SysfsDriver)
    with driver_for(simulate="cpus=4") as made:
        assert isinstance(made, SimulatedDriver)
    with driver_for(str(bundle)) as captured:
        assert captured.observe().hostname.startswith(secret("hostname"))


def test_two_kinds_of_host_at_once_are_refused() -> None:
    with pytest.raises(BadRequest, match="not both"), driver_for("/", "cpus=4"):
        pass
    with pytest.raises(BadRequest, match="unknown key"), driver_for(simulate="cpu=4"):
        pass


def captures() -> list[Path]:
    ours = Path(__file__).parents[2] / "data/hosts/qemu64-9n-B-vfs.tar.xz"
    given = os.environ.get("TEST_INNKEEPER_CAPTURES")
    other = "hwloc-32em64t-2n8c+dax+nvme+mic+dimms.tar.bz2"
    return [ours, Path(given) / other] if given else [ours]


@pytest.mark.parametrize("archive", captures(), ids=lambda path: path.name)
def test_a_bundle_of_a_captured_host_has_the_same_host(archive: Path, bundle: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        unpack(archive, Path(folder))
        there = SysfsDriver(folder).observe()
        write_capture(bundle, root=folder)
    here = discover(str(bundle))
    # Without a file that says it, a host is called as its folder.
    told = {"hostname": "", "observed_at": None, "warnings": ()}
    assert here.model_copy(update=told) == there.model_copy(update=told)
    assert set(here.warnings) == set(there.warnings)


def test_a_capture_never_replaces_what_is_no_file(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(BadRequest, match="no regular file"):
        write_capture(fifo)
    assert fifo.is_fifo()
