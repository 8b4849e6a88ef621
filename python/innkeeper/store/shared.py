"""The store of one node in a database that many share, on PostgreSQL or MariaDB."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from innkeeper.clock import Clock
from innkeeper.errors import StoreMissing
from innkeeper.objects.releases import RELEASES
from innkeeper.store.address import Address
from innkeeper.store.batch import Owner, Position
from innkeeper.store.belonging import Arrival
from innkeeper.store.damage import Possession
from innkeeper.store.nova.writing import Database
from innkeeper.store.opening import Opening, read_version, take_ledger
from innkeeper.store.ownership import Ownership, take_ownership
from innkeeper.store.reads import Reads, ServerReads
from innkeeper.store.server_engines import READERS, server_readers, server_writer
from innkeeper.store.server_faults import Fault, fault_of
from innkeeper.store.sql_store import SqlStore
from innkeeper.store.tables import VERSION, schema
from innkeeper.store.transactions import Transactions

OPENING_PAUSES: Final = (0.05, 0.1, 0.2, 0.4)
"""Seconds before an opening that lost a race against another of the same node is tried again."""


class SharedStore(SqlStore):
    """Keeps one node's ledger beside those of others.

    Whoever opens the same node later takes its ledger over, and the former owner is fenced.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        node: str,
        clock: Clock | None = None,
        release: str = RELEASES[-1],
        adopts: bool = False,
        directory: Path | None = None,
    ) -> None:
        """Keep `node`'s ledger at `address`, or at the URL that says it; of the other words see `SqlStore`.

        `directory` is a state directory that only one owner at a time may have.

        Raises:
            BadConfig: the URL is none of a database server.
        """
        self._address = Address.parse(address) if isinstance(address, str) else address
        super().__init__(self._address, node=node, clock=clock, release=release, adopts=adopts)
        self._directory = directory
        self._ownership: Ownership | None = None

    def _take(self, opening: Opening) -> Possession:
        if self._directory is not None:
            self._ownership = take_ownership(self._directory)
        return open_shared(self._address, opening)

    def _let_go(self) -> None:
        ownership, self._ownership = self._ownership, None
        if ownership is not None:
            ownership.release()

    def _reads(self) -> Reads:
        return ServerReads(server_readers(self._address), READERS)


def open_shared(address: Address, opening: Opening) -> Possession:
    """Take a node's ledger under a new epoch; nothing but rows is made.

    Raises:
        StoreMissing: nobody made innkeeper's tables there, or they are of an older release.
        StoreTooNew, StoreForeign: as of `open_database`.
        SQLAlchemyError: the server does not answer, or refuses.
    """
    engine = server_writer(address)
    connection = engine.connect()
    try:
        with connection.begin():
            database = _require_founded(connection, address)
        taken = _take_in_turn(connection, address, opening)
    except BaseException:
        connection.close()
        engine.dispose()
        raise
    return Possession(Transactions(address, engine, connection, *taken), database=database)


def _take_in_turn(
    connection: Connection, address: Address, opening: Opening
) -> tuple[Owner, Position, Arrival]:
    """Of two that open a node's first ledger at once one is later, and finds the other's."""
    for pause in OPENING_PAUSES:
        try:
            with connection.begin():
                return take_ledger(connection, address, opening)
        except DBAPIError as error:
            if fault_of(error) is not Fault.RACE:
                raise
        time.sleep(pause)
    with connection.begin():
        return take_ledger(connection, address, opening)


def _require_founded(connection: Connection, address: Address) -> Database:
    """Whose Nova's tables there are."""
    found = None
    if inspect(connection).has_table(schema.name):
        found = read_version(connection, address)
    if found is None or found.version < VERSION:
        raise StoreMissing(
            f"{address} has no tables for a store of this release. Make them once with `innkeeper "
            "store init URL`, as a user who may; a daemon makes none",
            address=str(address),
            version=None if found is None else found.version,
            known=VERSION,
        )
    return Database(found.projection)
