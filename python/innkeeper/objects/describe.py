"""Every class, version and field in words, and a fingerprint that tells when one changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from innkeeper.errors import UnknownObject
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.history import format_version, parse_version
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.reader import Manifest
from innkeeper.objects.registry import classes
from innkeeper.objects.wire import NO_DEFAULT, Declared


@dataclass(frozen=True)
class FieldDescription:
    """One field of a class, as far as it decides what can be written and read."""

    name: str
    type: str
    """Nova's name of the type; of classes of innkeeper, JSON's. `?` when it may be null."""
    exactly: str
    """The type with everything that limits it."""
    default: str | None
    read_only: bool
    values: tuple[str, ...]
    since: str
    """The first version that has it."""


def known_classes() -> Iterator[type[VersionedObject]]:
    """The classes of this package, by namespace and name."""
    return (kind for kind in classes() if kind.__module__.startswith("innkeeper.objects."))


def class_named(name: str) -> type[VersionedObject]:
    """The class of that name in any namespace.

    Raises:
        UnknownObject: there is none; the message lists those that are.
    """
    found = {kind.__name__: kind for kind in known_classes()}
    if name not in found:
        raise UnknownObject(
            f"no object {name[:100]!r}; known are {', '.join(sorted(found))}",
            name=name[:100],
            known=sorted(found),
        )
    return found[name]


def describe_fields(kind: type[VersionedObject], version: str) -> list[FieldDescription]:
    """The fields that a version of a class has, by name.

    Raises:
        BadVersion: the class never had this version.
    """
    held = kind.SHAPES.at(parse_version(version)).fields
    return [_described(kind, name, version) for name in sorted(held)]


def _described(kind: type[VersionedObject], name: str, version: str) -> FieldDescription:
    since = _since(kind, name)
    if not issubclass(kind, NovaObject):
        return _described_plain(kind, name, version, since)
    field = kind.LAYOUT.fields[name]
    default = None if field.default is NO_DEFAULT else repr(field.default)
    values = _values(kind, field, version)
    exactly = json.dumps([field.type_name, default, field.read_only, values])
    return FieldDescription(name, field.type_name, exactly, default, field.read_only, values, since)


def _described_plain(
    kind: type[VersionedObject], name: str, version: str, since: str
) -> FieldDescription:
    schema = kind.model_json_schema()
    bare = _bare(schema["properties"][name], schema.get("$defs", {}))
    default = json.dumps(bare["default"]) if isinstance(bare, dict) and "default" in bare else None
    refused = _refused(kind, name, version)
    values = tuple(bare.get("enum", ())) if isinstance(bare, dict) else ()
    values = tuple(one for one in values if one not in refused)
    exactly = json.dumps(bare, sort_keys=True)
    return FieldDescription(name, _short(bare), exactly, default, False, values, since)


def _values(kind: type[NovaObject], field: Declared, version: str) -> tuple[str, ...]:
    refused = _refused(kind, field.name, version)
    values = field.kind.values if field.kind is not None else ()
    return tuple(one for one in values if one not in refused)


def _refused(kind: type[VersionedObject], name: str, version: str) -> frozenset[str]:
    return kind.SHAPES.at(parse_version(version)).refused.get(name, frozenset())


def _since(kind: type[VersionedObject], name: str) -> str:
    number = next(one for one, shape in kind.SHAPES.shapes.items() if name in shape.fields)
    return format_version(number)


def _bare(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_bare(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return {"enum": definitions[name]["enum"]} if "enum" in definitions[name] else name
    return {
        key: _bare(value, definitions)
        for key, value in schema.items()
        if key not in ("title", "description")
    }


def _short(schema: Any) -> str:
    if isinstance(schema, str):
        return f"Object<{schema}>"
    if "anyOf" in schema:
        kinds = [_short(one) for one in schema["anyOf"]]
        others = " or ".join(one for one in kinds if one != "null")
        return others + "?" * ("null" in kinds)
    match schema.get("type"):
        case "array":
            return f"list of {_short(schema['items'])}"
        case "object" if isinstance(schema.get("additionalProperties"), dict | str):
            return f"mapping to {_short(schema['additionalProperties'])}"
        case kind:
            return str(schema.get("format", kind or "string"))


def fingerprint(kind: type[VersionedObject], version: str) -> str:
    """A hash over everything that decides what a version of a class can hold."""
    shape = kind.SHAPES.at(parse_version(version))
    told = [
        kind.NAMESPACE,
        kind.__name__,
        version,
        [
            [f.name, f.type, f.default, f.read_only, f.values]
            for f in describe_fields(kind, version)
        ],
        sorted(shape.children.items()),
    ]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprints() -> dict[str, dict[str, str]]:
    """Class -> version -> fingerprint, of every version that every class has had."""
    return {
        kind.__name__: {version: fingerprint(kind, version) for version in kind.SHAPES.versions}
        for kind in known_classes()
    }


def versions_at(manifest: Manifest | None) -> dict[str, str]:
    """Class -> the version of it that a release reads; the newest without a manifest.

    Classes that the release does not have are left out; those of innkeeper have one version.
    """
    found = {kind.__name__: kind for kind in known_classes()}
    if manifest is None:
        return {name: kind.VERSION for name, kind in found.items()}
    return {
        name: manifest.get(name, kind.VERSION)
        for name, kind in found.items()
        if name in manifest or kind.NAMESPACE != "nova"
    }
