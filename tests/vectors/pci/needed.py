"""Which corrections explain an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def needed(
    corrections: Sequence[str], answer: Callable[[frozenset[str]], Any], wanted: Any
) -> list[str]:
    """Those that are left when every one without which the answer stays is taken away, in order."""
    names = set(corrections)
    for name in corrections:
        if answer(frozenset(names - {name})) == wanted:
            names.discard(name)
    return [name for name in corrections if name in names]
