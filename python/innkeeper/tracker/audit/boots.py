"""Claims of an earlier boot: nothing runs any more that ran then, until somebody starts it again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from innkeeper.objects import Claim, ClaimState, Finding, PowerState
from innkeeper.requests.remarks import Remark
from innkeeper.tracker.audit.comparing import Comparison
from innkeeper.tracker.audit.repairing import Plan
from innkeeper.tracker.parts import Parts


class BootSource:
    """One finding for all of them, with how many there are; it goes with the last one."""

    kinds = frozenset({"rebooted"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def compare(self, *, full: bool) -> Comparison:  # noqa: D102 - of what is in memory
        booted_at = self._parts.booted_at
        count = 0 if booted_at is None else sum(1 for _ in self._doubtful())
        if not count or booted_at is None:
            return Comparison()
        message = (
            f"the host started anew before {booted_at:%Y-%m-%d %H:%M:%S} UTC, and {count} of "
            f"{len(self._parts.register)} claims were confirmed before: whether their instances run again "
            "is not known"
        )
        remark = Remark("rebooted", self._parts.node, message, observed=str(count))
        return Comparison((remark,), examined=len(self._parts.register))

    def _doubtful(self) -> Iterator[Claim]:
        """A pending one lapses, and one that is tied to a process ends, by itself."""
        found = self._parts.instances.found
        for claim in self._parts.register:
            if claim.state is not ClaimState.CONFIRMED or claim.process is not None:
                continue
            instance = None if claim.instance_uuid is None else found.get(claim.instance_uuid)
            runs = instance is not None and instance.state is not PowerState.OFF
            if claim.is_of_earlier_boot(self._parts.booted_at) and not runs:
                yield claim


class BootRepair:
    """A person says that what is claimed runs again: claims of earlier boots are as good as others."""

    kinds = frozenset({"rebooted"})

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def plan(self, finding: Finding) -> Plan | None:  # noqa: D102
        if self._parts.booted_at is None:
            return None
        return Plan(
            "claims of earlier boots are no longer told apart",
            outside=self._parts.store.accept_boot,
            landed=partial(setattr, self._parts, "booted_at", None),
        )
