"""A device request as the command line says it."""

from __future__ import annotations

from innkeeper.objects import DeviceRequest


def device_flag(request: DeviceRequest) -> str | None:
    """`--device a10=2,numa_policy=required`; null when only a spec file could say it."""
    kind = _kind(request)
    if kind is None or request.providers or request.requester:
        return None
    # The words of an alias stand for its unit; without one a unit has no flag.
    if request.unit is not None and request.alias is None:
        return None
    near = f",numa_policy={request.numa_policy}" if request.numa_policy else ""
    return f"--device {kind}={request.count}{near}"


def device_name(request: DeviceRequest) -> str:
    """What is asked for, in a few words."""
    if request.requester is not None:
        return f"port {request.requester}"
    return _kind(request) or "devices by pattern"


def _kind(request: DeviceRequest) -> str | None:
    if request.alias is not None:
        return request.alias
    if request.vendor_id and request.product_id:
        return f"{request.vendor_id}:{request.product_id}"
    return None
