"""How types of fields are checked, read and written.

Each has two schemas: a strict one for Python code, and one for the wire that coerces as Nova does.
On the wire the common case is decided in Rust; only a value that needs coercion calls Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final

from pydantic_core import CoreSchema
from pydantic_core import core_schema as cs

from innkeeper.objects.coercion import (
    to_address,
    to_boolean,
    to_datetime,
    to_flexible_boolean,
    to_float,
    to_integer,
    to_string,
    write_datetime,
)
from innkeeper.objects.values import MAX_ITEMS, MAX_TEXT, Foreign, FrozenDict

Exact = Callable[[CoreSchema], CoreSchema]
"""The schema of a type, given that of its texts: their length is checked or known to be bounded."""

COERCED: Final = "~"
"""Marks the two ways of reading a value in the path of an error, where it is left out."""


@dataclass(frozen=True, eq=False)
class Kind:
    """How one type of field is checked, read and written."""

    name: str
    """Nova's name of the type."""
    strict: CoreSchema
    """Of values given in Python."""
    exact: Exact
    """Of values on the wire that need no coercion."""
    wire: CoreSchema
    """Of values on the wire, coerced where they need it."""
    write: Callable[[Any], Any] | None = None
    """To the primitive; null means that the value is its own primitive."""
    values: tuple[str, ...] = ()
    """The legal values of an enumeration."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return self.strict


def or_coerced(fast: CoreSchema, coerce: Callable[[Any], Any]) -> CoreSchema:
    """A value as it is when it fits, else what the function makes of it."""
    slow = cs.no_info_plain_validator_function(coerce)
    return cs.union_schema([(fast, COERCED), (slow, COERCED)], mode="left_to_right")


def always(schema: CoreSchema) -> Exact:
    """A type that holds no texts."""
    return lambda _texts: schema


def plain(name: str, schema: CoreSchema, coerce: Callable[[Any], Any]) -> Kind:
    """A type whose values mostly come as they are."""
    return Kind(name, schema, always(schema), or_coerced(schema, coerce))


def text(name: str) -> Kind:
    """A type of texts without further rules."""
    return Kind(name, _STRING, lambda texts: texts, or_coerced(_STRING, to_string))


_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = cs.str_schema(strict=True, pattern=rf"^{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}$")
BOUNDED_TEXT: Final = cs.str_schema(strict=True, max_length=MAX_TEXT)
ANY_TEXT: Final = cs.str_schema(strict=True)
_STRING = BOUNDED_TEXT
_INTEGER = cs.int_schema(strict=True)
_TIME_TEXT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
_TIME = cs.chain_schema([cs.str_schema(strict=True, pattern=_TIME_TEXT), cs.datetime_schema()])


def address(name: str, kinds: type | tuple[type, ...]) -> Kind:
    """Addresses of the given families."""

    def read(value: Any) -> str:
        return to_address(value, kinds)

    checked = cs.no_info_after_validator_function(read, _STRING)
    coerced = cs.no_info_plain_validator_function(read)
    either = coerced if kinds is IPv6Address else or_coerced(_IPV4, read)
    return Kind(name, checked, always(either), either)


def canonical(name: str, values: Iterable[str], spellings: Mapping[str, str]) -> Kind:
    """An enumeration that also takes other spellings and any case."""
    legal = tuple(values)

    def read(value: Any) -> str:
        text = value.lower() if isinstance(value, str) else ""
        text = spellings.get(text, text)
        if text not in legal:
            raise ValueError("not one of the known values")
        return text

    literal = cs.literal_schema(list(legal))
    either = or_coerced(literal, read)
    return Kind(name, either, always(either), either, values=legal)


def exactly(name: str, *values: str) -> Kind:
    """An enumeration of exact words."""
    literal = cs.literal_schema(list(values))
    return Kind(name, literal, always(literal), literal, values=values)


def mapping_of(name: str, values: Kind, *, nullable: bool = False) -> Kind:
    """A mapping with texts as keys."""

    def of(schema: CoreSchema, keys: CoreSchema = _STRING) -> CoreSchema:
        inner = cs.nullable_schema(schema) if nullable else schema
        return cs.no_info_after_validator_function(
            FrozenDict, cs.dict_schema(keys, inner, max_length=MAX_ITEMS, fail_fast=True)
        )

    def exact(texts: CoreSchema) -> CoreSchema:
        return of(values.exact(texts), texts)

    return Kind(name, of(values.strict), exact, of(values.wire), dict)


def set_of(name: str, items: Kind) -> Kind:
    """A set; on the wire it is an array in any order."""

    def of(schema: CoreSchema, *, strict: bool) -> CoreSchema:
        return cs.frozenset_schema(schema, max_length=MAX_ITEMS, fail_fast=True, strict=strict)

    either = cs.union_schema(
        [of(items.strict, strict=True), cs.set_schema(items.strict, strict=True)]
    )
    strict = cs.no_info_after_validator_function(frozenset, either)

    def exact(texts: CoreSchema) -> CoreSchema:
        return of(items.exact(texts), strict=False)

    return Kind(name, strict, exact, of(items.wire, strict=False), sorted)


def list_of(name: str, items: Kind) -> Kind:
    """A list; in memory it is a tuple."""

    def of(schema: CoreSchema) -> CoreSchema:
        return cs.tuple_schema(
            [schema], variadic_item_index=0, max_length=MAX_ITEMS, fail_fast=True, strict=False
        )

    write = items.write
    return Kind(
        name,
        of(items.strict),
        lambda texts: of(items.exact(texts)),
        of(items.wire),
        list if write is None else lambda values: [write(value) for value in values],
    )


def foreign(name: str) -> Kind:
    """An object of a class that innkeeper does not have."""

    def read(value: Any) -> Foreign:
        result = value if isinstance(value, Foreign) else Foreign(value)
        if result.name != name:
            raise ValueError(f"expected {name}, not {result.name[:100]}")
        return result

    strict = cs.no_info_after_validator_function(read, cs.is_instance_schema(Foreign))
    wire = cs.no_info_plain_validator_function(read)
    return Kind(f"Object<{name}>", strict, always(wire), wire, lambda value: value.primitive)


INTEGER: Final = plain("Integer", _INTEGER, to_integer)
STRING: Final = text("String")
FLOAT: Final = plain("Float", cs.float_schema(allow_inf_nan=False, strict=True), to_float)
BOOLEAN: Final = plain("Boolean", cs.bool_schema(strict=True), to_boolean)
FLEXIBLE_BOOLEAN: Final = plain("FlexibleBoolean", cs.bool_schema(strict=True), to_flexible_boolean)
DATE_TIME: Final = Kind(
    "DateTime",
    cs.no_info_after_validator_function(to_datetime, cs.datetime_schema(strict=True)),
    always(or_coerced(_TIME, to_datetime)),
    or_coerced(_TIME, to_datetime),
    write_datetime,
)
NULLABLE_STRINGS: Final = mapping_of("DictOfNullableStrings", STRING, nullable=True)
SET_OF_INTEGERS: Final = set_of("SetOfIntegers", INTEGER)
