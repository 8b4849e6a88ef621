"""What a bundle says of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from innkeeper.objects import Disk, VersionedObject

#: The manifest's name, beside sys/ and proc/.
MANIFEST = "innkeeper-capture.json"

#: Characters; a manifest with every line that it may have is far below.
MANIFEST_LIMIT = 1024 * 1024


class Manifest(VersionedObject):
    """What the files of a bundle do not tell."""

    format: Literal[1] = 1
    innkeeper: str
    """The version that made the bundle."""
    kernel: str | None = None
    captured_at: datetime
    redacted: bool = False
    """Whether names, addresses and serial numbers were replaced by made-up ones."""
    page_kib: int | None = None
    """Size of an ordinary page."""
    disk: Disk | None = None
    """The file system of `disk.path`, which no file of /sys or /proc tells."""
    files: int = 0
    skipped: tuple[str, ...] = ()
    """One line for each file that discovery reads and that could not be read."""
