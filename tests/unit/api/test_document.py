"""The published document: complete, valid in itself, and the same as the reference page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.unit.api.conftest import Serve

from innkeeper.api import orders
from innkeeper.api.problems import STATUS_BY_CODE

REFERENCE = Path(__file__).parents[3] / "docs/reference/http-api.md"


@pytest.fixture
async def document(serve: Serve) -> dict[str, Any]:
    async with serve() as served:
        answer = await served.client.get("/v1/openapi.json")
    document: dict[str, Any] = answer.json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_it_says_what_the_reference_page_says(document: dict[str, Any]) -> None:
    page = REFERENCE.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    told = {
        (method, path.partition("?")[0])
        for row in rows
        for method, path in re.findall(
            r"`(GET|POST|PUT|PATCH|DELETE) ([^`\s]+)`", row.split("|")[1]
        )
    }
    published = {(method, path) for method, path, _ in operations(document)}
    assert told - {("GET", "/v1/openapi.json")} == published


def test_the_reference_page_has_every_code(document: dict[str, Any]) -> None:
    page = REFERENCE.read_text()
    told = {
        code: int(status)
        for row in page.splitlines()
        if (match := re.fullmatch(r"\| (\d{3}) \| (.+) \|", row))
        for status in [match[1]]
        for code in re.findall(r"`([a-z_]+)`", match[2])
    }
    assert told == STATUS_BY_CODE


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert document["openapi"].startswith("3.1")
    assert referred <= set(schemas)
    assert {"ClaimOrder", "BatchOrder", "RenewOrder", "Request", "Problem", "Claim"} <= referred


def test_every_operation_says_what_it_does_and_how_it_refuses(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        assert operation["description"].strip(), path
        problem = operation["responses"]["default"]["content"]["application/problem+json"]
        assert problem["schema"]["$ref"].endswith("/Problem")
        assert "422" not in operation["responses"]


def test_every_example_is_what_it_is_an_example_of(document: dict[str, Any]) -> None:
    checked = 0
    for _, _, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        for example in (content or {}).get("examples", {}).values():
            model: type[BaseModel] = getattr(orders, content["schema"]["$ref"].rpartition("/")[2])
            model.model_validate_json(json.dumps(example["value"]))
            checked += 1
    assert checked >= 3
