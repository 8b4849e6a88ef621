"""Hosts that never change."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from innkeeper.drivers.base import Change


async def no_changes() -> AsyncGenerator[Change, None]:
    """Ends at once."""
    none: tuple[Change, ...] = ()
    for change in none:
        yield change
