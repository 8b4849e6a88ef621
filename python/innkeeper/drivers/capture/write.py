"""Makes a bundle of a host."""

from __future__ import annotations

import lzma
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from innkeeper._core import __version__
from innkeeper.clock import Clock, SystemClock
from innkeeper.drivers.capture.collect import Collected, collect
from innkeeper.drivers.capture.manifest import MANIFEST, Manifest
from innkeeper.drivers.capture.redact import redact as redacted_form
from innkeeper.drivers.capture.serial_files import files_of
from innkeeper.drivers.sysfs.identity import read_disk, read_page_kib
from innkeeper.drivers.sysfs.notes import Notes
from innkeeper.drivers.sysfs.place import find_root
from innkeeper.drivers.sysfs.tree import Tree
from innkeeper.errors import BadRequest
from innkeeper.objects import Disk

#: The one folder in which a bundle has everything, so that unpacking it by hand makes no mess.
FOLDER = "innkeeper-capture"

#: A bundle is mostly many small files alike: a higher one takes much longer and saves little.
_COMPRESSION = 2


def write_capture(
    path: Path,
    *,
    root: str = "/",
    redact: bool = False,
    disk_path: str | None = None,
    clock: Clock | None = None,
) -> Manifest:
    """Write all that discovery reads of a host into a tar.xz file; an older file is replaced.

    With `redact`, names of the host, addresses and serial numbers are replaced by made-up ones, and so are
    mount points, volumes and names of network devices that people chose. Returns what the bundle says
    of itself, with a line for each file that was skipped.

    Raises:
        HostUnreadable: there is no host under `root`.
        BadRequest: the file cannot be written there.
    """
    place = find_root(root)
    found = collect(place)
    found = redacted_form(found) if redact else found
    manifest = Manifest(
        innkeeper=__version__,
        kernel=found.texts.get("proc/sys/kernel/osrelease", "").strip() or None,
        captured_at=(clock or SystemClock()).now(),
        redacted=redact,
        page_kib=read_page_kib(place),
        disk=_disk(place, disk_path, redact=redact),
        files=len(found.texts),
        skipped=found.skipped,
    )
    _write_whole(path, found, manifest)
    return manifest


def _disk(root: str, path: str | None, *, redact: bool) -> Disk | None:
    with Tree(root, Notes()) as tree:
        disk = read_disk(tree, root, path)
    return disk.model_copy(update={"path": "/mnt/disk"}) if disk and redact else disk


def _write_whole(path: Path, found: Collected, manifest: Manifest) -> None:
    """Write beside the place and move it there, so that no half bundle is ever seen.

    What is no regular file, such as a device node, is never replaced.
    """
    if path.exists() and not path.is_file():
        problem = f"cannot write the capture {path}: it is no regular file"
        raise BadRequest(problem, errors=[{"path": "file", "message": problem}])
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                _write(file, found, manifest)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)  # noqa: PTH105 - both are plain names here
            except BaseException:
                Path(file.name).unlink()
                raise
    except OSError as error:
        problem = f"cannot write the capture {path}: {error.strerror}"
        raise BadRequest(problem, errors=[{"path": "file", "message": problem}]) from error


def _write(file: IO[bytes], found: Collected, manifest: Manifest) -> None:
    text = manifest.model_dump_json(indent=2) + "\n"
    with lzma.open(file, "wb", preset=_COMPRESSION) as tar:
        for info, data in chain([_file(MANIFEST, text.encode())], _members(found)):
            tar.write(info.tobuf(tarfile.PAX_FORMAT) + data)
            tar.write(bytes(-len(data) % tarfile.BLOCKSIZE))
        tar.write(bytes(2 * tarfile.BLOCKSIZE))


def _members(found: Collected) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Every member in a fixed order, folders before what is in them."""
    for folder in sorted(found.folders):
        yield _entry(folder, tarfile.DIRTYPE, 0o755), b""
    for path, text in sorted(found.texts.items()):
        yield _file(path, text.encode())
    for folder in sorted(found.serials.keys() | found.port_types.keys()):
        files = files_of(found.serials.get(folder), found.port_types.get(folder))
        for name, data in files.items():
            yield _file(f"{folder}/{name}", data)
    for path, target in sorted(found.links.items()):
        info = _entry(path, tarfile.SYMTYPE, 0o777)
        info.linkname = posixpath.relpath(target, posixpath.dirname(path))
        yield info, b""


def _file(path: str, data: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = _entry(path, tarfile.REGTYPE, 0o644)
    info.size = len(data)
    return info, data


def _entry(path: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(f"{FOLDER}/{path}")
    info.type, info.mode = kind, mode
    return info
