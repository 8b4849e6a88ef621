"""Each PCI function of the host, and whether it could be claimed now."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from innkeeper.api.parts import ApiParts
from innkeeper.api.views import DeviceView
from innkeeper.objects import PciFunction
from innkeeper.requests.inventory import why_not_claimable


def device_views(parts: ApiParts) -> tuple[DeviceView, ...]:
    """All of them in the host's order."""
    holders = parts.tracker.device_holders()
    functions = parts.tracker.host.functions
    barred = _barred_by_relatives(functions, holders)
    return tuple(_view(function, parts, holders, barred) for function in functions)


def _view(
    function: PciFunction,
    parts: ApiParts,
    holders: Mapping[str, UUID],
    barred: Mapping[str, str],
) -> DeviceView:
    claim_id = holders.get(function.address)
    held = f"held by claim {claim_id}" if claim_id else barred.get(function.address)
    reason = held or why_not_claimable(function, parts.config)
    return DeviceView(function=function, claimable=reason is None, reason=reason, claim_id=claim_id)


def _barred_by_relatives(
    functions: tuple[PciFunction, ...], holders: Mapping[str, UUID]
) -> dict[str, str]:
    """A held VF bars its PF and a held PF its VFs: they are one piece of hardware."""
    barred: dict[str, str] = {}
    for function in functions:
        if function.parent is None:
            continue
        if function.address in holders:
            barred[function.parent] = f"its VF {function.address} is held"
        if function.parent in holders:
            barred[function.address] = f"its PF {function.parent} is held"
    return barred
