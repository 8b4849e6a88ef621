"""How a command ends: exit codes for scripts, sentences for people."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from innkeeper.cli.quantities import printable
from innkeeper.errors import (
    BadRequest,
    Conflict,
    InnkeeperError,
    NoFit,
    Undecided,
    Unreachable,
)

if TYPE_CHECKING:
    from innkeeper.objects import Misfit


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


def offer(text: str) -> None:
    """The same for whom nobody has to read: it goes on in any case."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        _give_up_stdout()


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
    reasons: Sequence[Misfit] = error.details.get("reasons") or ()
    if not reasons:
        say(f"innkeeper: {error.message} [{error.code}]")
        return
    from innkeeper.cli.refusals import reason_lines, refusal_lines

    say(f"innkeeper: it does not fit [{error.code}]")
    if "nearest" in error.details:
        lines = refusal_lines(reasons, error.details["nearest"])
    else:
        lines = reason_lines(reasons)
    for line in lines:
        say(line)
