"""`objects`: what travels and is stored, at every version."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import BaseModel

from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.tables import columns
from innkeeper.errors import NotFound
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.describe import class_named, describe_fields, known_classes
from innkeeper.objects.reader import Manifest
from innkeeper.objects.releases import pin

ClassName = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="Its fields, such as ComputeNode.")
]
Release = Annotated[
    str | None,
    typer.Option("--at", metavar="RELEASE", help="What that release can read, such as liberty."),
]


class ClassLine(BaseModel):
    """One class at one version."""

    name: str
    namespace: str
    version: str
    fields: int


class FieldLine(BaseModel):
    """One field of a class."""

    name: str
    type: str
    since: str
    default: str | None
    read_only: bool
    values: tuple[str, ...]


def objects(name: ClassName = None, at: Release = None, output: ListOutput = "table") -> None:
    """The classes with their versions, or the fields of one of them."""
    manifest = pin(at) if at else None
    if name is None:
        _put_classes(manifest, output)
    else:
        _put_fields(class_named(name), at, manifest, output)


def _put_classes(manifest: Manifest | None, output: str) -> None:
    lines = [
        ClassLine(
            name=kind.__name__,
            namespace=kind.NAMESPACE,
            version=version,
            fields=len(describe_fields(kind, version)),
        )
        for kind in known_classes()
        if (version := _version_at(kind, manifest)) is not None
    ]
    rows = [(one.name, one.namespace, one.version, str(one.fields)) for one in lines]
    table = columns(("CLASS", "NAMESPACE", "VERSION", "FIELDS"), rows)
    _put(lines, table, [one.name for one in lines], output)


def _version_at(kind: type[VersionedObject], manifest: Manifest | None) -> str | None:
    """The version that a release reads; null when it does not know the class."""
    return kind.VERSION if manifest is None else manifest.get(kind.__name__)


def _put_fields(
    kind: type[VersionedObject], at: str | None, manifest: Manifest | None, output: str
) -> None:
    version = _version_at(kind, manifest)
    if version is None:
        raise NotFound(f"{kind.__name__} is not known in {at}", name=kind.__name__, release=at)
    lines = [
        FieldLine.model_validate(one, from_attributes=True)
        for one in describe_fields(kind, version)
    ]
    rows = [(one.name, one.type, one.since, one.default or "", _remarks(one)) for one in lines]
    table = columns(("FIELD", "TYPE", "SINCE", "DEFAULT", "REMARKS"), rows)
    _put(lines, f"{kind.__name__} {version}\n{table}", [one.name for one in lines], output)


def _remarks(line: FieldLine) -> str:
    words = ["read-only"] if line.read_only else []
    return "; ".join([*words, *([", ".join(line.values)] if line.values else [])])


def _put(
    lines: list[ClassLine] | list[FieldLine], table: str, named: list[str], output: str
) -> None:
    writers = {
        Form.TABLE: lambda: table,
        Form.WIDE: lambda: table,
        Form.NAME: lambda: names(named),
    }
    put(output, writers | data_writers(lines))
