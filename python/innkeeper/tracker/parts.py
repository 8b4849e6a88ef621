"""What the lives of claims and audits share, built once by the tracker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from innkeeper import _core
from innkeeper.clock import Clock
from innkeeper.config import Config
from innkeeper.objects import Claim, Host, Inventory, Request
from innkeeper.objects.cordon import Cordon
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.cells import require_cells
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.host_pages import NOBODY, OthersPages
from innkeeper.requests.offer import Offer
from innkeeper.requests.overheads import with_overhead
from innkeeper.requests.strangers import Strangers, cpus_of
from innkeeper.store.base import Store
from innkeeper.tracker.alarms import Alarms
from innkeeper.tracker.bell import Bell
from innkeeper.tracker.cordon_table import CordonTable
from innkeeper.tracker.instances import Instances, no_instances
from innkeeper.tracker.lapses import DueClaims, Expiries
from innkeeper.tracker.leaving import Leaving
from innkeeper.tracker.processes import ProcessWatch
from innkeeper.tracker.register import Register
from innkeeper.tracker.searches import Searches
from innkeeper.tracker.waiting import WaitingLine
from innkeeper.tracker.writing import Writer


@dataclass(slots=True)
class Parts:
    """One host's ledger and everything around it; the last ones change after the start."""

    node: str
    store: Store
    clock: Clock
    ledger: _core.Ledger
    register: Register
    alarms: Alarms
    line: WaitingLine
    writer: Writer
    due: DueClaims
    expiries: Expiries
    processes: ProcessWatch
    offer: Offer
    cordons: CordonTable
    dirt_due: Bell
    """There may be something to clean."""
    look_due: Bell
    """The host may have changed, or what is reported of it."""
    host: Host
    inventory: Inventory
    config: Config
    rules: DeviceRules
    aliases: Aliases
    instances: Instances = field(default_factory=no_instances)
    booted_at: datetime | None = None
    """When the host was first seen on its present boot; null: no claim is of an earlier one."""
    draining: bool = False
    leaving: Leaving = field(default_factory=Leaving)
    searches: Searches = field(default_factory=Searches)
    others: OthersPages = NOBODY
    """Hugepages that are in use without a claim, as of the last observation."""
    marks_in_ledger: tuple[Cordon, ...] = ()
    """The cordons that the ledger's inventory was made with."""
    made_of: tuple[object, ...] = ()
    """What the inventory was put together from last: from the very same it is not put together again."""

    @property
    def service_host(self) -> str:
        """The host of the service in Nova's tables, which may have several nodes."""
        return self.config.service.host or self.node

    @property
    def strangers(self) -> Strangers:
        """What runs without a claim; of CPUs those that no claim holds, for they are kept anyhow."""
        found = self.instances.strangers
        if not found.cpus:
            return found
        held = frozenset(cpu for claim in self.register for cpu in cpus_of(claim.placement))
        return replace(found, cpus={c: why for c, why in found.cpus.items() if c not in held})

    def resolve(self, words: Request) -> Request:
        """A caller's words as the ledger takes them.

        Raises:
            BadRequest: an alias or a cell that the host does not have, or a device request that makes
                no sense.
        """
        require_cells(words, self.inventory)
        return self.with_overhead(self.aliases.resolve(words))

    def with_overhead(self, request: Request) -> Request:
        """What the hypervisor needs itself counts, and is not in the caller's words."""
        return with_overhead(request, self.config.overhead)

    def follow(self, claim: Claim) -> None:
        """A claim is durable in this form: watch for what ends it, or stop watching."""
        if claim.state.live:
            self.expiries.arm(claim)
        else:
            self.expiries.forget(claim.id)
            self.processes.forget(claim.id)
