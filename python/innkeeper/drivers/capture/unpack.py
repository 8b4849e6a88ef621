"""Unpacks an archive that nobody vouches for into a folder of our own."""

from __future__ import annotations

import lzma
import os
import tarfile
import zlib
from pathlib import Path
from typing import IO, cast

from innkeeper.drivers.capture.inflate import UNPACKED_LIMIT, TooLarge, inflate
from innkeeper.drivers.capture.manifest import MANIFEST
from innkeeper.drivers.capture.selection import file_names
from innkeeper.errors import HostUnreadable

#: Names in one archive, and bytes of one name.
NAMES_LIMIT = 300_000
_PATH_LIMIT = 4096

_DAMAGED = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError)


def unpack(archive: Path, folder: Path) -> None:
    """Put files, folders and links of a tar archive under a folder that is empty.

    Of the files only those are taken that discovery reads. Links are made last, so that nothing is
    ever written through one. Devices, FIFOs and hard links are passed over: no capture needs them.

    Raises:
        HostUnreadable: it is no archive, damaged, too large, or wants to write outside the folder.
    """
    try:
        # Without O_NONBLOCK a FIFO would be waited for.
        descriptor = os.open(archive, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = inflate(file)
            # Of a stream nothing but `read` is used.
            with tarfile.open(fileobj=cast("IO[bytes]", content), mode="r|") as tar:
                _Unpacking(archive, folder, tar).run()
            content.drain()
    except TooLarge as error:
        problem = f"has more than {UNPACKED_LIMIT} bytes when unpacked"
        raise _refusal(archive, problem) from error
    except _DAMAGED as error:
        problem = f"is no capture, or a damaged one: {error}"
        raise _refusal(archive, problem) from error
    except OSError as error:
        # bz2 and gzip say by it that the data are wrong.
        raise _refusal(archive, f"cannot be unpacked: {error.strerror or error}") from error


class _Unpacking:
    def __init__(self, archive: Path, folder: Path, tar: tarfile.TarFile) -> None:
        self._archive = archive
        self._folder = folder
        self._tar = tar
        self._links: dict[str, str] = {}
        self._folders: set[str] = set()
        self._wanted = file_names() | {MANIFEST}

    def run(self) -> None:
        count = 0
        while (member := self._tar.next()) is not None:
            count += 1
            if count > NAMES_LIMIT:
                raise _refusal(self._archive, f"has more than {NAMES_LIMIT} names")
            self._take(member)
            # The archive would remember every member until it is closed.
            self._tar.members.clear()  # type: ignore[attr-defined]
        for path, target in self._links.items():
            self._make_link(path, target)

    def _take(self, member: tarfile.TarInfo) -> None:
        path = self._require_inside(member.name)
        if member.isdir():
            self._make_folder(path)
        elif member.isreg() and path.rpartition("/")[2] in self._wanted:
            self._write(path, member)
        elif member.issym() and len(member.linkname) <= _PATH_LIMIT:
            self._links[path] = member.linkname

    def _require_inside(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\0" in name or len(name) > _PATH_LIMIT:
            problem = f"wants to write outside its folder: {ascii(name)[:200]}"
            raise _refusal(self._archive, problem)
        return "/".join(parts) or "."

    def _write(self, path: str, member: tarfile.TarInfo) -> None:
        content = self._tar.extractfile(member)
        self._make_folder(path.rpartition("/")[0])
        (self._folder / path).write_bytes(content.read() if content else b"")

    def _make_link(self, path: str, target: str) -> None:
        place = self._folder / path
        if not os.path.lexists(place):
            self._make_folder(path.rpartition("/")[0])
            place.symlink_to(target)

    def _make_folder(self, path: str) -> None:
        if path not in self._folders:
            (self._folder / path).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folders.add(path)


def _refusal(archive: Path, problem: str) -> HostUnreadable:
    return HostUnreadable(f"{archive} {problem}", file=str(archive))
