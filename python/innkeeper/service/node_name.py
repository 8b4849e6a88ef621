"""The name that claims are kept under: chosen once, kept beside them.

A host that is renamed keeps its node's name. Under a new one its claims would be there but not be
seen, and what they hold would be handed out again.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from innkeeper.errors import BadConfig
from innkeeper.objects.base import Name

FILE_NAME: Final = "node"

_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)


def node_name(configured: str | None, state_directory: Path) -> str:
    """The kept name, else the configured one, else the host's, which is kept from now on.

    Raises:
        BadConfig: another name is configured than the one that claims are kept under, or the file
            cannot be read or written.
    """
    file = state_directory / FILE_NAME
    try:
        kept = _read(file)
        if kept is None:
            return _keep(file, configured or socket.gethostname())
    except OSError as error:
        raise _refusal(f"{file} cannot be used: {error.strerror}") from error
    if configured not in (None, kept):
        raise _refusal(
            f"`node` is {configured!r}, but the claims in {state_directory} are kept under {kept!r}; "
            f"use that name, or another --state-dir, or release its claims and remove {file}"
        )
    return kept


def _read(file: Path) -> str | None:
    if not file.exists():
        return None
    try:
        return _NAME.validate_python(file.read_text().rstrip("\n"))
    except (ValidationError, UnicodeDecodeError):
        raise _refusal(f"{file} holds no name of a node") from None


def _keep(file: Path, name: str) -> str:
    """Durable before the first claim is; a crash leaves the whole file or none."""
    draft = file.with_suffix(".new")
    with draft.open("w") as out:
        out.write(f"{name}\n")
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return name


def _refusal(message: str) -> BadConfig:
    return BadConfig(message, errors=[{"path": "node", "message": message}])
