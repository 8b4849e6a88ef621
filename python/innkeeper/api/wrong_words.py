"""What is wrong with a request, in words for the caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, get_args

from pydantic import BaseModel

from innkeeper.config.nearest import hint, quoted
from innkeeper.errors import BadRequest

Place = tuple[int | str, ...]

#: More than these help nobody at once.
_MOST_SHOWN: Final = 20


def refusal_of(found: Sequence[Any], model: type[BaseModel] | None = None) -> BadRequest:
    """Every problem that validation found as one refusal; `errors[].path` names each field."""
    errors = [_problem(one, model) for one in found[:_MOST_SHOWN]]
    more = len(found) - len(errors)
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


def _problem(found: Any, model: type[BaseModel] | None) -> dict[str, str]:
    path = _written(found["loc"])
    return {"path": path, "message": _message(found, path, model)}


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
