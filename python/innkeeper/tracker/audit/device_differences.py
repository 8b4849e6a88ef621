"""What the history says when the device table becomes another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from innkeeper.objects import Device

MOST_NAMED: Final = 32
"""Addresses of each kind that are told; the counts are of all."""


def device_differences(before: Sequence[Device], after: Sequence[Device]) -> dict[str, Any]:
    """Addresses that came, went, and carry something else than before, each with their count."""
    was = {device.address: device for device in before}
    now = {device.address: device for device in after}
    added = now.keys() - was.keys()
    removed = was.keys() - now.keys()
    changed = {address for address in now.keys() & was.keys() if now[address] != was[address]}
    return {
        **_named("added", added),
        **_named("removed", removed),
        **_named("changed", changed),
    }


def _named(what: str, addresses: Iterable[str]) -> dict[str, Any]:
    found = sorted(addresses)
    return {what: found[:MOST_NAMED], f"{what}_count": len(found)} if found else {}
