"""A database that is in no file."""

from __future__ import annotations

import sqlite3
import weakref
from typing import Final
from uuid import uuid4

from sqlalchemy import URL

_VFS: Final = "memdb"
"""SQLite's own file system in memory (3.36), which connections of one process share by name."""


class Memory:
    """Holds records as long as it lives; several stores may open it one after another."""

    def __init__(self) -> None:
        self._name = f"file:/innkeeper-{uuid4().hex}"
        # What nobody has open is gone.
        anchor = sqlite3.connect(f"{self._name}?vfs={_VFS}", uri=True, check_same_thread=False)
        self._release = weakref.finalize(self, anchor.close)

    def url(self, driver: str) -> URL:
        """Where a connection finds it."""
        return URL.create(driver, database=self._name, query={"vfs": _VFS, "uri": "true"})
