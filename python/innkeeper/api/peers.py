"""Who is at the other end of a unix socket, as the kernel says."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Final

#: unix(7) names it since Linux 4.13; the socket module does not.
_SO_PEERGROUPS: Final = 59
_MOST_GROUPS: Final = 65_536
_UCRED: Final = struct.Struct("iII")


@dataclass(frozen=True, slots=True)
class Peer:
    """A process at the moment when it connected: pid, user, and all of its groups."""

    pid: int
    """0 when the process lives in a pid namespace that is not ours."""
    uid: int
    gids: frozenset[int]


def peer_of(connection: socket.socket) -> Peer:
    """The process that connected (SO_PEERCRED, SO_PEERGROUPS of unix(7))."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    pid, uid, gid = _UCRED.unpack(credentials)
    return Peer(pid, uid, frozenset({gid, *_peer_groups(connection)}))


def _peer_groups(connection: socket.socket) -> tuple[int, ...]:
    size = 4 * 64
    try:
        groups = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, size)
    except OSError:
        # ERANGE: more than fit. Few hosts have such users, so that the second call is rare.
        groups = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MOST_GROUPS)
    return struct.unpack(f"{len(groups) // 4}I", groups)
