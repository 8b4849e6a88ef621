"""Hosts that never change."""

from __future__ import annotations

from collections.abc import AsyncIterator

from innkeeper.drivers.base import Change


async def no_changes() -> AsyncIterator[Change]:
    """Ends at once."""
    none: tuple[Change, ...] = ()
    for change in none:
        yield change
