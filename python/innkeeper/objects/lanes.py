"""The fast way in: primitives whose values need no coercion, which is nearly all of them.

A lane only takes what the full reader would read in the same way; on anything else it gives up
without a word, and the full reader coerces or finds the error and its path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator
from pydantic_core import core_schema as cs

from innkeeper.errors import BadVersion
from innkeeper.objects.history import format_version, parse_version
from innkeeper.objects.marks import Mark, mark, set_dict, set_mark
from innkeeper.objects.reading import BAD_VERSION, TOO_NEW
from innkeeper.objects.values import (
    MAX_ITEMS,
    OBJECT_CHANGES,
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_VERSION,
)

if TYPE_CHECKING:
    from innkeeper.objects.nova import NovaObject
    from innkeeper.objects.wire import Declared

GIVES_UP: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What a lane raises when a primitive is not for it."""


class Lane:
    """Reads the primitives of one class."""

    def __init__(self, kind: type[NovaObject], texts: CoreSchema, children: Iterable[Lane]) -> None:
        layout = kind.LAYOUT
        self._children = tuple(
            (one.name, lane.read_all if one.many else lane.read)
            for one, lane in zip(layout.children, children, strict=True)
        )
        self._is_list = kind.IS_LIST
        data = cs.typed_dict_schema(
            {
                name: cs.typed_dict_field(_schema(one, texts), required=False)
                for name, one in layout.fields.items()
                if name not in layout.gone
            },
            extra_behavior="ignore",
        )
        self.read: Callable[[Any], Any] = self._one(kind, data)
        """An object of one primitive."""
        self.read_all: Callable[[Any], tuple[Any, ...]] = self._many(kind, data)
        """The objects of a list of primitives, whose data are checked in one call."""

    def _one(self, kind: type[NovaObject], schema: CoreSchema) -> Callable[[Any], Any]:
        name, namespace, latest, fresh = (
            kind.__name__,
            kind.NAMESPACE,
            kind.VERSION,
            kind.LAYOUT.fresh,
        )
        check, inner, new = SchemaValidator(schema).validate_python, self._children, object.__new__

        def read(primitive: Any) -> Any:
            if primitive[OBJECT_NAME] != name or primitive[OBJECT_NAMESPACE] != namespace:
                raise ValueError
            data = check(primitive[OBJECT_DATA])
            if inner:
                self._read_inner(data)
            made = new(kind)
            set_dict(made, data)
            clean = primitive[OBJECT_VERSION] == latest and OBJECT_CHANGES not in primitive
            set_mark(made, fresh if clean else _mark_of(kind, primitive))
            return made

        return read

    def _many(self, kind: type[NovaObject], schema: CoreSchema) -> Callable[[Any], tuple[Any, ...]]:
        name, namespace, latest, fresh = (
            kind.__name__,
            kind.NAMESPACE,
            kind.VERSION,
            kind.LAYOUT.fresh,
        )
        rows = cs.list_schema(schema, max_length=MAX_ITEMS, strict=True, fail_fast=True)
        check, inner, new = SchemaValidator(rows).validate_python, self._children, object.__new__

        def read_all(primitives: Any) -> tuple[Any, ...]:
            chosen = [
                one[OBJECT_DATA]
                for one in primitives
                if one[OBJECT_NAME] == name and one[OBJECT_NAMESPACE] == namespace
            ]
            result = []
            for data, one in zip(check(chosen), primitives, strict=True):
                if inner:
                    self._read_inner(data)
                made = new(kind)
                set_dict(made, data)
                clean = one[OBJECT_VERSION] == latest and OBJECT_CHANGES not in one
                set_mark(made, fresh if clean else _mark_of(kind, one))
                result.append(made)
            return tuple(result)

        return read_all

    def _read_inner(self, data: dict[str, Any]) -> None:
        for field, read in self._children:
            inner = data.get(field)
            if inner is not None:
                data[field] = read(inner)
        if self._is_list:
            data.setdefault("objects", ())


def _schema(field: Declared, texts: CoreSchema) -> CoreSchema:
    if field.kind is not None:
        schema = field.kind.exact(texts)
    else:
        schema = cs.is_instance_schema(list if field.many else dict)
    return cs.nullable_schema(schema) if field.nullable else schema


def _mark_of(kind: type[NovaObject], primitive: dict[str, Any]) -> Mark:
    version, changes = primitive[OBJECT_VERSION], primitive.get(OBJECT_CHANGES, [])
    if type(changes) is not list or not all(type(name) is str for name in changes):
        raise ValueError
    if version != kind.VERSION:
        if kind.LAYOUT.gone:
            raise ValueError
        version = agreed(kind, version)
    return mark(version, kind.LAYOUT.names.intersection(changes))


def agreed(kind: type[NovaObject], text: str) -> str:
    """The version that an object takes on, for use inside a check: a refusal then has its path."""
    try:
        number = parse_version(text)
    except BadVersion as error:
        raise PydanticCustomError(BAD_VERSION, "{why}", {"why": error.message}) from None
    if number > kind.SHAPES.newest.get(number[0], (0, 0)):
        raise PydanticCustomError(
            TOO_NEW,
            "newer than this side",
            {"name": kind.__name__, "version": text, "supported": kind.VERSION},
        )
    return format_version(number)
