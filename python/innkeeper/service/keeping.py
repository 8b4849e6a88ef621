"""Which store a daemon keeps its claims in."""

from __future__ import annotations

from innkeeper.clock import Clock
from innkeeper.service.premises import Premises
from innkeeper.store.base import Store
from innkeeper.store.shared import SharedStore
from innkeeper.store.sqlite import SqliteStore


def store_of(premises: Premises, clock: Clock, *, adopts: bool) -> Store:
    """The one that `store.url` names, else the database in the state directory.

    Raises:
        BadConfig: the URL is none of a database server.
    """
    release, url = premises.config.nova.release, premises.config.store.url
    if url is None:
        return SqliteStore(
            premises.database, node=premises.node, clock=clock, release=release, adopts=adopts
        )
    return SharedStore(
        url.get_secret_value(),
        node=premises.node,
        clock=clock,
        release=release,
        adopts=adopts,
        directory=premises.state_directory,
    )
