"""Replay of single values: what a type of field makes of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import SchemaValidator
from pydantic_core import core_schema as cs
from tests.vectors.canonical import _utc, comparable
from tests.vectors.probes import FieldProbe
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.errors import InnkeeperError
from innkeeper.objects import fields
from innkeeper.objects.kinds import Kind

_OTHER_NAMES = {"UUIDField": "Uuid", "IPV4AddressField": "IPv4", "IPV6AddressField": "IPv6"}
_REFUSALS = (ValidationError, InnkeeperError, ValueError, TypeError)


def judge_field(row: Row) -> Verdict:
    """Whether a value is read, coerced and written in the same way."""
    name, _, condition = row["field"].partition(" ")
    if condition == "default":
        return UNREPLAYED, "defaults belong to fields of classes, which the object files replay"
    try:
        ours = (
            _object_primitive(name, row) if "Object" in name else _primitive(name, condition, row)
        )
    except _REFUSALS as error:
        return (SAME, "") if "error" in row else (DIFFERENT, str(error)[:200])
    if "error" in row:
        return DIFFERENT, f"read as {ours!r}; Nova says {row['error']['message']}"
    return _compared(ours, row)


def _compared(ours: Any, row: Row) -> Verdict:
    ours, theirs = _ordered(comparable(ours)), _ordered(comparable(row["primitive"]))
    if ours == theirs and type(ours) is type(theirs):
        return SAME, ""
    if isinstance(theirs, str) and _utc(theirs.replace("UTC+", "+")) == _utc(ours):
        return "utc", ""
    return DIFFERENT, f"ours {ours!r}, Nova's {theirs!r}"


def _ordered(value: Any) -> Any:
    """Members of sets have no order."""
    if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
        return sorted(value)
    return value


def _primitive(name: str, condition: str, row: Row) -> Any:
    kind = _kind(_OTHER_NAMES.get(name, name.removesuffix("Field")))
    value = _python(row["input"], keys_are_numbers="not int" in str(row.get("error")))
    assigned = name.startswith(("Set", "ListOfSets")) and not isinstance(value, set)
    schema = kind.strict if assigned else kind.wire
    nullable = schema if condition == "not null" else cs.nullable_schema(schema)
    read = SchemaValidator(nullable).validate_python(value)
    return read if read is None or kind.write is None else kind.write(read)


def _kind(name: str) -> Kind:
    return next(one for one in get_args(getattr(fields, name)) if isinstance(one, Kind))


def _object_primitive(name: str, row: Row) -> Any:
    field = "many" if name.startswith("List") else "one"
    data = {field: _opened(row["input"])}
    probe = FieldProbe.of_data(data).to_primitive()
    return probe["nova_object.data"][field]


def _opened(value: Any) -> Any:
    if isinstance(value, list):
        return [_opened(one) for one in value]
    return value["object"] if isinstance(value, dict) and "object" in value else value


def _python(value: Any, *, keys_are_numbers: bool) -> Any:
    """The recorder wrote Python values that JSON lacks as `{"set": [...]}` and the like."""
    if isinstance(value, list):
        return [_python(one, keys_are_numbers=False) for one in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"set"}:
        return set(value["set"])
    if set(value) == {"tuple"}:
        return tuple(value["tuple"])
    if set(value) == {"datetime"}:
        return datetime.fromisoformat(value["datetime"])
    if set(value) == {"bytes"}:
        return bytes.fromhex(value["bytes"])
    return {int(key): one for key, one in value.items()} if keys_are_numbers else value
