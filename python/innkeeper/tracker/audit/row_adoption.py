"""A row of Nova's tables made a claim: of exactly what it says is held, and only on a person's order."""

from __future__ import annotations

from typing import Final
from uuid import UUID, uuid4

from pydantic import ValidationError

from innkeeper.errors import BadRequest
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    DeviceRequest,
    Finding,
    Holder,
    Instance,
    InstancePCIRequests,
    PciDevice,
    PlacedDevice,
)
from innkeeper.requests.nova_instances import placement_of_instance, request_of_instance
from innkeeper.requests.nova_requests import devices_of_nova
from innkeeper.tracker.audit.adopting import adopted_claim, plan_adoption
from innkeeper.tracker.audit.free_devices import free_device
from innkeeper.tracker.audit.repairing import Plan, cannot
from innkeeper.tracker.audit.row_repair import require_rows
from innkeeper.tracker.audit.row_room import why_no_room
from innkeeper.tracker.audit.rows_of_instance import InstanceRows, read_rows
from innkeeper.tracker.parts import Parts

REASON: Final = "adopted: its row had no claim"


class RowAdoptRepair:
    """Makes a confirmed claim of what the row of an instance says that it has."""

    kinds = frozenset({"row_unclaimed"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        rows = require_rows(self._parts)
        uuid = _uuid(finding)
        found = await read_rows(self._parts, rows, finding)
        # Nothing is awaited from here on.
        if found is None or self._parts.register.ids_of_instance(uuid):
            return None
        claim = self._claim(finding, uuid, found)
        held = claim.placement
        words = (
            f"claim {claim.id} is made of the row of instance {uuid}: {claim.request.vcpus} vCPUs, "
            f"{claim.request.memory_mib} MiB of memory, {claim.request.disk_mib or 0} MiB of disk, "
            f"{len(held.cells)} cells and {len(held.devices)} devices"
        )
        use = self._parts.instances.uses.get(uuid)
        return plan_adoption(self._parts, finding, claim, use, words)

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
        return adopted_claim(parts, spec, placement)

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
