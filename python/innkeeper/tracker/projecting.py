"""Which rows of Nova's tables a step changes, from the parts of the tracker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from innkeeper.objects import ChangeSet, Claim, PciDevice, PciFunction
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.compute_node import ComputeNode
from innkeeper.tracker.device_book import DeviceBook
from innkeeper.tracker.device_rows import device_row
from innkeeper.tracker.nova_cells import NovaCells
from innkeeper.tracker.nova_rows import compute_node_row, instance_rows, service_row
from innkeeper.tracker.nova_totals import Totals
from innkeeper.tracker.parts import Parts


class Projecting:
    """Makes the rows of one host."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._book = DeviceBook(parts.offer.admission)
        for claim in parts.register:
            self._book.follow(claim)
        self._functions: Mapping[str, PciFunction] = {}
        self._cells = NovaCells(parts.config.nova.release)

    def of_host(self) -> tuple[VersionedObject, ...]:
        """Service, node, devices whose row may be another, and instances that hold any of these.

        A device that is held and not offered is always among them: the store takes the rows of devices
        that it is told nothing of for those of devices that left the host.
        """
        self._observe()
        self._book.touch(self._book.absent())
        return (service_row(self._parts.node), *self._rows(self._holders()))

    def _holders(self) -> list[Claim]:
        held = map(self._book.holding, self._book.touched)
        return list({one.claim.id: one.claim for one in held if one is not None}.values())

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """The next forms of these claims, the devices that this concerns, and the totals with them."""
        if not claims:
            return ()
        self._observe()
        try:
            for claim in claims:
                self._book.follow(claim)
            return tuple(self._rows(claims))
        except BaseException:
            for claim in claims:
                self._follow_published(claim)
            raise

    def landed(self, change_set: ChangeSet) -> None:
        """The claims in it are published; their forms were followed when its rows were made."""
        for claim in change_set.claims:
            self._follow_published(claim)

    def lost(self, change_set: ChangeSet) -> None:
        """What is published counts again, and whatever was to be written is written with the next step."""
        for claim in change_set.claims:
            self._follow_published(claim)
        records = (one for one in change_set.records if isinstance(one, PciDevice))
        self._book.touch(record.address for record in records)

    def _follow_published(self, claim: Claim) -> None:
        published = self._parts.register.find(claim.id)
        if published is not None and published.id == claim.id:
            self._book.follow(published)
        else:
            self._book.forget(claim)

    def _observe(self) -> None:
        """Take over the devices, and what their functions say beside."""
        self._book.observe(self._parts.inventory.devices)
        before, now = self._functions, self._parts.offer.admission.by_address
        if now is before:
            return
        self._functions = now
        for address, function in now.items():
            if before.get(address) is not function:
                self._book.touch_family(address)

    def _rows(self, claims: Sequence[Claim]) -> Iterator[VersionedObject]:
        node = self._parts.node
        yield self._node_row()
        for address in self._book.take_touched():
            yield device_row(node, address, self._book, self._parts.offer.admission)
        yield from instance_rows(node, claims)

    def _node_row(self) -> ComputeNode:
        """The ledger still holds what is being given back: that does not count."""
        parts = self._parts
        usage, leaving = parts.ledger.usage(), parts.leaving
        return compute_node_row(
            parts.node,
            parts.host,
            parts.inventory,
            Totals.of(usage, leaving),
            self._book.pools.as_object(),
            self._cells.text(parts.inventory, usage, leaving.placements),
        )
