"""Records of the store that cannot be read, and databases that were set aside."""

from __future__ import annotations

from collections.abc import Iterator

from innkeeper.requests.remarks import Remark
from innkeeper.store.rows import is_damaged
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.parts import Parts


class RecordsSource:
    """Claims that no ledger could be rebuilt from; cordons that are lost, or in force by name alone."""

    kinds = frozenset({"claim_unreadable", "cordon_unreadable", "database_set_aside"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102 - what reading met
        aside = await self._parts.store.list_set_aside()
        return Comparison([*self._unreadable(), *map(_set_aside, aside)])

    def _unreadable(self) -> Iterator[Remark]:
        counts = self._parts.store.statistics()
        for claim_id in counts.unreadable_claims:
            message = f"the record of claim {claim_id} is damaged; what it holds is not known and not held"
            yield Remark("claim_unreadable", claim_id, message)
        for name in counts.unreadable_cordons:
            message = f"the record of a cordon is damaged ({name}); what it is around is handed out"
            yield Remark("cordon_unreadable", name, message)
        for cordon in filter(is_damaged, self._parts.cordons.durable):
            name = f"{cordon.kind} {cordon.subject} ({cordon.cause})"
            message = f"the record of the cordon {name} is damaged; who put it up and why is lost"
            yield Remark("cordon_unreadable", name, message)


def _set_aside(path: str) -> Remark:
    """Claims may be missing as long as nobody has looked at what was damaged."""
    return Remark(
        "database_set_aside",
        path,
        f"the database was damaged and set aside as {path}: claims and cordons that could not be "
        "rebuilt are gone, and what they held or kept out is handed out again",
    )
