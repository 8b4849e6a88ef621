"""Rows of one of Nova's tables that were found to be as they should, so that they are not read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class _Known(NamedTuple):
    subject: str
    digest: int
    token: object


class KnownRows:
    """By the id of the row: its digest, and what it was compared with."""

    def __init__(self) -> None:
        self._rows: dict[int, _Known] = {}

    def digests(self, token: Callable[[str], object]) -> dict[int, int]:
        """Of the rows of which what they were compared with is the same still."""
        return {
            row_id: known.digest
            for row_id, known in self._rows.items()
            if known.token == token(known.subject)
        }

    def keep(self, row_id: int, subject: str, digest: int, token: object) -> None:
        """It is as it should be."""
        self._rows[row_id] = _Known(subject, digest, token)

    def forget(self, row_id: int) -> None:
        """It is not, or is gone."""
        self._rows.pop(row_id, None)
