"""How a command ends: exit codes for scripts, sentences for people."""

from __future__ import annotations

import sys
from enum import IntEnum
from typing import Any

from pydantic import BaseModel

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


def say(text: str) -> None:
    """Talk goes to stderr, data to stdout."""
    print(text, file=sys.stderr)


def tell(error: InnkeeperError) -> None:
    """What was asked, what is free, what would fit."""
    say(f"innkeeper: {error.message} [{error.code}]")
    for reason in error.details.get("reasons") or ():
        for line in _reason_lines(_plain(reason)):
            say(f"  {line}")
    nearest = error.details.get("nearest")
    if nearest:
        say(f"  would fit now: {_flags(_plain(nearest)) or 'nothing of it'}")


def _plain(value: Any) -> dict[str, Any]:
    """A detail as it travels: without a daemon it is still an object."""
    plain: dict[str, Any] = value.model_dump() if isinstance(value, BaseModel) else value
    return plain


def _reason_lines(reason: dict[str, Any]) -> list[str]:
    lines = [f"{reason['resource']}: {reason['message']}"]
    lines += [
        f"  {step['filter']}: removed {step['removed']}, left {step['left']}"
        for step in reason.get("filters") or ()
    ]
    return lines


def _flags(request: dict[str, Any]) -> str:
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
