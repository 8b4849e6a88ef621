"""What every driver promises."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from innkeeper.clock import Clock
from innkeeper.objects import Host, RunningInstance


@dataclass(frozen=True, slots=True)
class Change:
    """The host changed, or may have: whoever wants to know how observes it again."""

    reason: str
    """For the log, such as `pci remove 0000:41:10.2, and 63 more events`."""


class Driver(Protocol):
    """Observes one host. Read-only; `observe` is synchronous, and the tracker calls it in a thread."""

    def observe(self) -> Host:
        """The host as it is now; functions that did not change are the same objects as before.

        Where none changed, `functions` as a whole is the same tuple.

        Raises:
            HostUnreadable: nothing sensible can be read; a file that is missing or malformed is
                a warning in the answer instead.
        """
        ...

    def changes(self, clock: Clock) -> AsyncGenerator[Change, None]:
        """One item for each burst of changes since the last observation, within a second of its start.

        A hint and no more: something may be missed and an item may mean nothing, so audits remain. Ends at
        once where nothing can be watched or nothing can change. What comes while an item is worked on makes
        one more item. Iterated once at a time, in a task of its own.
        """
        ...


class Hypervisor(Protocol):
    """Tells which instances it has. Read-only; synchronous, and the tracker calls it in a thread."""

    def instances(self) -> tuple[RunningInstance, ...]:
        """All of them by uuid, those that are off included.

        Raises:
            HostUnreadable: it does not answer.
        """
        ...
