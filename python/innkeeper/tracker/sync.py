"""The ledger's inventory kept in step with host, operator's words, claims and cordons."""

from __future__ import annotations

from innkeeper.requests.inventory import put_together
from innkeeper.tracker.parts import Parts


def refresh(parts: Parts) -> bool:
    """Give the ledger the inventory of this moment; whether it is another one.

    Whoever waits is to be served after. Nothing is awaited: between a change and what it means for
    the ledger nobody books.
    """
    table, offer = parts.cordons, parts.offer
    offer.observe(parts.host.functions, parts.rules)
    devices = offer.devices(parts.register.held_devices(), table.marks, table.cordoned)
    parts.marks_in_ledger = table.marks
    inventory = put_together(parts.host, parts.config, table.cordoned, devices)
    # A device to clean may be there again, or another command may clean it.
    parts.dirt_due.ring()
    if inventory == parts.inventory:
        return False
    parts.inventory = inventory
    return parts.ledger.observe(inventory)


def refresh_marks(parts: Parts) -> None:
    """The same, unless the ledger has all marks already; before anything is given back."""
    if parts.marks_in_ledger is not parts.cordons.marks:
        refresh(parts)
