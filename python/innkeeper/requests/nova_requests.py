"""Device requests as Nova keeps them, `InstancePCIRequests`, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from innkeeper.errors import BadRequest
from innkeeper.objects import DeviceRequest, InstancePCIRequest, InstancePCIRequests
from innkeeper.objects.request import DevicePattern

#: The key of a spec that names providers, with commas between.
_PROVIDERS = "rp_uuids"


def nova_requests(
    instance_uuid: UUID, devices: Sequence[DeviceRequest], request_ids: Iterable[UUID]
) -> InstancePCIRequests:
    """Resolved device requests as Nova's, one for each kind, with the ids given.

    A unit becomes one request for each of its members: Nova knows no units. A request by vendor and
    product goes under that name, since Nova takes one without a name for a port's.
    """
    kinds = [(one, *kind) for one in devices for kind in _kinds(one)]
    pairs = zip(kinds, request_ids, strict=False)
    requests = tuple(_nova_request(*kind, request_id) for kind, request_id in pairs)
    if len(requests) != len(kinds):
        raise ValueError(f"{len(kinds)} requests need as many ids")
    return InstancePCIRequests(instance_uuid=str(instance_uuid), requests=requests)


def kinds_of(devices: DeviceRequest) -> int:
    """How many of Nova's requests become of one of ours."""
    return sum(1 for _ in _kinds(devices))


def _kinds(devices: DeviceRequest) -> Iterator[tuple[int, Sequence[DevicePattern]]]:
    """How many of which alternatives."""
    if devices.unit and devices.unit.members:
        for member in devices.unit.members:
            yield devices.count * member.count, member.alternatives
    elif devices.alternatives:
        yield devices.count, devices.alternatives
    else:
        ids = {"vendor_id": devices.vendor_id, "product_id": devices.product_id}
        yield devices.count, (ids,)


def _nova_request(
    devices: DeviceRequest, count: int, patterns: Sequence[DevicePattern], request_id: UUID
) -> InstancePCIRequest:
    providers = ",".join(str(provider) for provider in devices.providers)
    extra = {_PROVIDERS: providers} if providers else {}
    by_product = f"{devices.vendor_id}:{devices.product_id}" if devices.vendor_id else "devices"
    return InstancePCIRequest(
        count=count,
        spec=tuple({**pattern, **extra} for pattern in patterns),
        alias_name=None if devices.requester else devices.alias or by_product,
        request_id=str(request_id),
        requester_id=devices.requester,
        numa_policy=devices.numa_policy.value if devices.numa_policy else None,
    )


def devices_of_nova(requests: InstancePCIRequests) -> tuple[DeviceRequest, ...]:
    """What Nova's requests ask for, by their specs: a name may mean something else by now.

    Policies and providers are kept (Q15).

    Raises:
        BadRequest: a request has no specs (Q20), a count below 1, or a value that is none.
    """
    return tuple(_device_request(*one) for one in enumerate(requests.requests))


def _device_request(position: int, request: InstancePCIRequest) -> DeviceRequest:
    specs = [dict(spec) for spec in _field(request, "spec") or ()]
    if not specs:
        raise _refusal(position, "names no specs, so that no device could be meant")
    providers = specs[0].get(_PROVIDERS) or ""
    try:
        return DeviceRequest(
            count=_field(request, "count"),
            alternatives=tuple(_without_providers(spec) for spec in specs),
            numa_policy=_field(request, "numa_policy"),
            providers=tuple(UUID(one.strip()) for one in providers.split(",") if one.strip()),
            requester=_field(request, "requester_id") if _is_of_port(request) else None,
        )
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        raise _refusal(position, f"has {found['loc'][0]}: {found['msg']}") from None
    except ValueError:
        raise _refusal(position, f"has {_PROVIDERS} that are no UUIDs") from None


def _without_providers(spec: DevicePattern) -> DevicePattern:
    return {key: value for key, value in spec.items() if key != _PROVIDERS}


def _is_of_port(request: InstancePCIRequest) -> bool:
    """Nova's own rule: what has no name is a port's."""
    return _field(request, "alias_name") is None


def _field(request: InstancePCIRequest, name: str) -> Any:
    """What is not set reads as null."""
    return getattr(request, name) if request.is_set(name) else None


def _refusal(position: int, problem: str) -> BadRequest:
    message = f"PCI request {position} {problem}"
    return BadRequest(message, errors=[{"path": f"requests[{position}]", "message": message}])
