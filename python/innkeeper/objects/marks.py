"""What an object carries beside its fields: the version of its shape, and which fields changed.

An object that holds no others also keeps its JSON text from its second writing on, until it is
assigned to: what is written again and again is then encoded once.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import BaseModel

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


def checked(kind: type[Any], data: dict[str, Any], names: set[str]) -> Any:
    """An object of values that were checked already, every field among them.

    Pydantic's own `model_construct` takes longer than checking does. `names` are the fields that count
    as given; the set is kept, so that thousands of objects may share one.
    """
    result = object.__new__(kind)
    set_dict(result, data)
    _set_names(result, names)
    _set_extra(result, None)
    _set_private(result, None)
    return result
