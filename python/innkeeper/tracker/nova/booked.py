"""What an instance has by one claim, in the objects in which Nova keeps it with an instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Self
from uuid import UUID

from innkeeper.errors import BadRequest
from innkeeper.objects import Claim, DeviceRequest, Move, Placement, Request
from innkeeper.objects.flavor import Flavor
from innkeeper.objects.instance_numa import InstanceNUMATopology
from innkeeper.objects.pci_request import InstancePCIRequests
from innkeeper.objects.request import DevicePattern
from innkeeper.requests.nova_flavors import nova_flavor
from innkeeper.requests.nova_requests import kinds_of, nova_requests
from innkeeper.requests.numa_words.nova_placed import nova_of_placed
from innkeeper.tracker.nova.device_rows import request_id

Resolve = Callable[[Request], Request]
"""A request with what its aliases stand for; BadRequest for one that nobody gave."""


@dataclass(frozen=True, slots=True)
class Booked:
    """What was asked for and given: by a claim here, or as the claim elsewhere says it."""

    instance_uuid: UUID
    named_by: UUID
    """What the ids of its device requests are made of: its claim, or the move where that is not known."""
    request: Request
    placement: Placement
    is_here: bool

    @classmethod
    def by(cls, claim: Claim) -> Self:
        """What a claim of an instance on this host says."""
        assert claim.instance_uuid is not None
        return cls(claim.instance_uuid, claim.id, claim.request, claim.placement, is_here=True)

    @classmethod
    def elsewhere(cls, instance_uuid: UUID, move: Move) -> Self | None:
        """What the instance has on the source; null where nobody said it."""
        origin = move.origin
        if origin is None:
            return None
        named_by = origin.claim_id or move.id
        return cls(instance_uuid, named_by, origin.request, origin.placement, is_here=False)

    @property
    def flavor(self) -> Flavor:
        """See `nova_flavor`."""
        return nova_flavor(self.request)

    @property
    def topology(self) -> InstanceNUMATopology | None:
        """Where its cells are; null when it has none."""
        if self.request.topology is None:
            return None
        topology = nova_of_placed(self.request.topology, self.placement.cells)
        topology.instance_uuid = str(self.instance_uuid)
        return topology

    def pci_requests(self, resolve: Resolve) -> InstancePCIRequests:
        """What it asks for of devices, with the ids that rows of its devices name."""
        devices = self._resolved(resolve)
        ids = chain.from_iterable(
            repeat(UUID(request_id(self.named_by, position)), kinds_of(one))
            for position, one in enumerate(devices)
        )
        return nova_requests(self.instance_uuid, devices, ids)

    def _resolved(self, resolve: Resolve) -> tuple[DeviceRequest, ...]:
        """By what was given, where a name stands for nothing here (any more)."""
        try:
            return resolve(self.request).devices
        except BadRequest:
            return tuple(self._told_by_placement(*one) for one in enumerate(self.request.devices))

    def _told_by_placement(self, position: int, devices: DeviceRequest) -> DeviceRequest:
        if devices.alias is None:
            return devices
        return devices.model_copy(update={"alternatives": tuple(self._given_for(position))})

    def _given_for(self, position: int) -> Iterator[DevicePattern]:
        ids = {
            (one.vendor_id, one.product_id)
            for one in self.placement.devices
            if one.request == position
        }
        for vendor_id, product_id in sorted(ids):
            yield {"vendor_id": vendor_id, "product_id": product_id}
