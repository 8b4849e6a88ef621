"""Every refusal has its status and its JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from innkeeper.api.problems import STATUS_BY_CODE, problem_json, problem_response
from innkeeper.errors import Draining, NoFit, TooManyWaiting, UnknownClaim, error_classes
from innkeeper.objects import Misfit, Request

MISFIT = Misfit(
    code="insufficient_vcpus", resource="vcpus", message="no", asked=2, free=1, capacity=4, used=3
)


def test_every_code_has_one_status() -> None:
    codes = [kind.code for kind in error_classes()]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(STATUS_BY_CODE)
    assert all(400 <= status <= 599 for status in STATUS_BY_CODE.values())


def test_children_of_a_refusal_are_refused_alike() -> None:
    for kind in error_classes():
        for parent in kind.__mro__[1:]:
            code = getattr(parent, "code", "error")
            if code in ("conflict", "not_found", "store_error"):
                assert STATUS_BY_CODE[kind.code] == STATUS_BY_CODE[code]


def test_details_are_members_and_never_hide_the_standard_ones() -> None:
    error = UnknownClaim("no such claim", ref="x", status="mine", code="mine", type=1)
    problem = json.loads(problem_json(error))
    assert problem == {
        "type": "urn:innkeeper:error:unknown_claim",
        "title": "Unknown claim",
        "status": 404,
        "detail": "no such claim",
        "code": "unknown_claim",
        "ref": "x",
    }


def test_details_of_every_kind_travel() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    error = NoFit(
        "no",
        reasons=(MISFIT,),
        nearest=Request(vcpus=1),
        id=UUID(int=7),
        at=when,
        much=10**40,
        never=float("nan"),
        odd={object},
    )
    problem = json.loads(problem_json(error))
    assert problem["reasons"][0]["asked"] == 2
    assert problem["nearest"]["vcpus"] == 1
    assert problem["id"] == str(UUID(int=7))
    assert problem["at"] == "2026-01-01T00:00:00Z"
    assert problem["much"] == 10**40
    assert problem["never"] == "NaN"


def test_what_passes_says_when_to_come_again() -> None:
    for error, retry in [(Draining("x"), "1"), (TooManyWaiting("x"), "1"), (NoFit("x"), None)]:
        assert problem_response(error).headers.get("retry-after") == retry
