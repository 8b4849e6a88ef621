"""The root of a host tree."""

from __future__ import annotations

import os

from innkeeper.errors import HostUnreadable


def find_root(given: str) -> str:
    """The folder that holds sys/ or proc/: the given one, or the only folder in it.

    Raises:
        HostUnreadable: there is none.
    """
    try:
        if _has_parts(given):
            return given
        folders = [entry.path for entry in os.scandir(given) if entry.is_dir(follow_symlinks=False)]
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        message = f"the host's root {given!r} cannot be read: {why}"
        raise HostUnreadable(message, root=given) from error
    if len(folders) == 1 and _has_parts(folders[0]):
        return folders[0]
    message = (
        f"{given!r} is no host's root: it has neither sys/ nor proc/; name the folder that has"
    )
    raise HostUnreadable(message, root=given)


def _has_parts(folder: str) -> bool:
    return any(os.path.lexists(f"{folder}/{name}") for name in ("sys", "proc"))
