"""What an audit is made of: sources, each of which compares two things and tells what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from innkeeper.requests.remarks import Remark


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one source found."""

    remarks: Sequence[Remark] = ()
    examined: int = 0
    """Records that were compared."""
    settled: frozenset[str] | None = None
    """Subjects that were looked at: what is open of others stays open. Null: everything was looked at."""
    left_out: frozenset[str] = frozenset()
    """Subjects that changed meanwhile: what is open of them stays open until the next audit."""

    def has_settled(self, subject: str) -> bool:
        """Whether it was looked at."""
        return subject not in self.left_out and (self.settled is None or subject in self.settled)


class Source(Protocol):
    """Compares without holding anything; what changes meanwhile is left to the next audit."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of differences that it tells; no other source tells these."""
        ...

    async def compare(self, *, full: bool) -> Comparison:
        """Everything, or at least what changed since it was asked before.

        Raises:
            StoreError: what is stored cannot be read.
        """
        ...
