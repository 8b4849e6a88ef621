"""Reading a stream of events: one message after another, each ended by an empty line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from innkeeper.api.views import WatchedEvent
from innkeeper.errors import InnkeeperError


@dataclass(slots=True)
class Heard:
    """One message; a sign of life has no data."""

    token: str | None = None
    """Where to go on after it."""
    kind: str = ""
    data: bytes = b""

    def event(self) -> WatchedEvent | None:
        """What it tells of; null for a sign of life.

        Raises:
            InnkeeperError: the daemon is of a release that speaks otherwise.
        """
        if not self.data:
            return None
        try:
            return WatchedEvent.model_validate_json(self.data)
        except ValidationError:
            raise InnkeeperError(
                "the daemon tells of events in a form that this client does not know; are they of "
                "different releases?"
            ) from None


def messages(lines: Iterable[bytes]) -> Iterator[Heard]:
    """Those that are whole; one that was torn is nothing, and comes again."""
    heard = Heard()
    for line in lines:
        words = line.rstrip(b"\r\n")
        if not words:
            yield heard
            heard = Heard()
            continue
        name, _, value = words.partition(b": ")
        if name == b"id":
            heard.token = value.decode()
        elif name == b"event":
            heard.kind = value.decode()
        elif name == b"data":
            heard.data = value
