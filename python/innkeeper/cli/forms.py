"""Output forms: one answer as table, JSON, YAML, names, shell lines or libvirt's XML."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel

from innkeeper.errors import BadRequest


class Form(StrEnum):
    """What `-o` takes; not every command has every form."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    ENV = "env"
    LIBVIRT = "libvirt"


Output = Annotated[
    str, typer.Option("-o", "--output", metavar="FORM", help=" | ".join(Form), show_default=False)
]

Writers = Mapping[Form, Callable[[], str | None]]
"""Each form that a command has, and how its text is made; null when it was written already."""


def chosen(text: str, forms: Sequence[Form]) -> Form:
    """The form that was named.

    Raises:
        BadRequest: the command does not have it.
    """
    named = next((form for form in forms if form == text), None)
    if named is None:
        raise BadRequest(f"-o {text} is not for this command; it has {', '.join(forms)}")
    return named


def put(output: str, writers: Writers) -> None:
    """Write the answer to stdout in the form that was asked for."""
    text = writers[chosen(output, tuple(writers))]()
    if text:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


def json_text(value: BaseModel | Sequence[BaseModel]) -> str:
    """The API's own objects; a sequence is a JSON array."""
    if isinstance(value, BaseModel):
        return value.model_dump_json(indent=2)
    return "[\n" + ",\n".join(one.model_dump_json(indent=2) for one in value) + "\n]"


def yaml_text(value: BaseModel | Sequence[BaseModel]) -> str:
    """The same as YAML."""
    import yaml

    if isinstance(value, BaseModel):
        plain: object = value.model_dump(mode="json")
    else:
        plain = [one.model_dump(mode="json") for one in value]
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def data_writers(value: BaseModel | Sequence[BaseModel]) -> dict[Form, Callable[[], str | None]]:
    """The two forms that every answer has."""
    return {Form.JSON: lambda: json_text(value), Form.YAML: lambda: yaml_text(value)}
