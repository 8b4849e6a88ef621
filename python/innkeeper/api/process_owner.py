"""Whose process a claim may be tied to."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread

from innkeeper.api.access import Caller, Role
from innkeeper.errors import Forbidden


async def require_tie_allowed(caller: Caller, pid: int) -> None:
    """Let a caller tie claims to processes of its own, and an admin to any.

    A process that is gone passes: the tracker refuses it by that reason.

    Raises:
        Forbidden: it belongs to somebody else.
    """
    if caller.role is Role.ADMIN or pid == caller.peer.pid:
        return
    owner = await anyio.to_thread.run_sync(_owner, pid)
    if owner is not None and owner != caller.peer.uid:
        raise Forbidden(
            f"process {pid} belongs to another user; a claim can be tied to your own processes",
            pid=pid,
            uid=caller.peer.uid,
        )


def _owner(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None
