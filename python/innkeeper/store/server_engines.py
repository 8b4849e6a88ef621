"""PostgreSQL and MariaDB as this store uses them: one connection that writes, a few that read.

The drivers are synchronous, for the writer has a thread of its own and reads have some: so the
statements are the same ones, run in the same way, as on SQLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Engine, NullPool, QueuePool, create_engine, event
from sqlalchemy.exc import NoSuchModuleError

from innkeeper.errors import StoreUnsupported
from innkeeper.store.address import Address

LOCK_SECONDS: Final = 3
"""How long somebody else's lock on a row is waited for."""
STATEMENT_SECONDS: Final = 30
"""How long one statement may take, and a transaction may hold its locks while nothing is heard of it:
a host whose network is cut must not keep others waiting."""
CONNECT_SECONDS: Final = 5
READERS: Final = 4
"""Connections for reads; a daemon has one more, which writes."""
RECYCLE_SECONDS: Final = 1800
"""A connection for reads is a new one after this."""

OLDEST_POSTGRESQL: Final = 13
OLDEST_MARIADB: Final = (10, 6)

#: Each statement of a write sees what is committed by then: under the lock on its ledger's row nobody
#: changes what is the node's own, and Nova's rows are looked at before they are written.
WRITER_ISOLATION: Final = "READ COMMITTED"
#: All statements of a read see the moment of its first one.
READER_ISOLATION: Final = "REPEATABLE READ"

_ARGUMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "postgresql": {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "innkeeper",
        # A peer that is gone without a word is noticed after about 25 seconds.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    },
    "mysql": {
        "charset": "utf8mb4",
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": STATEMENT_SECONDS + CONNECT_SECONDS,
        "write_timeout": STATEMENT_SECONDS + CONNECT_SECONDS,
    },
}
_SESSION: Final[Mapping[str, tuple[str, ...]]] = {
    "postgresql": (
        f"SET lock_timeout = '{LOCK_SECONDS}s'",
        f"SET statement_timeout = '{STATEMENT_SECONDS}s'",
        f"SET idle_in_transaction_session_timeout = '{STATEMENT_SECONDS}s'",
        "SET client_encoding = 'UTF8'",
        "SET synchronous_commit = on",
    ),
    "mysql": (
        # Nothing is ever cut to fit; Nova's services set the same.
        "SET SESSION sql_mode = 'TRADITIONAL'",
        f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
        f"SET SESSION max_statement_time = {STATEMENT_SECONDS}",
        f"SET SESSION idle_transaction_timeout = {STATEMENT_SECONDS}",
    ),
}
_READ_ONLY: Final[Mapping[str, str]] = {
    "postgresql": "SET default_transaction_read_only = on",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


def server_writer(address: Address) -> Engine:
    """Each connection is a new one.

    Raises:
        StoreUnsupported: its driver is not installed. From the first connection on also: the server
            is too old.
    """
    return _engine(address, _session(address), isolation_level=WRITER_ISOLATION, poolclass=NullPool)


def server_readers(address: Address) -> Engine:
    """Connections that cannot write; one that broke since it was used last is replaced unseen.

    Raises:
        StoreUnsupported: as of `server_writer`.
    """
    return _engine(
        address,
        (*_session(address), _READ_ONLY[_kind(address)]),
        isolation_level=READER_ISOLATION,
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=RECYCLE_SECONDS,
    )


def _kind(address: Address) -> str:
    return address.url.get_backend_name()


def _session(address: Address) -> tuple[str, ...]:
    return _SESSION[_kind(address)]


def _engine(address: Address, session: tuple[str, ...], **words: Any) -> Engine:
    given = address.url.query
    usual = _ARGUMENTS[_kind(address)]
    arguments = {name: value for name, value in usual.items() if name not in given}
    try:
        # Parameters are what people claim for: an error must not carry them into a log.
        engine = create_engine(address.url, connect_args=arguments, hide_parameters=True, **words)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise StoreUnsupported(
            f"{address} needs a driver that is not installed ({error}): install "
            "innkeeper[postgresql] or innkeeper[mariadb]",
            address=str(address),
        ) from None

    def prepare(connection: Any, _record: object) -> None:
        _require_known(connection, address)
        _run(connection, session)

    event.listen(engine, "connect", prepare)
    return engine


def _run(connection: Any, statements: tuple[str, ...]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()


def _require_known(connection: Any, address: Address) -> None:
    """Raises StoreUnsupported for a server that lacks what the store needs."""
    if _kind(address) == "postgresql":
        major = connection.info.server_version // 10_000
        found, good = f"PostgreSQL {major}", major >= OLDEST_POSTGRESQL
    else:
        found, good = _mariadb(connection.get_server_info())
    if not good:
        raise StoreUnsupported(
            f"{address} is on {found}; innkeeper keeps its records on PostgreSQL from "
            f"{OLDEST_POSTGRESQL} on and MariaDB from {'.'.join(map(str, OLDEST_MARIADB))} on",
            address=str(address),
            found=found,
        )


def _mariadb(words: str) -> tuple[str, bool]:
    """`5.5.5-10.11.6-MariaDB-0+deb12u1`, the front of it for the sake of old clients."""
    version = words.removeprefix("5.5.5-").split("-")[0]
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if "mariadb" not in words.lower():
        return f"MySQL {version}", False
    return f"MariaDB {version}", numbers >= OLDEST_MARIADB
