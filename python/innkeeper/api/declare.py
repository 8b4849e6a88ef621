"""How endpoints are declared in the published document, since they read and write bytes themselves."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from innkeeper.api.problems import PROBLEM_TYPE
from innkeeper.api.views import Problem

_REF = "#/components/schemas/"

#: Models that only requests use; answers are collected by the framework.
asked_models: list[type[BaseModel]] = []


def asks(model: type[BaseModel], *, optional: bool = False) -> dict[str, Any]:
    """The request body of an endpoint."""
    if model not in asked_models:
        asked_models.append(model)
    content = {"schema": {"$ref": _REF + model.__name__}, **_examples(model)}
    body = {"content": {"application/json": content}, "required": not optional}
    return {"requestBody": body}


def _examples(model: type[BaseModel]) -> dict[str, Any]:
    extra = model.model_config.get("json_schema_extra")
    examples = extra.get("examples", []) if isinstance(extra, dict) else []
    if not isinstance(examples, list):
        return {}
    named = {f"example{index}": {"value": value} for index, value in enumerate(examples, 1)}
    return {"examples": named} if named else {}


def answers(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an endpoint answers: the model with these statuses, problems otherwise."""
    good: dict[int | str, dict[str, Any]] = {
        status: {"model": model, "description": (model.__doc__ or "").partition("\n")[0]}
        for status in statuses or (200,)
    }
    return {**good, "default": PROBLEM}


def streams(
    answered: dict[int | str, dict[str, Any]], kind: str, model: type[BaseModel]
) -> dict[int | str, dict[str, Any]]:
    """The same for an endpoint that also answers with a stream of these."""
    asked_models.append(model)
    content = {kind: {"schema": {"$ref": _REF + model.__name__}}}
    return {**answered, 200: {**answered[200], "content": content}}


def tagged_answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The same for an endpoint whose answer has an ETag."""
    return {**answers(model), 304: {"description": "The caller has the answer already."}}


PROBLEM: dict[str, Any] = {
    "description": "A refusal; `code` is stable.",
    "content": {
        PROBLEM_TYPE: {
            "schema": {"$ref": _REF + Problem.__name__},
            **_examples(Problem),
        }
    },
}
asked_models.append(Problem)
