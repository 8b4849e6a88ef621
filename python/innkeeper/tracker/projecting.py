"""Which rows of Nova's tables a step changes, from the parts of the tracker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from innkeeper.objects import Claim
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.compute_node import ComputeNode
from innkeeper.objects.host import Device, Inventory
from innkeeper.tracker.convert import pool_objects, usage_object
from innkeeper.tracker.nova_rows import (
    claim_rows,
    compute_node_row,
    device_rows,
    gone_rows,
    service_row,
)
from innkeeper.tracker.parts import Parts


class Projecting:
    """Makes the rows of one host."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._inventory: Inventory | None = None
        self._by_address: dict[str, Device] = {}

    def of_host(self, gone: Iterable[Device] = ()) -> tuple[VersionedObject, ...]:
        """Service, node, every device, and over them what claims hold."""
        parts = self._parts
        devices = device_rows(parts.inventory.devices)
        held = claim_rows(parts.node, parts.register, self._offered())
        return (service_row(parts.node), self._node_row(), *gone_rows(gone), *devices, *held)

    def of_claims(self, claims: Sequence[Claim]) -> tuple[VersionedObject, ...]:
        """The next forms of these claims, and the totals with them."""
        if not claims:
            return ()
        return (self._node_row(), *claim_rows(self._parts.node, claims, self._offered()))

    def _offered(self) -> Mapping[str, Device]:
        """Devices by address, looked up anew only when the inventory is another one."""
        inventory = self._parts.inventory
        if self._inventory is not inventory:
            self._inventory = inventory
            self._by_address = {device.address: device for device in inventory.devices}
        return self._by_address

    def _node_row(self) -> ComputeNode:
        """The ledger still holds what is being released: those who are leaving do not count."""
        parts = self._parts
        return compute_node_row(
            parts.node,
            parts.host,
            parts.inventory,
            usage_object(parts.ledger.usage()),
            pool_objects(parts.ledger.pools()),
            tuple(parts.leaving.values()),
        )
