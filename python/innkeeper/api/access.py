"""What a peer may do: its role, by the names of its user and groups in the configuration."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Final

import anyio.to_thread

from innkeeper.api.peers import Peer
from innkeeper.clock import Clock
from innkeeper.config import Access
from innkeeper.errors import Forbidden
from innkeeper.objects import Holder

NAMES_KEPT_SECONDS: Final = 60.0
"""How long names of users and groups are believed before they are looked up again."""
_MOST_KEPT: Final = 4096


class Role(IntEnum):
    """Each role may do what those below it may."""

    NOBODY = 0
    READER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True)
class Caller:
    """The peer of one request, with its name and its role."""

    peer: Peer
    user: str
    role: Role

    @cached_property
    def holder(self) -> Holder:
        """Who does it, for the history."""
        return Holder(user=self.user)

    def require(self, role: Role) -> None:
        """Raises Forbidden unless the caller may do what this role may."""
        if self.role < role:
            raise Forbidden(
                f"{self.user} (uid {self.peer.uid}) is {_in_words(self.role)} here, and this takes "
                f"{_in_words(role)}: the daemon's configuration names them under [access]",
                user=self.user,
                role=self.role.name.lower(),
                needed=role.name.lower(),
            )


@dataclass(frozen=True, slots=True)
class _Names:
    """What a peer is called: its user, and every name that a rule may have for it."""

    user: str
    all: frozenset[str]
    looked_up_at: float


class AccessRules:
    """Roles by the `[access]` section; root and the daemon's own user are always admins."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access = access
        self._clock = clock
        self._names: dict[Peer, _Names] = {}
        self._always_admin = frozenset({0, os.getuid()})

    async def identify(self, peer: Peer) -> Caller:
        """Name and role of a peer; names are looked up off the loop, since they may come over LDAP."""
        names = self._names.get(_kind_of(peer))
        if names is None or self._clock.monotonic() - names.looked_up_at > NAMES_KEPT_SECONDS:
            names = await self._look_up(_kind_of(peer))
        return Caller(peer, names.user, self._role(peer.uid, names.all))

    async def _look_up(self, kind: Peer) -> _Names:
        user, groups = await anyio.to_thread.run_sync(_names_of, kind)
        if len(self._names) >= _MOST_KEPT:
            self._names.clear()
        names = _Names(user, frozenset({user, *groups}), self._clock.monotonic())
        self._names[kind] = names
        return names

    def _role(self, uid: int, names: frozenset[str]) -> Role:
        access = self.access
        if uid in self._always_admin or _named(access.admins, names):
            return Role.ADMIN
        if _named(access.operators, names):
            return Role.OPERATOR
        return Role.READER if _named(access.readers, names) else Role.NOBODY


def _kind_of(peer: Peer) -> Peer:
    """All processes of one user with the same groups have the same names."""
    return Peer(0, peer.uid, peer.gids)


def _named(rule: tuple[str, ...], names: frozenset[str]) -> bool:
    return "*" in rule or not names.isdisjoint(rule)


def _names_of(peer: Peer) -> tuple[str, list[str]]:
    groups = [name for gid in peer.gids if (name := _group_name(gid)) is not None]
    return _user_name(peer.uid), groups


def _user_name(uid: int) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid-{uid}"
    return name if name.isprintable() and 0 < len(name) <= 255 else f"uid-{uid}"


def _group_name(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def _in_words(role: Role) -> str:
    return {
        Role.NOBODY: "nobody",
        Role.READER: "a reader",
        Role.OPERATOR: "an operator",
        Role.ADMIN: "an admin",
    }[role]
