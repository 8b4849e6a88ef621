"""Primitives made comparable, and the documented differences as ways of looking past them.

Each function of `LENSES` takes away one documented difference; what is left must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from innkeeper.errors import BadVersion, UnknownObject
from innkeeper.objects import VersionedObject
from innkeeper.objects.history import parse_version
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.registry import class_of

NAME, VERSION = "nova_object.name", "nova_object.version"
DATA, CHANGES = "nova_object.data", "nova_object.changes"

Lens = Callable[[Any], Any]


def is_object(value: Any) -> bool:
    return isinstance(value, dict) and NAME in value


def kind_of(primitive: dict[str, Any]) -> type[VersionedObject] | None:
    try:
        return class_of("nova", primitive[NAME])
    except UnknownObject:
        return None


def everywhere(value: Any, change: Lens) -> Any:
    """Apply a change to every object, innermost first."""
    if isinstance(value, list | tuple):
        return [everywhere(one, change) for one in value]
    if isinstance(value, dict):
        inner = {key: everywhere(one, change) for key, one in value.items()}
        return change(inner) if is_object(inner) else inner
    return value


def comparable(value: Any) -> Any:
    """Order of sets and of changes means nothing."""

    def change(primitive: dict[str, Any]) -> dict[str, Any]:
        result = dict(primitive)
        if CHANGES in result:
            result[CHANGES] = sorted(result[CHANGES])
        return result | {DATA: dict(_sorted_sets(result))}

    return everywhere(_untupled(value), change)


def _untupled(value: Any) -> Any:
    """The recorder wrote Python's tuples, which are arrays on the wire, as `{"tuple": [...]}`."""
    if isinstance(value, list):
        return [_untupled(one) for one in value]
    if isinstance(value, dict):
        if set(value) == {"tuple"}:
            return _untupled(value["tuple"])
        return {key: _untupled(one) for key, one in value.items()}
    return value


def _sorted_sets(primitive: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = kind_of(primitive)
    for name, value in primitive[DATA].items():
        type_name = ""
        if kind is not None and issubclass(kind, NovaObject) and name in kind.LAYOUT.fields:
            type_name = kind.LAYOUT.fields[name].type_name
        if type_name.startswith("SetOf") and isinstance(value, list):
            yield name, sorted(value)
        elif type_name.startswith("ListOfSets") and isinstance(value, list):
            yield name, [sorted(one) for one in value]
        else:
            yield name, value


def without_unknown_fields(value: Any) -> Any:
    """Fields that the version of an object does not have, which Nova leaves in for some versions."""

    def change(primitive: dict[str, Any]) -> dict[str, Any]:
        kind = kind_of(primitive)
        if kind is None:
            return primitive
        try:
            known = kind.SHAPES.at(parse_version(primitive[VERSION])).fields
        except BadVersion:
            return primitive
        return _keeping(primitive, known)

    return everywhere(value, change)


def _keeping(primitive: dict[str, Any], known: frozenset[str]) -> dict[str, Any]:
    data = {name: one for name, one in primitive[DATA].items() if name in known}
    result = primitive | {DATA: data}
    if CHANGES in result:
        changes = [name for name in result[CHANGES] if name in data]
        result = result | {CHANGES: changes} if changes else _without(result, CHANGES)
    return result


def _without(primitive: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: one for name, one in primitive.items() if name != key}


def without_foreign_objects(value: Any) -> Any:
    """The content of objects whose classes innkeeper does not have."""

    def change(primitive: dict[str, Any]) -> Any:
        return primitive if kind_of(primitive) else {"foreign": primitive[NAME]}

    return everywhere(value, change)


def in_utc(value: Any) -> Any:
    """Times are written in UTC, whatever zone they came in."""

    def change(primitive: dict[str, Any]) -> dict[str, Any]:
        return primitive | {DATA: {name: _utc(one) for name, one in primitive[DATA].items()}}

    return everywhere(value, change)


def _utc(value: Any) -> Any:
    if not isinstance(value, str) or not value[:4].isdigit() or "T" not in value:
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    return moment.astimezone(UTC).isoformat() if moment.tzinfo else value


def without_stale_changes(value: Any) -> Any:
    """Names of changed fields that are not in the data: old releases sent them."""

    def change(primitive: dict[str, Any]) -> dict[str, Any]:
        return _keeping(primitive, frozenset(primitive[DATA]))

    return everywhere(value, change)


def without_objects_inside(value: Any) -> Any:
    """Objects inside: where Nova has no rule for their version innkeeper's history has one."""
    if not is_object(value):
        return value
    data = {name: one for name, one in value[DATA].items() if not _holds_objects(one)}
    return value | {DATA: data}


def without_objects_in_contexts(value: Any) -> Any:
    """Objects in migration contexts, which Nova leaves at its own versions."""

    def change(primitive: dict[str, Any]) -> Any:
        if primitive[NAME] != "MigrationContext":
            return primitive
        return _without(without_objects_inside(primitive), CHANGES)

    return everywhere(value, change)


def without_versions_inside(value: Any) -> Any:
    """Nova labels an object inside with the version asked for, even above what the object has."""
    if not is_object(value):
        return value

    def change(primitive: dict[str, Any]) -> Any:
        return _without(primitive, VERSION)

    return value | {DATA: everywhere(value[DATA], change)}


def without_looked_up_nodes(value: Any) -> Any:
    """The content of a compute node that the recorder looked up, in its own records."""

    def change(primitive: dict[str, Any]) -> Any:
        node = primitive[DATA].get("compute_node")
        if primitive[NAME] != "Service" or not is_object(node):
            return primitive
        return primitive | {DATA: primitive[DATA] | {"compute_node": node[VERSION]}}

    return everywhere(value, change)


def without_objects_at_any_level(value: Any) -> Any:
    """Objects inside the elements of a list, or inside an object."""
    return everywhere(
        value, lambda one: one if "objects" in one[DATA] else without_objects_inside(one)
    )


def _holds_objects(value: Any) -> bool:
    return is_object(value[0] if isinstance(value, list) and value else value)


LENSES: dict[str, Lens] = {
    "stale-changes": without_stale_changes,
    "unknown-fields": without_unknown_fields,
    "utc": in_utc,
    "foreign-objects": without_foreign_objects,
    "nested-context": without_objects_in_contexts,
}
