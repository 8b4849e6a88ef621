"""What a tracker counts, for metrics and tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from innkeeper.objects import ClaimState
from innkeeper.store.base import StoreStatistics


@dataclass(frozen=True, slots=True)
class TrackerStatistics:
    """Counts of this moment, beside the store's since it was opened."""

    claims: int
    waiting: int
    in_doubt: int
    store: StoreStatistics
    undecided: int
    """Searches for room that reached their bound before they knew, since the start."""
    by_state: Mapping[ClaimState, int]
    """Claims of each state that holds something."""


@dataclass(slots=True)
class AuditCounts:
    """Audits since the start."""

    full: int = 0
    incremental: int = 0
    failed: int = 0
    last_full_seconds: float | None = None
    """How long the last one of everything took that did not fail; null before the first."""
    last_incremental_seconds: float | None = None

    def add(self, seconds: float, *, full: bool) -> None:
        """One more that did not fail."""
        if full:
            self.full += 1
            self.last_full_seconds = seconds
        else:
            self.incremental += 1
            self.last_incremental_seconds = seconds


@dataclass(frozen=True, slots=True)
class AuditStatistics:
    """What audits found, and what became of it."""

    audits: AuditCounts
    open: Mapping[str, int]
    """Findings by kind; a kind that is not here has none."""
    ignored: Mapping[str, int]
    """What the policy keeps out of sight, by kind."""
    repaired: Mapping[str, int]
    """Repairs since the start, by kind of finding."""
    failed: Mapping[str, int]
    """Repairs that the policy tried in vain, by kind of finding."""
