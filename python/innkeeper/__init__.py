"""innkeeper knows what a host has, who holds it, and whether the next guest fits.

As a library, without daemon or database: `discover()` or `simulated(spec)` give a `Host`,
`take_inventory(host)` says what of it may be handed out, and a `Ledger` of that books requests.
A `Tracker` adds time, history and audits, over a `MemoryStore` or, durable, a `SqliteStore` or a `SharedStore`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from innkeeper._core import Ledger, __version__
    from innkeeper.config import Config
    from innkeeper.drivers import discover, driver_for, simulated
    from innkeeper.errors import InnkeeperError, NoFit, Undecided
    from innkeeper.objects import (
        Claim,
        ClaimSpec,
        DeviceRequest,
        Holder,
        Host,
        Inventory,
        MoveKind,
        MoveSpec,
        Placement,
        Request,
    )
    from innkeeper.requests.flavor_requests import limits_of_scheduler, request_of_flavor
    from innkeeper.requests.inventory import take_inventory
    from innkeeper.requests.overheads import with_overhead
    from innkeeper.store.memory_store import MemoryStore
    from innkeeper.store.shared import SharedStore
    from innkeeper.store.sqlite import SqliteStore
    from innkeeper.tracker import Tracker

__all__ = [
    "Claim",
    "ClaimSpec",
    "Config",
    "DeviceRequest",
    "Holder",
    "Host",
    "InnkeeperError",
    "Inventory",
    "Ledger",
    "MemoryStore",
    "MoveKind",
    "MoveSpec",
    "NoFit",
    "Placement",
    "Request",
    "SharedStore",
    "SqliteStore",
    "Tracker",
    "Undecided",
    "__version__",
    "discover",
    "driver_for",
    "limits_of_scheduler",
    "request_of_flavor",
    "simulated",
    "take_inventory",
    "with_overhead",
]

_HOMES = {
    "innkeeper._core": ("Ledger", "__version__"),
    "innkeeper.config": ("Config",),
    "innkeeper.drivers": ("discover", "driver_for", "simulated"),
    "innkeeper.errors": ("InnkeeperError", "NoFit", "Undecided"),
    "innkeeper.objects": (
        *("Claim", "ClaimSpec", "DeviceRequest", "Holder", "Host", "Inventory"),
        *("MoveKind", "MoveSpec", "Placement", "Request"),
    ),
    "innkeeper.requests.flavor_requests": ("limits_of_scheduler", "request_of_flavor"),
    "innkeeper.requests.inventory": ("take_inventory",),
    "innkeeper.requests.overheads": ("with_overhead",),
    "innkeeper.store.memory_store": ("MemoryStore",),
    "innkeeper.store.shared": ("SharedStore",),
    "innkeeper.store.sqlite": ("SqliteStore",),
    "innkeeper.tracker": ("Tracker",),
}


if not TYPE_CHECKING:  # else a misspelt name would be of type object

    def __getattr__(name: str) -> object:
        """Load what is asked for when it is asked for: the command line must start at once."""
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module 'innkeeper' has no attribute {name!r}")
