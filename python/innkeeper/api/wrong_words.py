"""What is wrong with a request, in words for the caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

from innkeeper.config.nearest import hint, quoted
from innkeeper.errors import BadRequest

Place = tuple[int | str, ...]

#: More than these help nobody at once.
_MOST_SHOWN: Final = 20

_SHOULD_BE: Final = ": should be "


def refusal_of(found: Sequence[Any], model: type[BaseModel] | None = None) -> BadRequest:
    """Every problem that validation found as one refusal; `errors[].path` names each field."""
    problems = _joined(_problem(one, model) for one in _innermost(found))
    errors = problems[:_MOST_SHOWN]
    more = len(problems) - len(errors)
    lines = [error["message"] for error in errors] + ([f"and {more} more"] if more > 0 else [])
    return BadRequest("; ".join(lines), errors=errors)


@contextmanager
def named_from(place: str) -> Iterator[None]:
    """Let a refusal of what stands at a place of the body name its fields from the body's top."""
    try:
        yield
    except BadRequest as refusal:
        for error in refusal.details.get("errors", ()):
            error["path"] = f"{place}.{error['path']}" if error["path"] else place
        raise


def _innermost(found: Sequence[Any]) -> Iterator[Any]:
    """Without complaints about a whole of which a part is told to be wrong: a list whose only entry is, is empty."""
    wholes = {one["loc"][:length] for one in found for length in range(len(one["loc"]))}
    return (one for one in found if one["loc"] not in wholes)


def _joined(problems: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """A value that may be of several kinds has a problem for each: one sentence says what would do."""
    joined: list[dict[str, str]] = []
    for problem in problems:
        said, should_be, rest = problem["message"].partition(_SHOULD_BE)
        earlier = joined[-1]["message"] if joined else ""
        if should_be and earlier.startswith(said + should_be):
            joined[-1] = problem | {"message": f"{earlier}, or {rest}"}
        else:
            joined.append(problem)
    return joined


def _problem(found: Any, model: type[BaseModel] | None) -> dict[str, str]:
    path = _written(_without_kind(found["loc"], model))
    return {"path": path, "message": _message(found, path, model)}


def _without_kind(place: Place, model: type[BaseModel] | None) -> Place:
    """The place itself, where a value may be of several kinds: validation adds the one that it tried."""
    if model is None or len(place) < 2 or not isinstance(place[-2], str):
        return place
    field = _model_at(place[:-2], model).model_fields.get(place[-2])
    return place[:-1] if field and _has_kinds(field.annotation) else place


def _has_kinds(annotation: Any) -> bool:
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
    return get_origin(annotation) in (Union, UnionType) and len(kinds) > 1


def _message(found: Any, path: str, model: type[BaseModel] | None) -> str:
    kind, said = found["type"], found["msg"]
    if kind == "json_invalid":
        return f"the body is no JSON: {said.removeprefix('Invalid JSON: ')}"
    if kind == "extra_forbidden":
        return _unknown(found["loc"], path, model)
    if kind == "missing":
        return f"`{path}` is missing"
    if kind == "value_error":
        return f"`{path}`: {said.removeprefix('Value error, ')}"
    where = f"`{path}`" if path else "the body"
    return f"{where} = {quoted(found['input'])}: {_lower_first(said)}"


def _unknown(place: Place, path: str, model: type[BaseModel] | None) -> str:
    known = _model_at(place[:-1], model) if model else None
    suggestion = f"; {hint(str(place[-1]), known.model_fields)}" if known else ""
    return f"unknown field `{path}`{suggestion}"


def _lower_first(text: str) -> str:
    """`Input should be ...` as the end of a sentence."""
    text = text.removeprefix("Input ")
    return text[:1].lower() + text[1:]


def _written(place: Place) -> str:
    """`request.devices[0].count`: as a program would reach the value."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _model_at(place: Place, model: type[BaseModel]) -> type[BaseModel]:
    """The model that a place leads to; list positions and map keys are passed over."""
    for name in place:
        field = model.model_fields.get(name) if isinstance(name, str) else None
        model = (_model_in(field.annotation) if field else None) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)
