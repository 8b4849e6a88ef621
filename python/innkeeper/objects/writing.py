"""The ways out: objects to primitives, at their own version or for an older reader, and to text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from innkeeper.errors import NoBackport
from innkeeper.objects.history import Shape, VersionNumber, format_version, parse_version
from innkeeper.objects.plain import child_target, dump, envelope
from innkeeper.objects.reader import Reader
from innkeeper.objects.values import (
    OBJECT_CHANGES,
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_VERSION,
    Foreign,
    Primitive,
)

if TYPE_CHECKING:
    from innkeeper.objects.nova import NovaObject

_JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS


def write_own(source: NovaObject) -> Primitive:
    """A primitive at the object's own version; it shares nothing with the object."""
    return _formed(source, _converted)


def write_text(source: NovaObject) -> bytes:
    """JSON text at the object's own version; only what JSON lacks is converted on the way."""
    try:
        if source.mark is source.FRESH and not source.LAYOUT.nested:
            return orjson.dumps(_fresh_form(source), _sorted, _JSON_OPTIONS)
        return orjson.dumps(_formed(source, _borrowed), _sorted, _JSON_OPTIONS)
    except TypeError:
        return dump(write_own(source))


def _fresh_form(source: NovaObject) -> Primitive:
    return {
        OBJECT_NAME: type(source).__name__,
        OBJECT_NAMESPACE: source.NAMESPACE,
        OBJECT_VERSION: source.VERSION,
        OBJECT_DATA: source.__dict__,
    }


Prepare = Callable[["NovaObject"], dict[str, Any]]
"""How the plain fields of an object come into its primitive."""


def _converted(source: NovaObject) -> dict[str, Any]:
    data = source.__dict__.copy()
    for name, write in source.LAYOUT.writers:
        value = data.get(name)
        if value is not None:
            data[name] = write(value)
    return data


def _borrowed(source: NovaObject) -> dict[str, Any]:
    return source.__dict__.copy() if source.LAYOUT.nested else source.__dict__


def _sorted(value: Any) -> Any:
    """What orjson makes of the values it does not know."""
    return value.primitive if isinstance(value, Foreign) else sorted(value)


def _formed(source: NovaObject, prepare: Prepare) -> Primitive:
    layout = source.LAYOUT
    version, changes = source.mark
    data = prepare(source)
    for field in layout.children:
        value = data.get(field.name)
        if value is None:
            continue
        if field.many:
            data[field.name] = _all_formed(value, prepare)
            if source.IS_LIST and any(OBJECT_CHANGES in one for one in data[field.name]):
                changes = changes | {field.name}
        else:
            data[field.name] = inner = _formed(value, prepare)
            if OBJECT_CHANGES in inner:
                changes = changes | {field.name}
    primitive: Primitive = {
        OBJECT_NAME: type(source).__name__,
        OBJECT_NAMESPACE: source.NAMESPACE,
        OBJECT_VERSION: version,
        OBJECT_DATA: data,
    }
    changes = changes.union(_changed_foreign(source)) if layout.foreign else changes
    if changes and (named := [name for name in data if name in changes]):
        primitive[OBJECT_CHANGES] = named
    return primitive


def _all_formed(sources: tuple[NovaObject, ...], prepare: Prepare) -> list[Primitive]:
    """Of objects of one class; those that are fresh and hold no others are made on the spot."""
    if not sources or sources[0].LAYOUT.nested:
        return [_formed(one, prepare) for one in sources]
    name, namespace = type(sources[0]).__name__, sources[0].NAMESPACE
    fresh = sources[0].FRESH
    return [
        {
            OBJECT_NAME: name,
            OBJECT_NAMESPACE: namespace,
            OBJECT_VERSION: fresh[0],
            OBJECT_DATA: prepare(one),
        }
        if one.mark is fresh
        else _formed(one, prepare)
        for one in sources
    ]


def _changed_foreign(source: NovaObject) -> list[str]:
    held = source.__dict__
    return [
        name for name in source.LAYOUT.foreign if held.get(name) is not None and held[name].changed
    ]


def write_at(source: NovaObject, target: VersionNumber, reader: Reader) -> Primitive:
    """A primitive for an older reader, or for one that knows other versions of what is inside."""
    own = parse_version(source.object_version)
    shape = source.SHAPES.at(target)
    data = {
        name: _written(source, name, value, shape, reader)
        for name, value in source.__dict__.items()
        if target == own or name in shape.fields
    }
    if target < own:
        _refuse_new_values(source, data, shape, target)
        source.substitute(data, target, reader)
    primitive = envelope(type(source), format_version(target), data)
    changes = source.changed_fields()
    if named := [name for name in data if name in changes]:
        primitive[OBJECT_CHANGES] = named
    return primitive


def _written(source: NovaObject, name: str, value: Any, shape: Shape, reader: Reader) -> Any:
    field = source.LAYOUT.fields[name]
    if value is None:
        return None
    if field.kind is not None:
        return value if field.kind.write is None else field.kind.write(value)
    target = child_target(value, name, shape, reader.manifest)
    if field.many:
        return [_child_written(one, target, reader) for one in value]
    return _child_written(value, target, reader)


def _child_written(child: NovaObject, target: VersionNumber | None, reader: Reader) -> Primitive:
    if target is None:
        return write_own(child)
    return child.write_at(min(target, parse_version(child.object_version)), reader)


def _refuse_new_values(
    source: NovaObject, data: dict[str, Any], shape: Shape, target: VersionNumber
) -> None:
    for name, values in shape.refused.items():
        if data.get(name) in values:
            raise no_backport(source, name, data[name], target)


def no_backport(source: NovaObject, field: str, value: str, target: VersionNumber) -> NoBackport:
    """The error about a value that readers of an older version refuse or would misread."""
    kind, version = type(source).__name__, format_version(target)
    return NoBackport(
        f"{kind}.{field} is {value!r}, which readers of {kind} {version} do not have",
        name=kind,
        version=version,
        field=field,
        value=value,
    )
