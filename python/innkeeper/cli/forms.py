"""Output forms: one answer as table, JSON, YAML, names, shell lines or libvirt's XML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from innkeeper.cli.exits import emit
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


def _output(*forms: Form) -> Any:
    """An option that takes these; anything else is refused before anything is done."""

    def check(value: str) -> str:
        if value not in forms:
            raise typer.BadParameter(
                f"{value!r} is not for this command; it has {', '.join(forms)}"
            )
        return value

    return typer.Option(
        "-o", "--output", metavar="FORM", callback=check, help=", ".join(forms) + "."
    )


_LISTS = (Form.TABLE, Form.WIDE, Form.JSON, Form.YAML, Form.NAME)
_ANSWERS = (Form.TABLE, Form.WIDE, Form.JSON, Form.YAML, Form.ENV, Form.LIBVIRT)

ListOutput = Annotated[str, _output(*_LISTS)]
WatchOutput = Annotated[str, _output(Form.TABLE, Form.JSON, Form.NAME)]
FitOutput = Annotated[str, _output(*_ANSWERS)]
ClaimOutput = Annotated[str, _output(*Form)]

Writers = Mapping[Form, Callable[[], str]]
"""Each form that a command has, and how its text is made."""


def put(output: str, writers: Writers) -> None:
    """Write the answer to stdout in the form that was asked for.

    Raises:
        BadRequest: this answer has no such form.
    """
    writer = writers.get(Form(output))
    if writer is None:
        raise BadRequest(f"-o {output} is not for this answer; it has {', '.join(writers)}")
    emit(writer())


def names(values: Iterable[object]) -> str:
    """One name a line, each once."""
    return "\n".join(dict.fromkeys(str(value) for value in values))


def data_writers(value: BaseModel | Sequence[BaseModel]) -> dict[Form, Callable[[], str]]:
    """The API's own objects; a sequence is an array."""
    return {Form.JSON: lambda: _json_text(value), Form.YAML: lambda: _yaml_text(value)}


def _json_text(value: BaseModel | Sequence[BaseModel]) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json(indent=2)
    return "[" + ",\n".join(one.model_dump_json(indent=2) for one in value) + "]"


def _yaml_text(value: BaseModel | Sequence[BaseModel]) -> str:
    import yaml

    plain: Any
    if isinstance(value, BaseModel):
        plain = value.model_dump(mode="json")
    else:
        plain = [one.model_dump(mode="json") for one in value]
    text: str = yaml.dump(plain, Dumper=_dumper(), sort_keys=False, allow_unicode=True)
    return text


def _dumper() -> Any:
    """The one in C, where there is one: a large host is megabytes of YAML."""
    import yaml

    return getattr(yaml, "CSafeDumper", yaml.SafeDumper)
