"""Objects of every class, drawn from their declarations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from innkeeper.objects import NovaObject, VersionedObject
from innkeeper.objects.values import Foreign
from innkeeper.objects.wire import Declared

Strategy = st.SearchStrategy[Any]

_TEXTS = st.text(max_size=8)
_INTEGERS = st.integers(-(2**70), 2**70) | st.integers(0, 9)
_MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
_NULLABLE = st.none() | _TEXTS


def _mapping(values: Strategy) -> Strategy:
    return st.dictionaries(_TEXTS, values, max_size=3)


def _tuple(values: Strategy) -> Strategy:
    return st.lists(values, max_size=2).map(tuple)


_KINDS: dict[str, Strategy] = {
    "Integer": _INTEGERS,
    "Float": st.floats(allow_nan=False, allow_infinity=False),
    "Boolean": st.booleans(),
    "FlexibleBoolean": st.booleans(),
    "String": _TEXTS,
    "UUID": _TEXTS | st.uuids().map(str),
    "DateTime": _MOMENTS,
    "IPAddress": st.ip_addresses(v=4).map(str),
    "IPV4Address": st.ip_addresses(v=4).map(str),
    "IPV6Address": st.sampled_from(["::1", "2001:db8::1", "::ffff:192.0.2.1"]),
    "DictOfStrings": _mapping(_TEXTS),
    "DictOfNullableStrings": _mapping(_NULLABLE),
    "DictOfIntegers": _mapping(_INTEGERS),
    "ListOfIntegers": _tuple(_INTEGERS),
    "ListOfStrings": _tuple(_TEXTS),
    "ListOfDictOfNullableStrings": _tuple(_mapping(_NULLABLE)),
    "SetOfIntegers": st.frozensets(st.integers(0, 300), max_size=4),
    "SetOfStrings": st.frozensets(_TEXTS, max_size=3),
    "ListOfSetsOfIntegers": _tuple(st.frozensets(st.integers(0, 300), max_size=3)),
}


@cache
def nova_objects(kind: type[NovaObject]) -> Strategy:
    """Objects with any of their fields set, all of them changed or none."""
    fields = {
        name: _field(field)
        for name, field in kind.LAYOUT.fields.items()
        if name not in kind.LAYOUT.gone
    }
    data = st.fixed_dictionaries({}, optional=fields)
    return st.tuples(data, st.booleans()).map(lambda drawn: _made(kind, *drawn))


def _made(kind: type[NovaObject], data: dict[str, Any], changed: bool) -> NovaObject:  # noqa: FBT001
    result = kind(**data)
    if not changed:
        result.reset_changes()
    return result


def _field(field: Declared) -> Strategy:
    values = _values(field)
    return st.none() | values if field.nullable else values


def _values(field: Declared) -> Strategy:
    if field.child is not None:
        child = nova_objects(field.child)
        return _tuple(child) if field.many else child
    assert field.kind is not None
    if field.kind.values:
        return st.sampled_from(field.kind.values)
    if field.is_foreign:
        return _mapping(_NULLABLE).map(_foreign(field.kind.name[len("Object<") : -1]))
    return _KINDS[field.kind.name]


def _foreign(name: str) -> Callable[[dict[str, Any]], Foreign]:
    def make(data: dict[str, Any]) -> Foreign:
        return Foreign(
            {
                "nova_object.name": name,
                "nova_object.namespace": "nova",
                "nova_object.version": "1.0",
                "nova_object.data": data,
            }
        )

    return make


@cache
def our_objects(kind: type[VersionedObject]) -> Strategy:
    """Objects of namespace `innkeeper`, from the types and limits of their fields."""
    fields = {name: _plain_field(info) for name, info in kind.model_fields.items()}
    required = {
        name: fields[name] for name, info in kind.model_fields.items() if info.is_required()
    }
    optional = {name: one for name, one in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda data: kind(**data))


def _plain_field(info: FieldInfo) -> Strategy:
    return _plain(info.annotation, list(info.metadata))


def _plain(annotation: Any, limits: list[Any]) -> Strategy:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return st.one_of(*(_plain(one, limits) for one in inner))
    if hasattr(annotation, "__metadata__"):
        return _plain(inner[0], [*limits, *annotation.__metadata__])
    if origin is tuple and "VersionedObject" in str(inner[0]):
        return st.just(())
    if origin is tuple:
        least = _flat(limits).get("min_length", 0)
        return st.lists(_plain(inner[0], []), min_size=least, max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(_plain(inner[0], []), _plain(inner[1], []), max_size=2)
    return _scalar(annotation, _flat(limits))


def _flat(limits: list[Any]) -> dict[str, Any]:
    """Limits by name, from pydantic's and annotated-types' several forms."""
    found: dict[str, Any] = {}
    for one in limits:
        for part in (one, *getattr(one, "metadata", ())):
            for name in ("ge", "gt", "le", "min_length", "max_length", "pattern"):
                if getattr(part, name, None) is not None:
                    found[name] = getattr(part, name)
    return found


def _scalar(annotation: Any, limits: dict[str, Any]) -> Strategy:
    if annotation is type(None):
        return st.none()
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if annotation is int:
        return st.integers(limits.get("ge", -(2**53)), limits.get("le", 2**53))
    if annotation is float:
        return st.floats(0.001, 1000.0)
    if annotation is str:
        return st.from_regex(limits["pattern"], fullmatch=True) if "pattern" in limits else _TEXTS
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    if isinstance(annotation, type) and issubclass(annotation, VersionedObject):
        return our_objects(annotation)
    return {bool: st.booleans(), UUID: st.uuids(), datetime: _MOMENTS, Any: _NULLABLE}[annotation]
