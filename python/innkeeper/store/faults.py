"""What went wrong underneath, in words for people; of servers see `server_faults`.

SQLite's result codes: https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from innkeeper.errors import (
    InnkeeperError,
    InternalError,
    OutcomeUnknown,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreLocked,
)
from innkeeper.store.address import Address, Place
from innkeeper.store.server_faults import as_server_error, was_undone

PRIMARY = 0xFF
"""The low byte of an extended result code is the code it refines."""

CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM})
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

#: A write that failed. The commit frame is the last that SQLite writes before it syncs, so after
#: one of these it is not in the log and the transaction cannot come back.
FAILED_WRITES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})

IO_FAULTS = {
    sqlite3.SQLITE_IOERR_WRITE: "could not be written",
    sqlite3.SQLITE_IOERR_READ: "could not be read",
    sqlite3.SQLITE_IOERR_FSYNC: "could not be synced to the disk",
    sqlite3.SQLITE_IOERR_DIR_FSYNC: "could not be synced to the disk",
    sqlite3.SQLITE_IOERR_TRUNCATE: "could not be cut",
}


def result_code(error: BaseException) -> int | None:
    """SQLite's extended result code, where the error has one."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlite_errorcode", None)


def proves_not_written(error: BaseException) -> bool:
    """Whether a COMMIT that failed so cannot have become durable."""
    return result_code(error) in FAILED_WRITES or was_undone(error)


@contextmanager
def told_as_store_error(path: Place) -> Iterator[None]:
    """Raise whatever goes wrong with this database as one of innkeeper's errors."""
    try:
        yield
    except InnkeeperError:
        raise
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise as_store_error(error, path) from error


def as_store_error(error: BaseException, path: Place) -> InnkeeperError:
    """The error that says this to a person; what nobody foresaw is an `InternalError`."""
    if isinstance(error, InnkeeperError):
        return error
    if isinstance(path, Address):
        return _of_server(error, path)
    if isinstance(error, OSError):
        return _of_system(error, path)
    code = result_code(error)
    if code is None:
        return _of_driver(error, path)
    return _of_sqlite(code, error, path)


def unknown_outcome(path: Place) -> OutcomeUnknown:
    """What whoever waits for a COMMIT is told when nobody knows how it ended."""
    what = (
        f"The connection was lost while {path} committed"
        if isinstance(path, Address)
        else f"The disk failed while {path} was synced"
    )
    return OutcomeUnknown(
        f"{what}: the write may or may not last. It is looked up until it is known", path=str(path)
    )


def still_in_doubt(path: Place) -> StoreError:
    """What whoever comes after that is told."""
    whose = "server's" if isinstance(path, Address) else "kernel's"
    return StoreError(
        f"An earlier write to {path} failed and its outcome is not known yet; "
        f"nothing more is written until it is. See the {whose} log",
        path=str(path),
    )


def _of_server(error: BaseException, address: Address) -> InnkeeperError:
    if isinstance(error, DBAPIError):
        return as_server_error(error, address)
    return _unforeseen(error)


def _of_sqlite(code: int, error: BaseException, path: Path) -> StoreError:
    primary, cause = code & PRIMARY, _cause(error)
    if primary == sqlite3.SQLITE_FULL:
        return _full(path)
    if primary in LOCKED:
        return StoreLocked(
            f"{path} is locked by another process; nothing was written. "
            "Close whatever has it open (`fuser` names it)",
            path=str(path),
        )
    if primary in CORRUPT:
        return StoreCorrupt(
            f"{path} is damaged ({cause}). At the next start it is set aside and what can be "
            "read of it is carried over",
            path=str(path),
        )
    if primary in READ_ONLY:
        return StoreError(f"{path} cannot be opened for writing ({cause})", path=str(path))
    if primary == sqlite3.SQLITE_IOERR:
        fault = IO_FAULTS.get(code, "had an input/output error")
        return StoreError(f"{path} {fault}; see the kernel's log", path=str(path), cause=cause)
    return StoreError(f"{path} could not be used ({cause})", path=str(path))


def _of_system(error: OSError, path: Path) -> StoreError:
    if error.errno in NO_SPACE:
        return _full(path)
    place = error.filename or path
    return StoreError(f"{place} cannot be used ({error.strerror})", path=str(place))


def _of_driver(error: BaseException, path: Path) -> InnkeeperError:
    if isinstance(error, DBAPIError | sqlite3.Error):
        return StoreError(f"{path} could not be used ({_cause(error)})", path=str(path))
    return _unforeseen(error)


def _unforeseen(error: BaseException) -> InternalError:
    return InternalError(f"The store failed unexpectedly ({type(error).__name__}: {error})")


def _full(path: Path) -> StoreFull:
    free = _free_mib(path)
    room = "" if free is None else f" ({free} MiB free)"
    return StoreFull(
        f"The disk that holds {path} is full or a limit is reached{room}; nothing was written. "
        "Free some space, or move the state directory",
        path=str(path),
        free_mib=free,
    )


def _free_mib(path: Path) -> int | None:
    with suppress(OSError):
        found = os.statvfs(path.parent)
        return found.f_bavail * found.f_frsize // 2**20
    return None


def _cause(error: BaseException) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error)
