"""What an object carries beside its fields: the version of its shape, and which fields changed.

An object that holds no others also keeps its JSON text from its second writing on, until it is
assigned to: what is written again and again is then encoded once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import BaseModel

_T = TypeVar("_T", bound=BaseModel)

Mark = tuple[str, frozenset[str], Any]
"""Version, changed fields, and null, `WRITTEN` or the kept text; fresh marks of a version are one tuple."""

WRITTEN: Final = object()
"""Stands for the text of an object that was written once."""

CLEAN: Final[frozenset[str]] = frozenset()

set_dict: Final[Any] = BaseModel.__dict__["__dict__"].__set__
"""Gives an object its fields, past any check."""


class Marked(BaseModel):
    """Has room for a mark that is no field and no private attribute."""

    __slots__ = ("mark",)


_set_names: Final[Any] = BaseModel.__dict__["__pydantic_fields_set__"].__set__
_set_extra: Final[Any] = BaseModel.__dict__["__pydantic_extra__"].__set__
_set_private: Final[Any] = BaseModel.__dict__["__pydantic_private__"].__set__

set_mark: Final[Any] = Marked.__dict__["mark"].__set__


@cache
def clean(version: str) -> Mark:
    """The mark of clean objects of a version."""
    return version, CLEAN, None


@cache
def written(version: str) -> Mark:
    """The mark of clean objects that were written once."""
    return version, CLEAN, WRITTEN


def mark(version: str, changes: frozenset[str] | set[str]) -> Mark:
    """The mark for a version and changed fields."""
    return (version, frozenset(changes), None) if changes else clean(version)


def made(kind: type[Any], data: dict[str, Any], marked: Mark) -> Any:
    """An object of fields that were checked."""
    result = object.__new__(kind)
    set_dict(result, data)
    set_mark(result, marked)
    return result


def maker(kind: type[_T]) -> Callable[[dict[str, Any]], _T]:
    """What makes objects of a kind of values that were checked already, every field among them.

    Pydantic's own `model_construct` takes longer than checking does. All objects share one set of the
    fields that count as given.
    """
    names = set(kind.model_fields)
    # Bound here: thousands are made at once.
    new, give, give_names, give_extra, give_private = (
        object.__new__,
        set_dict,
        _set_names,
        _set_extra,
        _set_private,
    )

    def make(values: dict[str, Any]) -> _T:
        result = new(kind)
        give(result, values)
        give_names(result, names)
        give_extra(result, None)
        give_private(result, None)
        return result

    return make
