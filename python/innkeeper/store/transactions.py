"""Transactions of a ledger's owner, each written, not written or unknown.

*Unknown*: the sync of COMMIT failed. The frames may lie whole behind the end of the log, and a
recovery would find them there; only a later commit, which overwrites them, makes it certain. Or the
connection to a server was lost during COMMIT, which may still be under way there: it holds the lock on
the ledger's row until it ends, and the look waits for that. Until one succeeds, nothing else is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import structlog
from sqlalchemy import Connection, Engine, bindparam, select

from innkeeper.errors import InnkeeperError, StoreError, StoreFenced
from innkeeper.store.address import Place
from innkeeper.store.batch import Owner, Position, fenced, pass_fence
from innkeeper.store.belonging import Arrival
from innkeeper.store.engines import ask_pragma
from innkeeper.store.faults import (
    as_store_error,
    proves_not_written,
    still_in_doubt,
    told_as_store_error,
    unknown_outcome,
)
from innkeeper.store.server_faults import may_go_again
from innkeeper.store.tables import batches, ledgers

log = structlog.get_logger(__name__)

T = TypeVar("T")

Work = Callable[[Connection, Position], tuple[Position, T]]
"""Statements of one transaction: from where the ledger stands to where it will, and an answer."""

SETTLE_PAUSES: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each attempt to learn how a COMMIT ended, until its callers are told `unknown`."""

AGAIN_SECONDS = 3.0
"""How long after its begin a transaction that a server undid, or that lost its connection, is run anew."""
AGAIN_PAUSE = 0.05
"""Seconds before the first time; twice as long before each next one."""

_LEDGER = (
    select(ledgers.c.epoch, ledgers.c.generation, ledgers.c.sequence)
    .where(ledgers.c.node == bindparam("key_node"))
    .with_for_update()
)
_BATCH = select(batches.c.generation).where(
    batches.c.node == bindparam("key_node"), batches.c.generation == bindparam("of_generation")
)


@dataclass(slots=True)
class Transactions:
    """Owns the connection that writes; for one thread at a time."""

    path: Place
    engine: Engine
    connection: Connection
    owner: Owner
    position: Position
    arrival: Arrival = field(default_factory=Arrival)
    """What its opening found."""
    _doubt: Position | None = None
    """Where the ledger stands if the transaction of unknown outcome was written."""
    _fenced: bool = False
    _reconnected: int = 0

    @property
    def in_doubt(self) -> bool:
        """Whether the outcome of a transaction is unknown."""
        return self._doubt is not None

    def run(self, work: Work[T]) -> T:
        """Return once it is durable.

        Raises:
            OutcomeUnknown: it may be durable.
            StoreError: nothing was written.
        """
        self.settle()
        if self._fenced:
            raise fenced(self.owner)
        end, pause = time.monotonic() + AGAIN_SECONDS, AGAIN_PAUSE
        while True:
            try:
                return self._run_once(work)
            except InnkeeperError as error:
                if self.in_doubt or not may_go_again(error.__cause__) or time.monotonic() > end:
                    raise
                log.warning("transaction run anew", path=str(self.path), cause=error.message)
            time.sleep(pause)
            pause *= 2

    def settle(self) -> None:
        """Find out how a transaction of unknown outcome ended, if there is one.

        Raises:
            StoreError: it is still unknown.
        """
        if self._doubt is not None and self._try_settle(self._doubt) is None:
            raise still_in_doubt(self.path)

    def foreign_writes(self) -> tuple[int, int] | None:
        """Equal as long as no other connection wrote; null where the database does not say.

        A new connection counts anew, so which one was asked is part of it.

        Raises:
            StoreError
        """
        if self.engine.dialect.name != "sqlite":
            return None
        with told_as_store_error(self.path):
            return self._reconnected, int(ask_pragma(self.connection, "data_version"))

    def close(self) -> None:
        """Let go of the database."""
        with suppress(Exception):
            self.connection.close()
        self.engine.dispose()

    def _run_once(self, work: Work[T]) -> T:
        after, answer = self._execute(work)
        self._commit(after)
        return answer

    def _execute(self, work: Work[T]) -> tuple[Position, T]:
        try:
            self.connection.begin()
            return work(self.connection, self.position)
        except StoreFenced:
            self._fenced = True
            self._roll_back()
            raise
        except Exception as error:
            self._roll_back()
            raise as_store_error(error, self.path) from error

    def _commit(self, after: Position) -> None:
        try:
            self._end_transaction()
        except Exception as error:
            self._roll_back()
            if not proves_not_written(error) and self._find_outcome(after, error):
                return
            raise as_store_error(error, self.path) from error
        self.position = after

    def _end_transaction(self) -> None:
        transaction = self.connection.get_transaction()
        if transaction is None:
            raise StoreError(f"The transaction on {self.path} was lost", path=str(self.path))
        transaction.commit()

    def _roll_back(self) -> None:
        """Also when SQLAlchemy believes that the transaction ended and SQLite does not."""
        with suppress(Exception):
            if transaction := self.connection.get_transaction():
                transaction.rollback()
        with suppress(Exception):
            if not self.connection.invalidated:
                self.connection.connection.rollback()

    def _find_outcome(self, after: Position, cause: Exception) -> bool:
        log.error("outcome of commit unknown", path=str(self.path), cause=str(cause))
        self._doubt = after
        for pause in SETTLE_PAUSES:
            time.sleep(pause)
            written = self._try_settle(after)
            if written is not None:
                log.warning("outcome of commit found", written=written)
                return written
        raise unknown_outcome(self.path) from cause

    def _try_settle(self, doubt: Position) -> bool | None:
        """Whether the transaction in doubt was written; None while that cannot be known."""
        try:
            self.connection.begin()
            written = self._settle(doubt)
            self._end_transaction()
        except Exception as error:
            log.warning("outcome still unknown", path=str(self.path), cause=str(error))
            self._roll_back()
            self._reconnect()
            return None
        self._doubt = None
        return written

    def _settle(self, doubt: Position) -> bool:
        """Read how it ended and move the ledger on: that commit overwrites what was left over."""
        found = self.connection.execute(_LEDGER, {"key_node": self.owner.node}).one()
        asked = {"key_node": self.owner.node, "of_generation": doubt.generation}
        written = self.connection.execute(_BATCH, asked).first() is not None
        if found.epoch != self.owner.epoch:
            self._fenced = True
            return written
        old = Position(found.generation, found.sequence)
        new = Position(max(old.generation, doubt.generation) + 1, old.sequence)
        pass_fence(self.connection, self.owner, old, new)
        self.position = new
        return written

    def _reconnect(self) -> None:
        """The new connection is there before the old one goes.

        If none held the log's index, opening it would recover the frames whose sync failed.
        """
        with suppress(Exception):
            connection = self.engine.connect()
            old, self.connection = self.connection, connection
            self._reconnected += 1
            old.close()
