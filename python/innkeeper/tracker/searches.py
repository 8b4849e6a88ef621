"""How often a search for room reached its bound before it knew."""

from __future__ import annotations

from typing import Self

from innkeeper.errors import Undecided


class Searches:
    """Counts answers; `with` around each search that somebody waits for."""

    def __init__(self) -> None:
        self.undecided = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Undecided):
            self.undecided += 1
