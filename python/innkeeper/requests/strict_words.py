"""Booleans and JSON texts in Nova's words."""

from __future__ import annotations

import json
from typing import Any

from innkeeper.config.nearest import quoted

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_FALSE = frozenset({"0", "f", "false", "off", "n", "no"})


def read_boolean(text: str) -> str | None:
    """`true` or `false`; null when it is neither (oslo.utils `strutils.bool_from_string`, strict)."""
    word = text.strip().lower()
    if word in _TRUE:
        return "true"
    return "false" if word in _FALSE else None


def is_true(text: str | None) -> bool:
    """The lax form: what is not plainly true is false."""
    return text is not None and text.strip().lower() in _TRUE


def read_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is none, in words for the operator.
    """
    try:
        return json.loads(text, object_pairs_hook=_table, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        problem = f"is no JSON: {error.msg}, at character {error.pos + 1}"
        raise ValueError(f"{quoted(text)} {problem}") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a key stand twice, and the last one wins in silence."""
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twins = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"says {', '.join(twins)} more than once")
    return table


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
