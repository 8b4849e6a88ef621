"""A row of Nova's tables made a claim: of exactly what it says is held, and only on a person's order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from pydantic import ValidationError

from innkeeper.errors import BadRequest, NotRepairable
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    DeviceRequest,
    Event,
    EventKind,
    Finding,
    Holder,
    Instance,
    InstancePCIRequests,
    PciDevice,
    PlacedDevice,
)
from innkeeper.requests.nova_instances import placement_of_instance, request_of_instance
from innkeeper.requests.nova_requests import devices_of_nova
from innkeeper.requests.strangers import Use
from innkeeper.tracker.audit.free_devices import free_device
from innkeeper.tracker.audit.repairing import Plan, cannot
from innkeeper.tracker.audit.row_room import why_no_room
from innkeeper.tracker.audit.rows_of_instance import InstanceRows, read_rows
from innkeeper.tracker.convert import fingerprint
from innkeeper.tracker.devices.dirt import after_use
from innkeeper.tracker.nova.projecting import Projecting
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import refresh

REASON: Final = "adopted: its row had no claim"


class RowAdoptRepair:
    """Makes a confirmed claim of what the row of an instance says that it has."""

    kinds = frozenset({"row_unclaimed"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        rows = self._parts.writer.rows
        if not isinstance(rows, Projecting):
            raise NotRepairable("Nova's tables are not kept any more: `[nova] tables` says so")
        uuid = _uuid(finding)
        found = await read_rows(self._parts, rows, finding)
        # Nothing is awaited from here on.
        if found is None or self._parts.register.ids_of_instance(uuid):
            return None
        claim = self._claim(finding, uuid, found)
        adoption = _Adoption(self._parts, claim, self._parts.instances.uses.get(uuid))
        held = claim.placement
        return Plan(
            f"claim {claim.id} is made of the row of instance {uuid}: {claim.request.vcpus} vCPUs, "
            f"{claim.request.memory_mib} MiB of memory, {claim.request.disk_mib or 0} MiB of disk, "
            f"{len(held.cells)} cells and {len(held.devices)} devices",
            claims=(claim,),
            events=(_adopted(finding, claim),),
            begin=adoption.begin,
            landed=adoption.landed,
            lost=adoption.lost,
        )

    def _claim(self, finding: Finding, uuid: UUID, found: InstanceRows) -> Claim:
        parts = self._parts
        spec, devices = _spec(finding, uuid, found), self._devices(finding, found)
        try:
            placement = placement_of_instance(
                found.instance, parts.with_overhead(spec.request), devices, parts.inventory
            )
        except BadRequest as error:
            raise cannot(finding, error.message) from None
        own = parts.instances.uses.get(uuid)
        for why in why_no_room(parts, placement, spec.request.topology, own):
            raise cannot(finding, why)
        now = parts.clock.now()
        return Claim(
            id=spec.claim_id or uuid,
            node=parts.node,
            state=ClaimState.CONFIRMED,
            instance_uuid=uuid,
            name=spec.name,
            holder=spec.holder,
            request=spec.request,
            placement=placement,
            fingerprint=fingerprint(spec),
            after_use=after_use(parts, placement),
            created_at=now,
            updated_at=now,
        )

    def _devices(self, finding: Finding, found: InstanceRows) -> list[PlacedDevice]:
        positions = _positions(found.instance)
        placed = []
        for position, row in enumerate(found.devices):
            device = free_device(self._parts, finding, row.address)
            if (device.vendor_id, device.product_id) != (row.vendor_id, row.product_id):
                raise cannot(
                    finding,
                    f"device {row.address} is {device.vendor_id}:{device.product_id} on the host, and "
                    f"{row.vendor_id}:{row.product_id} in its row",
                )
            asked = positions.get(_request_id(row)) if positions else position
            placed.append(device.model_copy(update={"request": asked}))
        return placed


@dataclass(frozen=True, slots=True)
class _Adoption:
    """What the row tells becomes a booking, and what the instance was seen to use is no stranger's."""

    parts: Parts
    claim: Claim
    use: Use | None

    def begin(self) -> None:
        self.parts.register.reserve_instance(self.claim.instance_uuid, self.claim.id)
        if self.use is not None:
            self.parts.instances.claimed(self.use.instance.uuid)
        self.parts.ledger.restore([(str(self.claim.id), self.claim.placement)])

    def landed(self) -> None:
        self.parts.follow(self.claim)
        refresh(self.parts)

    def lost(self) -> None:
        # Reserved again before it is given back: the ledger may have been given a host without it.
        if self.use is not None:
            self.parts.instances.unclaimed(self.use)
            refresh(self.parts)
        self.parts.ledger.unbook(str(self.claim.id))
        self.parts.register.forget_instance(self.claim.instance_uuid, self.claim.id)


def _uuid(finding: Finding) -> UUID:
    try:
        return UUID(finding.subject)
    except ValueError:
        raise cannot(finding, f"{finding.subject} is no UUID") from None


def _spec(finding: Finding, uuid: UUID, found: InstanceRows) -> ClaimSpec:
    """The words that the row would have been claimed with."""
    instance = found.instance
    try:
        request = request_of_instance(
            instance, _asked(finding, found), boots_from_volume=found.boots_from_volume
        )
        said = {"project": instance.project_id, "user": instance.user_id, "reason": REASON}
        return ClaimSpec(
            claim_id=uuid4(),
            instance_uuid=uuid,
            name=instance.display_name or None,
            request=request,
            holder=Holder(**{name: text for name, text in said.items() if text}),
        )
    except BadRequest as error:
        raise cannot(finding, error.message) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise cannot(finding, f"{where}: {first['msg']}") from None


def _asked(finding: Finding, found: InstanceRows) -> tuple[DeviceRequest, ...]:
    """Its own requests, each with as many devices as it asks for; where it has none, its devices."""
    requests = _requests(found.instance)
    if not requests.requests:
        return tuple(
            DeviceRequest(vendor_id=row.vendor_id, product_id=row.product_id)
            for row in found.devices
        )
    asked, ids = devices_of_nova(requests), _ids(requests)
    had = [_request_id(row) for row in found.devices]
    for request_id, devices in zip(ids, asked, strict=True):
        if had.count(request_id) != devices.count:
            raise cannot(
                finding,
                f"its request {request_id} is for {devices.count} devices, and the rows of "
                f"{had.count(request_id)} devices name it",
            )
    if strange := set(had) - set(ids):
        raise cannot(finding, f"a device of it is for request {strange.pop()}, which it has not")
    return asked


def _positions(instance: Instance) -> dict[str | None, int]:
    ids = _ids(_requests(instance))
    return {request_id: position for position, request_id in enumerate(ids)}


def _requests(instance: Instance) -> InstancePCIRequests:
    known = instance.pci_requests if instance.is_set("pci_requests") else None
    return InstancePCIRequests(requests=()) if known is None else known


def _ids(requests: InstancePCIRequests) -> list[str | None]:
    return [one.request_id if one.is_set("request_id") else None for one in requests.requests]


def _request_id(row: PciDevice) -> str | None:
    return row.request_id if row.is_set("request_id") else None


def _adopted(finding: Finding, claim: Claim) -> Event:
    return Event(
        at=claim.created_at,
        kind=EventKind.ADOPTED,
        claim_id=claim.id,
        instance_uuid=claim.instance_uuid,
        details={"finding": finding.id, "name": claim.name or str(claim.instance_uuid)},
    )
