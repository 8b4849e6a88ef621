"""The ledger's inventory kept in step with host, operator's words, claims and cordons."""

from __future__ import annotations

from collections.abc import Mapping
from operator import is_

from innkeeper.config import Config
from innkeeper.objects import Host
from innkeeper.requests.collection import no_collection
from innkeeper.requests.cpu_sets import CpuSets, require_cpus
from innkeeper.requests.host_pages import CellPages
from innkeeper.requests.host_remarks import remarks_on_host
from innkeeper.requests.inventory import put_together
from innkeeper.requests.remarks import Remark
from innkeeper.requests.strangers import Reckoning
from innkeeper.tracker.parts import Parts


@no_collection()
def refresh(parts: Parts) -> bool:
    """Give the ledger the inventory of this moment; whether it is another one.

    Whoever waits is to be served after. Nothing is awaited: between a change and what it means for
    the ledger nobody books.
    """
    table, offer = parts.cordons, parts.offer
    offer.observe(parts.host.functions, parts.rules)
    held, strangers = parts.register.held_devices(), parts.strangers
    devices = offer.devices(held, table.marks, table.cordoned, parts.instances.strangers.devices)
    parts.marks_in_ledger = table.marks
    # A device to clean may be there again, or another command may clean it.
    parts.dirt_due.ring()
    made_of = (parts.host, parts.config, table.cordoned, devices, parts.others, strangers)
    if len(parts.made_of) == len(made_of) and all(map(is_, parts.made_of, made_of)):
        return False
    inventory = put_together(*made_of)
    parts.made_of = made_of
    if inventory == parts.inventory:
        return False
    parts.inventory = inventory
    return parts.ledger.observe(inventory)


def refresh_marks(parts: Parts) -> None:
    """The same, unless the ledger has all marks already; before anything is given back.

    A dedicated CPU that somebody is on beside its holder is kept off from then on.
    """
    if parts.marks_in_ledger is not parts.cordons.marks or parts.instances.strangers.cpus:
        refresh(parts)


async def observe_instances(parts: Parts) -> None:
    """Ask the hypervisor; what instances use without a claim counts from the next `refresh`."""
    dedicated = CpuSets.of(parts.host, parts.config).dedicated
    await parts.instances.observe(parts.register, Reckoning(dedicated, parts.config.overhead))


def take_in(parts: Parts, host: Host, held_before: Mapping[CellPages, int]) -> None:
    """Go by this observation, during which claims may have come and gone.

    `held_before` is what they held when it began: a claim that ended meanwhile may still have been seen.
    """
    now = pages_in_ledger(parts)
    held = {place: max(count, held_before.get(place, 0)) for place, count in now.items()}
    parts.host = host
    parts.others = parts.others.after(host, held)


def require_new_cpus(parts: Parts, config: Config) -> None:
    """Words in `[cpus]` that are in force stay, whatever the host loses; new ones it has to follow.

    Raises:
        BadConfig: CPUs are named that the host cannot give.
    """
    if config.cpus != parts.config.cpus:
        require_cpus(parts.host, config)


def pages_in_ledger(parts: Parts) -> dict[CellPages, int]:
    """Pages that claims hold, of every size that the cells have."""
    cells = parts.ledger.usage().cells
    return {(cell.cell, pages.size_kib): pages.used for cell in cells for pages in cell.pages}


def host_remarks(parts: Parts) -> tuple[Remark, ...]:
    """What of the host is not as claims and the operator's words have it."""
    return remarks_on_host(parts.host, parts.config, parts.others)
