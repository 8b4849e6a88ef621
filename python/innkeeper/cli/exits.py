"""How a command ends: exit codes for scripts, sentences for people."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

from innkeeper.cli.quantities import printable
from innkeeper.errors import (
    BadRequest,
    Conflict,
    InnkeeperError,
    NoFit,
    Undecided,
    Unreachable,
)


class Exit(IntEnum):
    """Exit codes; others script against them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    NO_FIT = 3
    CONFLICT = 4
    FINDINGS = 5
    UNREACHABLE = 6
    UNDECIDED = 7


_BY_CLASS = (
    (NoFit, Exit.NO_FIT),
    (Undecided, Exit.UNDECIDED),
    (Conflict, Exit.CONFLICT),
    (Unreachable, Exit.UNREACHABLE),
    (BadRequest, Exit.USAGE),
)


def exit_code(error: InnkeeperError) -> Exit:
    """The exit code of a refusal."""
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), Exit.ERROR)


def emit(text: str) -> None:
    """Data goes to stdout; a reader that went away, as in `innkeeper claims | head`, ends the run.

    Raises:
        InnkeeperError: it cannot be written, such as to a full disk.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up_stdout()
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:
        _give_up_stdout()
        raise InnkeeperError(f"cannot write the answer: {error.strerror}") from error


def _give_up_stdout() -> None:
    """What is still buffered must not fail again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Talk goes to stderr; nobody has to listen."""
    try:
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)
    except OSError:
        return


def tell(error: InnkeeperError) -> None:
    """What was asked, what is free, what would fit."""
    reasons = error.details.get("reasons") or ()
    if not reasons:
        say(f"innkeeper: {error.message} [{error.code}]")
        return
    say(f"innkeeper: it does not fit [{error.code}]")
    for reason in reasons:
        for line in _reason_lines(_plain(reason)):
            say(f"  {line}")
    nearest = _flags(_plain(error.details.get("nearest") or {}))
    say(f"  would fit now: {nearest}" if nearest else "  nothing of this kind would fit now")


def _plain(value: Any) -> Mapping[str, Any]:
    """A detail as it travels; without a daemon it is still an object."""
    plain: Mapping[str, Any] = value if isinstance(value, Mapping) else value.model_dump()
    return plain


def _reason_lines(reason: Mapping[str, Any]) -> Iterator[str]:
    yield f"{reason['resource']}: {reason['message']}"
    for step in reason.get("filters") or ():
        yield f"  {step['filter']}: removed {step['removed']}, left {step['left']}"


def _flags(request: Mapping[str, Any]) -> str:
    """A request in the words of the command line."""
    flags = [
        f"{flag} {request[name]}{unit}"
        for name, flag, unit in (
            ("vcpus", "--vcpus", ""),
            ("memory_mib", "--memory", "MiB"),
            ("disk_mib", "--disk", "MiB"),
        )
        if request.get(name)
    ]
    flags += [
        f"--device {one['vendor_id']}:{one['product_id']}={one['count']}"
        for one in request.get("devices") or ()
    ]
    flags += [f"--counter {name}={n}" for name, n in (request.get("counters") or {}).items()]
    return " ".join(flags)
