"""What a tracker shows of host, ledger and claims; nothing here waits or changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from innkeeper.objects import Host, Inventory, Placement, Pool, Request, Usage
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.store.base import Store
from innkeeper.tracker.convert import (
    Tally,
    object_reasons,
    placement_object,
    pool_objects,
    tally_of,
    usage_object,
)
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.statistics import TrackerStatistics


class Showing:
    """The side of a tracker that is looked at."""

    _parts: Parts
    _store: Store

    @property
    def host(self) -> Host:
        """The host as it was last observed."""
        return self._parts.host

    @property
    def inventory(self) -> Inventory:
        """What may be handed out."""
        return self._parts.inventory

    @property
    def booted_at(self) -> datetime | None:
        """When the host was first seen on its present boot; null: no claim is of an earlier one."""
        return self._parts.booted_at

    @property
    def rules(self) -> DeviceRules:
        """The operator's device specs."""
        return self._parts.rules

    @property
    def aliases(self) -> Aliases:
        """The operator's names for devices."""
        return self._parts.aliases

    @property
    def generation(self) -> int:
        """The ledger's generation on disk: what every answer so far is contained in."""
        return self._parts.writer.generation

    @property
    def edition(self) -> str:
        """Changes whenever any answer about claims, usage, pools or devices may have changed.

        The generation alone does not tell: claims of one batch share it and appear one by one.
        """
        parts = self._parts
        return f"{self.generation}.{parts.ledger.generation}.{parts.register.changes}"

    def usage(self) -> Usage:
        """The sums over all bookings, those that are being written included."""
        return usage_object(self._parts.ledger.usage())

    def pools(self) -> tuple[Pool, ...]:
        """Devices alike, counted."""
        return pool_objects(self._parts.ledger.pools())

    def device_holders(self) -> Mapping[str, UUID]:
        """Claim by device address."""
        return self._parts.register.device_holders()

    def fit(self, request: Request) -> Placement:
        """Where it would be placed now; nothing changes.

        Raises:
            BadRequest: an alias or a cell that the host does not have.
            NoFit: every reason, and the nearest request that fits.
            Undecided: the search bound was reached.
        """
        resolved = self._parts.resolve(request)
        with self._parts.searches, object_reasons(request, resolved):
            return placement_object(self._parts.ledger.fit(resolved))

    def count(self, request: Request, limit: int = 10_000) -> int | None:
        """How many such requests would fit one after another, at most `limit`.

        Null when the search bound was reached before it was known.

        Raises:
            BadRequest: an alias or a cell that the host does not have.
        """
        return self.tally(request, limit).times

    def tally(self, request: Request, limit: int = 10_000) -> Tally:
        """As `count`, with what runs out first."""
        tally = tally_of(self._parts.ledger, self._parts.resolve(request), limit)
        self._parts.searches.undecided += tally.times is None
        return tally

    def statistics(self) -> TrackerStatistics:
        """Counts for metrics and tests."""
        return TrackerStatistics(
            claims=len(self._parts.register),
            waiting=len(self._parts.line),
            in_doubt=self._parts.writer.in_doubt,
            store=self._store.statistics(),
            undecided=self._parts.searches.undecided,
            by_state=self._parts.register.count_states(),
        )
