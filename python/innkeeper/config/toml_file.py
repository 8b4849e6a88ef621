"""A TOML file to a table, with every way it can be wrong told to people."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from innkeeper.errors import BadConfig

#: Bytes; a fleet's longest device list is a hundredth of it.
SIZE_LIMIT = 1024 * 1024


def read_toml(path: Path) -> dict[str, Any]:
    """The table in a file.

    Raises:
        BadConfig: it is missing, unreadable, no regular file, larger than `SIZE_LIMIT`, not UTF-8
            or no TOML; the message names the file and, where it is known, the line.
    """
    text = _decode(path, _read(path))
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, f"is no TOML: {error}") from error
    except RecursionError as error:
        raise _refusal(path, "is nested too deeply") from error


def _read(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK a FIFO would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _refusal(path, f"cannot be read: {_reason(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _refusal(path, "is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(SIZE_LIMIT + 1)
    finally:
        os.close(descriptor)
    if len(data) > SIZE_LIMIT:
        raise _refusal(path, f"is larger than {SIZE_LIMIT} bytes")
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal(path, f"is not UTF-8 text: byte {error.start}, line {line}") from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _refusal(path: Path, problem: str) -> BadConfig:
    file = str(path)
    message = f"{file if file.isprintable() else ascii(file)} {problem}"
    return BadConfig(message, file=file, errors=[{"path": "", "message": problem}])
