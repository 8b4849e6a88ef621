"""A person looked at a database that was set aside: it is not reported any more."""

from __future__ import annotations

from functools import partial

from innkeeper.objects import Finding
from innkeeper.tracker.audit.repairing import Plan
from innkeeper.tracker.parts import Parts


class SetAsideRepair:
    """Has the file renamed; only an order of a person says that somebody looked."""

    kinds = frozenset({"database_set_aside"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        if finding.subject not in await self._parts.store.list_set_aside():
            return None
        return Plan(
            f"{finding.subject} is marked as looked at: renamed from .corrupt- to .seen-",
            outside=partial(self._mark, finding.subject),
        )

    async def _mark(self, path: str) -> None:
        await self._parts.store.mark_seen(path)
