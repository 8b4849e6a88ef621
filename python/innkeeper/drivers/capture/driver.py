"""A captured host behind the protocol of every driver."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from innkeeper.clock import Clock
from innkeeper.drivers.base import Change
from innkeeper.drivers.capture.manifest import MANIFEST, MANIFEST_LIMIT, Manifest
from innkeeper.drivers.capture.unpack import unpack
from innkeeper.drivers.still import no_changes
from innkeeper.drivers.sysfs import SysfsDriver
from innkeeper.drivers.sysfs.place import find_root
from innkeeper.errors import HostUnreadable
from innkeeper.objects import Host


class CaptureDriver:
    """Observes the host of a bundle that is unpacked: always the same, as it was when captured."""

    def __init__(self, folder: Path) -> None:
        """Take a folder with sys/ or proc/ in it, with or without a manifest.

        Raises:
            HostUnreadable: there is no host in it, or its manifest is not one of ours.
        """
        root = find_root(str(folder))
        self.manifest = _read_manifest(Path(root))
        self._sysfs = SysfsDriver(root)

    def observe(self) -> Host:  # noqa: D102
        host = self._sysfs.observe()
        if self.manifest is None:
            return host
        update = {
            "disk": self.manifest.disk,
            "page_kib": self.manifest.page_kib,
            "observed_at": self.manifest.captured_at,
            "warnings": tuple(dict.fromkeys([*self.manifest.skipped, *host.warnings])),
        }
        return host.model_copy(update=update)

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:  # noqa: D102
        return no_changes()


@contextmanager
def open_capture(path: Path) -> Iterator[CaptureDriver]:
    """A driver for a bundle, for any tar of /sys and /proc (xz, gzip, bzip2 or plain), or for a folder.

    An archive is unpacked into a private folder that is removed afterwards.

    Raises:
        HostUnreadable: it is none of these, damaged, or too large; the message says which.
    """
    if path.is_dir():
        yield CaptureDriver(path)
        return
    with tempfile.TemporaryDirectory(prefix="innkeeper-capture-") as private:
        # Without any other name, a host is called as the folder it lies in.
        name = re.sub(r"\.(tar|tgz|txz|tbz2?)(\.\w+)?$", "", path.name)
        folder = Path(private) / (name or "capture")
        folder.mkdir(mode=0o700)
        unpack(path, folder)
        yield _driver_of(folder, path)


def _driver_of(folder: Path, archive: Path) -> CaptureDriver:
    try:
        return CaptureDriver(folder)
    except HostUnreadable as error:
        if error.details.get("file"):
            raise
        # The message speaks of a folder that nobody has ever seen.
        problem = f"{archive} holds no host: it has neither sys/ nor proc/ in it"
        raise HostUnreadable(problem, file=str(archive)) from error


def has_manifest(folder: Path) -> bool:
    """Whether a folder is a bundle that somebody unpacked."""
    return (folder / MANIFEST).is_file()


def _read_manifest(root: Path) -> Manifest | None:
    if not has_manifest(root):
        return None
    file = root / MANIFEST
    try:
        with file.open(encoding="utf-8") as text:
            return Manifest.model_validate_json(text.read(MANIFEST_LIMIT))
    except (OSError, ValueError) as error:
        why = _why(error)
        message = f"the capture's {MANIFEST} cannot be understood: {why}"
        raise HostUnreadable(message, file=str(file)) from error


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        return f"{where}: {first['msg']}; was it made by a newer innkeeper?"
    return str(error)
