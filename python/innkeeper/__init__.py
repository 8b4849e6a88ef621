"""innkeeper knows what a host has, who holds it, and whether the next guest fits.

As a library, without daemon or database: `discover()` or `simulated(spec)` give a `Host`,
`take_inventory(host)` says what of it may be handed out, and a `Ledger` of that books requests.
`innkeeper.tracker.Tracker` adds time and durability.
"""

from innkeeper._core import Ledger, __version__
from innkeeper.drivers import discover, simulated
from innkeeper.errors import InnkeeperError, NoFit, Undecided
from innkeeper.objects import DeviceRequest, Host, Inventory, Placement, Request
from innkeeper.requests.inventory import take_inventory

__all__ = [
    "DeviceRequest",
    "Host",
    "InnkeeperError",
    "Inventory",
    "Ledger",
    "NoFit",
    "Placement",
    "Request",
    "Undecided",
    "__version__",
    "discover",
    "simulated",
    "take_inventory",
]
