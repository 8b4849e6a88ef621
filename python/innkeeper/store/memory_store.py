"""The store of one host in memory: for tests, and for whoever needs no more than the process does."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from innkeeper.clock import Clock
from innkeeper.objects.releases import RELEASES
from innkeeper.store.damage import Possession
from innkeeper.store.engines import reader_engine
from innkeeper.store.memory import Memory
from innkeeper.store.opening import Opening, open_memory
from innkeeper.store.reads import FileReads, Reads
from innkeeper.store.sql_store import SqlStore

_NOWHERE: Final = Path("(in memory)")
"""What messages call it."""


class MemoryStore(SqlStore):
    """The same statements on the same engine as `SqliteStore`; all is gone with the process.

    A read may wait for a write, which takes microseconds here.
    """

    def __init__(
        self,
        memory: Memory | None = None,
        *,
        node: str,
        clock: Clock | None = None,
        release: str = RELEASES[-1],
    ) -> None:
        """Keep `node`'s ledger in `memory`, or in one that goes with this store."""
        super().__init__(_NOWHERE, node=node, clock=clock, release=release)
        self._memory = memory or Memory()

    def _take(self, opening: Opening) -> Possession:
        return Possession(open_memory(self._memory, _NOWHERE, opening))

    def _let_go(self) -> None:
        """Nobody else can have it."""

    def _reads(self) -> Reads:
        return FileReads(reader_engine(self._memory))
