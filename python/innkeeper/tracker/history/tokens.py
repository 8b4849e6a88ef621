"""Where in which history somebody is: what a watcher goes on from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from innkeeper.errors import BadRequest, EventsForgotten

_FORM: Final = re.compile(r"(?:([0-9a-f]{32})-)?([0-9]{1,16})")


@dataclass(frozen=True, slots=True)
class Token:
    """A place in a ledger's history; it stays good over restarts and names no other ledger's."""

    ledger: UUID
    sequence: int
    """Of the last event that is known."""

    def __str__(self) -> str:
        return f"{self.ledger.hex}-{self.sequence}"


def parse_token(text: str, ledger: UUID) -> Token:
    """A token as it was given out; a bare number is a sequence of this ledger.

    Raises:
        BadRequest: it is neither.
    """
    found = _FORM.fullmatch(text) if text.isascii() else None
    if found is None:
        message = (
            f"`after` = {text[:80]!r}: should be a token as answers and streams give it, such as "
            f"{Token(ledger, 12)}, or the sequence of an event"
        )
        raise BadRequest(message, errors=[{"path": "after", "message": message}])
    of = ledger if found[1] is None else UUID(found[1])
    return Token(of, int(found[2]))


def require_ledger(token: Token, ledger: UUID) -> None:
    """Raises EventsForgotten for a token of another ledger."""
    if token.ledger != ledger:
        raise EventsForgotten(
            f"{token} is a token of another ledger, as of one that was rebuilt after damage; take a "
            "snapshot and go on from there"
        )
