"""What is wrong with a configuration, in words for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from innkeeper.config.nearest import hint, quoted
from innkeeper.config.sections import Config
from innkeeper.errors import BadConfig

Place = tuple[int | str, ...]

#: More than these help nobody at once.
_MOST_SHOWN = 20


def config_refusal(
    error: ValidationError, path: Path | None, variables: Mapping[tuple[str, ...], str]
) -> BadConfig:
    """Every problem of one configuration as a single refusal."""
    problems = [_problem(found, path, variables) for found in error.errors(include_url=False)]
    lines = [problem.line for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        lines.append(f"and {len(problems) - _MOST_SHOWN} more")
    errors = [{"path": problem.key, "message": problem.message} for problem in problems]
    return BadConfig("\n".join(lines), file=str(path) if path else None, errors=errors)


@dataclass(frozen=True, slots=True)
class _Problem:
    source: str
    key: str
    message: str

    @property
    def line(self) -> str:
        return f"{self.source}: {self.message}"


def _problem(
    found: ErrorDetails, path: Path | None, variables: Mapping[tuple[str, ...], str]
) -> _Problem:
    place = found["loc"]
    variable = _variable_above(place, variables)
    source = variable or (str(path) if path else "configuration")
    return _Problem(source, _written(place), _message(found))


def _variable_above(place: Place, variables: Mapping[tuple[str, ...], str]) -> str | None:
    prefixes = (place[:length] for length in range(len(place), 0, -1))
    return next((variables[p] for p in prefixes if p in variables), None)  # type: ignore[index]


def _written(place: Place) -> str:
    """`counters[1].total`: entries of a list are counted from 1, as people count them."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _message(found: ErrorDetails) -> str:
    place, key = found["loc"], _written(found["loc"])
    if found["type"] == "extra_forbidden":
        return f"unknown key `{key}`; {hint(str(place[-1]), _section(place[:-1]).model_fields)}"
    if found["type"] == "missing":
        return f"`{key}` is missing"
    if found["type"] == "value_error":
        return f"`{key}`: {found['msg'].removeprefix('Value error, ')}"
    shown = "(not shown)" if _is_secret(_field(place)) else quoted(found["input"])
    return f"`{key}` = {shown}: {_allowed(found)}"


def _allowed(found: ErrorDetails) -> str:
    field = _field(found["loc"])
    if found["type"] == "string_pattern_mismatch" and field is not None and field.description:
        return f"should be {field.description}"
    if found["type"] in ("model_type", "model_attributes_type"):
        return f"should be a table with keys of {', '.join(_section(found['loc']).model_fields)}"
    if found["type"] == "string_pattern_mismatch":
        return "should be one line of printable text"
    if found["type"] == "tuple_type":
        return "should be a list"
    return found["msg"].removeprefix("Input ").replace("valid integer", "whole number")


def _section(place: Place) -> type[BaseModel]:
    """The section that a place leads to; list positions are passed over."""
    section: type[BaseModel] = Config
    for name in place:
        if isinstance(name, str) and name in section.model_fields:
            section = _section_in(section.model_fields[name].annotation) or section
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _section_in(one))), None)


def _is_secret(field: FieldInfo | None) -> bool:
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _field(place: Place) -> FieldInfo | None:
    names = [part for part in place if isinstance(part, str)]
    return _section(tuple(names[:-1])).model_fields.get(names[-1]) if names else None
