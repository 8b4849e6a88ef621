"""What went wrong on a database server, in words for people.

PostgreSQL says SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html), MariaDB
numbers (https://mariadb.com/kb/en/mariadb-error-code-reference/); a connection that was lost says
nothing or a number from 2000 on.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from innkeeper.errors import (
    InnkeeperError,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreMissing,
    StoreUnreachable,
)
from innkeeper.store.address import Address


class Fault(StrEnum):
    """Kinds of faults that are told apart."""

    LOST = auto()
    """There is no connection; of a transaction that was not being committed nothing was written."""
    RACE = auto()
    """A deadlock, or a row that came between: the server undid the transaction; trying again helps."""
    LOCKED = auto()
    """Somebody else's lock, or a statement that took too long."""
    FULL = auto()
    REFUSED = auto()
    """User, password, database or rights."""
    MISSING = auto()
    """A table or column."""
    READ_ONLY = auto()
    OTHER = auto()


_STATES: Final[Mapping[str, Fault]] = {
    **dict.fromkeys(("40001", "40P01", "23505"), Fault.RACE),
    **dict.fromkeys(("57P01", "57P02", "57P03", "53300", "25P03"), Fault.LOST),
    **dict.fromkeys(("55P03", "57014"), Fault.LOCKED),
    **dict.fromkeys(("53100", "53200"), Fault.FULL),
    **dict.fromkeys(("28000", "28P01", "3D000", "42501"), Fault.REFUSED),
    **dict.fromkeys(("42P01", "42703"), Fault.MISSING),
    "25006": Fault.READ_ONLY,
}
_NUMBERS: Final[Mapping[int, Fault]] = {
    **dict.fromkeys((1213, 1062, 1020), Fault.RACE),
    **dict.fromkeys((1040, 1053, 1927, 4031), Fault.LOST),
    **dict.fromkeys((1205, 1969), Fault.LOCKED),
    **dict.fromkeys((1021, 1041, 1114), Fault.FULL),
    **dict.fromkeys((1044, 1045, 1049, 1142, 1143, 1698), Fault.REFUSED),
    **dict.fromkeys((1054, 1146), Fault.MISSING),
    **dict.fromkeys((1290, 1792, 1836), Fault.READ_ONLY),
}
_OF_CLIENTS: Final = range(2000, 3000)
"""Numbers that MariaDB's clients give, for want of a server's."""

_OF_CONNECTIONS: Final = (OperationalError, InterfaceError)
"""What a driver raises that has nothing from a server to tell."""


def fault_of(error: BaseException | None) -> Fault | None:
    """What kind of fault it is; null for what no server and no driver of one says."""
    if not isinstance(error, DBAPIError):
        return None
    module = type(error.orig).__module__
    if module.startswith("pymysql"):
        number = error.orig.args[0] if error.orig is not None and error.orig.args else None
        return _of_number(number)
    if not module.startswith("psycopg"):
        return None
    state: str | None = getattr(error.orig, "sqlstate", None)
    if state is None:
        return Fault.LOST if isinstance(error, _OF_CONNECTIONS) else Fault.OTHER
    return Fault.LOST if state.startswith("08") else _STATES.get(state, Fault.OTHER)


def _of_number(number: object) -> Fault:
    if not isinstance(number, int):
        return Fault.OTHER
    # A driver whose socket was closed under it says 0.
    is_lost = number == 0 or number in _OF_CLIENTS
    return Fault.LOST if is_lost else _NUMBERS.get(number, Fault.OTHER)


def may_go_again(error: BaseException | None) -> bool:
    """Whether a transaction that failed so, and was not written, may succeed when it is run anew."""
    return fault_of(error) in (Fault.LOST, Fault.RACE)


def was_undone(error: BaseException) -> bool:
    """Whether a server that answered a COMMIT so has written nothing of it."""
    return fault_of(error) is Fault.RACE


def as_server_error(error: DBAPIError, address: Address) -> InnkeeperError:
    """The error that says this to a person; no message has a password in it."""
    kind, words = _SENTENCES[fault_of(error) or Fault.OTHER]
    cause = " ".join(str(error.orig).split())
    return kind(words.format(address=address, cause=cause), address=str(address))


_SENTENCES: Final[Mapping[Fault, tuple[type[StoreError], str]]] = {
    Fault.LOST: (
        StoreUnreachable,
        "No connection to {address} ({cause}). Nothing was written; the next write tries again",
    ),
    Fault.RACE: (
        StoreLocked,
        "Others wrote the same rows in {address} again and again ({cause}); nothing was written",
    ),
    Fault.LOCKED: (
        StoreLocked,
        "A lock in {address} was held by somebody else for too long ({cause}); nothing was written",
    ),
    Fault.FULL: (StoreFull, "The server of {address} has no room ({cause}); nothing was written"),
    Fault.REFUSED: (
        StoreError,
        "{address} refuses this user ({cause}). Look at store.url and at the user's rights",
    ),
    Fault.MISSING: (
        StoreMissing,
        "{address} lacks tables or columns ({cause}). `innkeeper store init` makes them",
    ),
    Fault.READ_ONLY: (
        StoreError,
        "{address} takes no writes ({cause}): is it a replica? store.url has to name the primary",
    ),
    Fault.OTHER: (StoreError, "{address} could not be used ({cause})"),
}
