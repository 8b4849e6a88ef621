"""Wire forms of plain values, and what all ways of writing have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, get_args
from uuid import UUID

import orjson

from innkeeper.errors import BadPrimitive, IncompatibleObject, NoBackport
from innkeeper.objects.history import Shape, VersionNumber, format_version, parse_version
from innkeeper.objects.marks import Marked
from innkeeper.objects.reader import Manifest, Reader
from innkeeper.objects.registry import class_of
from innkeeper.objects.values import (
    MAX_DEPTH,
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_VERSION,
    Primitive,
)

if TYPE_CHECKING:
    from innkeeper.objects.base import VersionedObject


def envelope(kind: type[VersionedObject], version: str, data: dict[str, Any]) -> Primitive:
    """A primitive without changes."""
    return {
        OBJECT_NAME: kind.__name__,
        OBJECT_NAMESPACE: kind.NAMESPACE,
        OBJECT_VERSION: version,
        OBJECT_DATA: data,
    }


def dump(value: object) -> bytes:
    """JSON text; orjson has no integers beyond 64 bits, so those go through the standard library."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def child_target(
    value: object, field: str, shape: Shape, manifest: Manifest | None
) -> VersionNumber | None:
    """The version to write the objects of a field at; null leaves them as they are.

    A manifest decides alone: a class that it does not name is left as it is. Without one the
    history says which version of the child went with this version of the parent.
    """
    if manifest is None:
        text = shape.children.get(field)
    else:
        one = value[0] if isinstance(value, tuple) and value else value
        text = manifest.get(type(one).__name__)
    return None if text is None else parse_version(text)


def written(value: Any, target: VersionNumber | None, reader: Reader) -> Any:
    """The wire form of a value of any field; objects in it at the version asked for."""
    match value:
        case Marked():
            return _object_written(value, target, reader)
        case tuple() | list():
            return [written(item, target, reader) for item in value]
        case dict():
            return {str(key): written(item, target, reader) for key, item in value.items()}
        case _:
            return _scalar_written(value)


def _object_written(value: Any, target: VersionNumber | None, reader: Reader) -> Primitive:
    own = parse_version(value.object_version)
    primitive: Primitive = value.write_at(own if target is None else target, reader)
    return primitive


def _scalar_written(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case UUID():
            return str(value)
        case Enum():
            return value.value
        case _:
            return value


def revived(value: Any, depth: int = 0) -> Any:
    """A value of the wire with the objects in it read.

    Raises:
        BadPrimitive: an object in it cannot be read, or it is nested deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        raise BadPrimitive(f"nested deeper than {MAX_DEPTH} levels", path="")
    if isinstance(value, list | tuple):
        return tuple(revived_at(index, item, depth) for index, item in enumerate(value))
    if not isinstance(value, dict):
        return value
    if OBJECT_NAME in value and OBJECT_NAMESPACE in value:
        return _object_revived(value, depth)
    return {key: revived_at(key, item, depth) for key, item in value.items()}


def revived_at(step: str | int, value: Any, depth: int) -> Any:
    """As `revived`, one level deeper: an error says so in its path."""
    try:
        return revived(value, depth + 1)
    except (BadPrimitive, IncompatibleObject) as error:
        place = f"[{step}]" if isinstance(step, int) else str(step)[:100]
        path = str(error.details.get("path", ""))
        error.details["path"] = f"{place}{'' if path[:1] in ('', '[') else '.'}{path}"
        raise


def _object_revived(value: dict[str, Any], depth: int) -> Any:
    name, namespace = value[OBJECT_NAME], value[OBJECT_NAMESPACE]
    kind = class_of(str(namespace), str(name))
    return kind.read_at_depth(value, depth + 1)


def classes_in(annotation: Any) -> Iterator[type[VersionedObject]]:
    """The classes of objects that an annotation speaks of."""
    if isinstance(annotation, type) and issubclass(annotation, Marked):
        yield annotation  # type: ignore[misc]
    for inner in get_args(annotation):
        yield from classes_in(inner)


def refuse_new_values(
    source: VersionedObject, data: dict[str, Any], shape: Shape, target: VersionNumber
) -> None:
    """Keep readers of an older version from getting a value that they would refuse.

    Raises:
        NoBackport
    """
    for name, values in shape.refused.items():
        if data.get(name) in values:
            raise no_backport(source, name, data[name], target)


def no_backport(
    source: VersionedObject, field: str, value: str, target: VersionNumber
) -> NoBackport:
    """The error about a value that readers of an older version refuse or would misread."""
    kind, version = type(source).__name__, format_version(target)
    return NoBackport(
        f"{kind}.{field} is {value!r}, which readers of {kind} {version} do not have",
        name=kind,
        version=version,
        field=field,
        value=value,
    )
