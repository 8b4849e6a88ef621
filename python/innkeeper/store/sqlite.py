"""The store of one host in one SQLite file."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from innkeeper.clock import Clock
from innkeeper.objects.releases import RELEASES
from innkeeper.store.damage import Possession, list_set_aside, mark_seen, open_or_rebuild
from innkeeper.store.engines import reader_engine
from innkeeper.store.opening import Opening
from innkeeper.store.ownership import Ownership, take_ownership
from innkeeper.store.reads import FileReads, Reads
from innkeeper.store.sql_store import SqlStore


class SqliteStore(SqlStore):
    """Keeps one node's ledger in one file and is its only owner while it is open."""

    def __init__(
        self,
        path: Path,
        *,
        node: str,
        clock: Clock | None = None,
        release: str = RELEASES[-1],
        adopts: bool = False,
    ) -> None:
        """Keep `node`'s ledger at `path`; of the other words see `SqlStore`."""
        super().__init__(path, node=node, clock=clock, release=release, adopts=adopts)
        self._file = path
        self._ownership: Ownership | None = None

    async def list_set_aside(self) -> tuple[str, ...]:  # noqa: D102
        return await anyio.to_thread.run_sync(list_set_aside, self._file)

    async def mark_seen(self, path: str) -> str | None:  # noqa: D102
        seen = await anyio.to_thread.run_sync(mark_seen, self._file, Path(path))
        return None if seen is None else str(seen)

    def _take(self, opening: Opening) -> Possession:
        self._ownership = take_ownership(self._file.parent)
        return open_or_rebuild(self._file, opening)

    def _let_go(self) -> None:
        ownership, self._ownership = self._ownership, None
        if ownership is not None:
            ownership.release()

    def _reads(self) -> Reads:
        return FileReads(reader_engine(self._file))
