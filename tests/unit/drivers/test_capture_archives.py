"""Opening captures, also such that nobody vouches for."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.drivers.conftest import SYSTEM, HostTree
from tests.unit.drivers.full_host import fill

from innkeeper.drivers import discover
from innkeeper.drivers.capture import Manifest, open_capture, write_capture
from innkeeper.drivers.capture.manifest import MANIFEST
from innkeeper.errors import HostUnreadable


@pytest.fixture
def full(tree: HostTree) -> HostTree:
    fill(tree)
    return tree


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "host.tar.xz"


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which captures are unpacked."""
    folder = tmp_path / "private"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_what_was_unpacked_is_removed(full: HostTree, bundle: Path, private: Path) -> None:
    write_capture(bundle, root=str(full.root))
    with open_capture(bundle) as driver:
        (unpacked,) = private.iterdir()
        assert unpacked.stat().st_mode & 0o077 == 0
        assert driver.observe().cpus
    assert list(private.iterdir()) == []


@pytest.mark.parametrize("kind", ["w:xz", "w:gz", "w:bz2", "w"])
def test_any_tar_of_a_tree_is_a_capture(full: HostTree, tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "some-host.tar.any"
    with tarfile.open(archive, kind) as tar:  # type: ignore[call-overload]
        tar.add(full.root, arcname=".")
    here = discover(str(archive))
    assert here.functions == full.observe().functions
    (full.root / "proc/sys/kernel/hostname").unlink()
    with tarfile.open(archive, kind) as tar:  # type: ignore[call-overload]
        tar.add(full.root, arcname=".")
    assert discover(str(archive)).hostname == "some-host"


def test_several_xz_streams_are_one(full: HostTree, bundle: Path) -> None:
    write_capture(bundle, root=str(full.root))
    plain = lzma.decompress(bundle.read_bytes())
    half = len(plain) // 2
    pieces = [lzma.compress(plain[:half]), bytes(8), lzma.compress(plain[half:]), bytes(4)]
    bundle.write_bytes(b"".join(pieces))
    assert discover(str(bundle)).functions == full.observe().functions


def test_an_unpacked_bundle_is_a_capture(full: HostTree, bundle: Path, tmp_path: Path) -> None:
    manifest = write_capture(bundle, root=str(full.root), disk_path="/")
    with tarfile.open(bundle) as tar:
        tar.extractall(tmp_path, filter="data")
    bundle.unlink()
    for folder in (tmp_path / "innkeeper-capture", tmp_path):
        assert discover(str(folder)).observed_at == manifest.captured_at


Member = tuple[tarfile.TarInfo, bytes]


def member(name: str, kind: bytes = tarfile.REGTYPE, data: bytes = b"", link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, len(data), link
    return info, data


@pytest.fixture
def make_archive(bundle: Path) -> Callable[..., Path]:
    """An archive with a CPU in it, and what a test adds."""

    def make(*members: Member) -> Path:
        online = member(f"{SYSTEM}/cpu/online", data=b"0\n")
        with tarfile.open(bundle, "w:xz") as tar:
            for info, data in (online, *members):
                tar.addfile(info, io.BytesIO(data))
        return bundle

    return make


@pytest.mark.parametrize("name", ["/etc/online", "../online", "sys/../../online", "./../online"])
def test_an_archive_that_wants_out_is_refused(
    make_archive: Callable[..., Path], private: Path, name: str
) -> None:
    with pytest.raises(HostUnreadable, match="outside its folder"):
        discover(str(make_archive(member(name, data=b"1"))))
    assert list(private.iterdir()) == []


def test_nothing_is_written_through_a_link(
    make_archive: Callable[..., Path], private: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = make_archive(
        member("way", tarfile.SYMTYPE, link=str(outside)),
        member("way/online", data=b"1"),
    )
    assert len(discover(str(archive)).cpus) == 1
    assert list(outside.iterdir()) == []


def test_a_link_out_is_not_followed_by_discovery(
    make_archive: Callable[..., Path], tmp_path: Path
) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text("leaked\n")
    link = member("proc/sys/kernel/hostname", tarfile.SYMTYPE, link=str(secret_file))
    assert discover(str(make_archive(link))).hostname != "leaked"


def test_devices_fifos_and_hard_links_are_passed_over(make_archive: Callable[..., Path]) -> None:
    archive = make_archive(
        member("proc/meminfo", tarfile.CHRTYPE),
        member(f"{SYSTEM}/cpu/isolated", tarfile.FIFOTYPE),
        member(f"{SYSTEM}/cpu/present", tarfile.LNKTYPE, link="/etc/passwd"),
    )
    assert [cpu.id for cpu in discover(str(archive)).cpus] == [0]


def test_an_archive_that_unpacks_to_too_much_is_refused(
    make_archive: Callable[..., Path], private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innkeeper.drivers.capture.inflate.UNPACKED_LIMIT", 2**20)
    archive = make_archive(member("proc/cpuinfo", data=bytes(2**21)))
    assert archive.stat().st_size < 2000
    with pytest.raises(HostUnreadable, match="bytes when unpacked"):
        discover(str(archive))
    assert list(private.iterdir()) == []


def test_an_archive_with_too_many_names_is_refused(
    make_archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("innkeeper.drivers.capture.unpack.NAMES_LIMIT", 10)
    archive = make_archive(*(member(f"sys/{i}", tarfile.DIRTYPE) for i in range(10)))
    with pytest.raises(HostUnreadable, match="more than 10 names"):
        discover(str(archive))


def test_an_xz_file_that_asks_for_too_much_memory_is_refused(bundle: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**28}]
    bundle.write_bytes(lzma.compress(b"", filters=filters) + lzma.compress(b"x", filters=filters))
    with pytest.raises(HostUnreadable, match=r"(?i)memory"):
        discover(str(bundle))


def _cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _flip(data: bytes) -> bytes:
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("kind", ["w:xz", "w:gz", "w:bz2", "w"])
@pytest.mark.parametrize("damage", [_cut, _flip])
def test_a_damaged_archive_is_refused_or_read_as_far_as_it_is_sound(
    full: HostTree, bundle: Path, private: Path, kind: str, damage: Callable[[bytes], bytes]
) -> None:
    with tarfile.open(bundle, kind) as tar:  # type: ignore[call-overload]
        tar.add(full.root, arcname=".")
    bundle.write_bytes(damage(bundle.read_bytes()))
    if kind != "w":
        with pytest.raises(HostUnreadable, match=bundle.name):
            discover(str(bundle))
    assert list(private.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"no archive", b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh", bytes(10_240), b"{}" * 999]
)
def test_what_is_no_archive_is_refused_by_name(bundle: Path, data: bytes) -> None:
    bundle.write_bytes(data)
    with pytest.raises(HostUnreadable, match=bundle.name):
        discover(str(bundle))


def test_an_archive_without_a_host_says_so(bundle: Path) -> None:
    with tarfile.open(bundle, "w:xz") as tar:
        tar.addfile(member("readme")[0])
    with pytest.raises(HostUnreadable, match=r"host.tar.xz holds no host: it has neither sys/"):
        discover(str(bundle))


def test_a_missing_capture_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostUnreadable, match="nowhere cannot be unpacked: No such file"):
        discover(str(tmp_path / "nowhere"))


def test_a_fifo_is_no_capture(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HostUnreadable, match="pipe"):
        discover(str(tmp_path / "pipe"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2, "innkeeper": "9", "captured_at": "2026-01-01T00:00:00Z"}',
        '{"format": 1, "innkeeper": "9", "captured_at": "2026-01-01T00:00:00Z", "new": 1}',
    ],
)
def test_a_manifest_of_another_kind_is_refused(
    make_archive: Callable[..., Path], text: str
) -> None:
    with pytest.raises(HostUnreadable, match=MANIFEST) as caught:
        discover(str(make_archive(member(MANIFEST, data=text.encode()))))
    assert "cannot be understood" in caught.value.message


def test_a_manifest_is_found_again_as_it_was(full: HostTree, bundle: Path) -> None:
    manifest = write_capture(bundle, root=str(full.root))
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
