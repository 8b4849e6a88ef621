"""Each PCI function of the host, and whether it could be claimed now."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from innkeeper.api.views import DeviceView
from innkeeper.config import Config
from innkeeper.objects import PciFunction
from innkeeper.requests.inventory import why_not_claimable

Functions = tuple[PciFunction, ...]
Holders = Mapping[str, UUID]
"""Claim ids by the addresses of the devices that they hold."""


def device_views(functions: Functions, holders: Holders, config: Config) -> tuple[DeviceView, ...]:
    """All of them in the host's order."""
    barred = _barred_by_relatives(functions, holders)
    return tuple(_view(function, holders, barred, config) for function in functions)


def _view(
    function: PciFunction, holders: Holders, barred: Mapping[str, str], config: Config
) -> DeviceView:
    claim_id = holders.get(function.address)
    held = f"held by claim {claim_id}" if claim_id else barred.get(function.address)
    reason = held or why_not_claimable(function, config)
    return DeviceView(function=function, claimable=reason is None, reason=reason, claim_id=claim_id)


def _barred_by_relatives(functions: Functions, holders: Holders) -> dict[str, str]:
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
