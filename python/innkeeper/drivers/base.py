"""What every driver promises."""

from __future__ import annotations

from typing import Protocol

from innkeeper.objects import Host


class Driver(Protocol):
    """Observes one host. Synchronous and read-only; the tracker calls it in a thread."""

    def observe(self) -> Host:
        """The host as it is now.

        Raises:
            HostUnreadable: nothing sensible can be read; a file that is missing or malformed is
                a warning in the answer instead.
        """
        ...
