"""What mends a finding: first looked up, then done in one change set with the finding itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from innkeeper.errors import NotRepairable
from innkeeper.objects import Claim, Event, Finding
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.cordon import Cordon
from innkeeper.tracker.writing import nothing


async def nothing_outside() -> None:
    """What a repair does outside ledger and store, where that is nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would mend a difference that is there now."""

    words: str
    """What is done, such as `claim X is booked as it is stored`."""
    claims: tuple[Claim, ...] = ()
    """Written in this form, with their rows of Nova's tables; also where that is what they are."""
    events: tuple[Event, ...] = ()
    """What the history says of them, before it says that the finding was mended."""
    cordons: tuple[Cordon, ...] = ()
    """Such as of devices that a claim leaves dirty."""
    records: tuple[VersionedObject, ...] = ()
    """Further rows of Nova's tables."""
    begin: Callable[[], None] = nothing
    """Takes hold in the ledger before anything is written."""
    landed: Callable[[], None] = nothing
    lost: Callable[[], None] = nothing
    """Makes `begin` undone."""
    outside: Callable[[], Awaitable[None]] = nothing_outside
    """Done first where there is something to do outside ledger and store; doing it twice does no harm."""


class Repair(Protocol):
    """Knows what mends findings of some kinds. It only looks: what it plans is carried out elsewhere."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of findings that it mends; no other repair mends these."""
        ...

    async def plan(self, finding: Finding) -> Plan | None:
        """What to do by what is there now; null when the difference is gone.

        Called in the turn of the finding's claim. Nothing is awaited after what is there was compared, so
        that it is still so when the plan is carried out.

        Raises:
            NotRepairable: not as things are; the message says what would do.
            StoreError: what is stored cannot be read.
        """
        ...


def cannot(finding: Finding, why: str) -> NotRepairable:
    """The refusal of a repair that is known and cannot be carried out as things are."""
    return NotRepairable(
        f"finding {finding.id} ({finding.kind}) cannot be mended as things are: {why}",
        finding_id=finding.id,
        kind=finding.kind,
    )
