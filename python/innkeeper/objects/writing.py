"""The ways out: objects to primitives, at their own version or for an older reader, and to text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from innkeeper.objects.history import Shape, VersionNumber, format_version, parse_version
from innkeeper.objects.plain import child_target, refuse_new_values
from innkeeper.objects.reader import Reader
from innkeeper.objects.values import (
    OBJECT_CHANGES,
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_VERSION,
    Primitive,
)

if TYPE_CHECKING:
    from innkeeper.objects.nova import NovaObject


def write_own(source: NovaObject) -> Primitive:
    """A primitive at the object's own version; it shares nothing with the object."""
    layout = source.LAYOUT
    version, changes, _ = source.mark
    data = _converted(source)
    for field in layout.children:
        value = data.get(field.name)
        if value is None:
            continue
        if field.many:
            data[field.name] = _all_own(value)
            if source.IS_LIST and any(OBJECT_CHANGES in one for one in data[field.name]):
                changes = changes | {field.name}
        else:
            data[field.name] = inner = write_own(value)
            if OBJECT_CHANGES in inner:
                changes = changes | {field.name}
    if layout.foreign:
        changes = changes.union(changed_foreign(source))
    return with_changes(envelope_at(source, version, data), changes)


def _converted(source: NovaObject) -> dict[str, Any]:
    data = source.__dict__.copy()
    for name, write in source.LAYOUT.writers:
        value = data.get(name)
        if value is not None:
            data[name] = write(value)
    return data


def _all_own(sources: tuple[NovaObject, ...]) -> list[Primitive]:
    """Of objects of one class; those that are clean and hold no others are made on the spot."""
    if not sources or sources[0].LAYOUT.nested:
        return [write_own(one) for one in sources]
    latest, enveloped = sources[0].VERSION, sources[0].LAYOUT.enveloped
    result = []
    for one in sources:
        version, changes, _ = one.mark
        quick = version == latest and not changes
        result.append(enveloped(_converted(one)) if quick else write_own(one))
    return result


def envelope_at(source: NovaObject, version: str, data: dict[str, Any]) -> Primitive:
    """A primitive of a class at a version."""
    return {
        OBJECT_NAME: type(source).__name__,
        OBJECT_NAMESPACE: source.NAMESPACE,
        OBJECT_VERSION: version,
        OBJECT_DATA: data,
    }


def with_changes(primitive: Primitive, changes: frozenset[str]) -> Primitive:
    """Names those changed fields that the primitive has; none, and the key is left out."""
    if changes and (named := [name for name in primitive[OBJECT_DATA] if name in changes]):
        primitive[OBJECT_CHANGES] = named
    return primitive


def changed_foreign(source: NovaObject) -> list[str]:
    """Fields that hold a changed object of a foreign class."""
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
        refuse_new_values(source, data, shape, target)
        source.substitute(data, target, reader)
    primitive = envelope_at(source, format_version(target), data)
    return with_changes(primitive, source.changed_fields())


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
