"""What is wrong with a body, field by field, in words for its sender."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from innkeeper import Ledger, simulated, take_inventory
from innkeeper.api.wrong_words import refusal_of
from innkeeper.errors import BadRequest
from innkeeper.objects import Request

CELL = {"shared": "0-1", "memory_mib": 64}


def problems(**words: Any) -> list[tuple[str, str]]:
    """Path and message of each problem of a request."""
    with pytest.raises(ValidationError) as found:
        Request.model_validate_json(json.dumps(words))
    errors = refusal_of(found.value.errors(include_url=False), Request).details["errors"]
    return [(error["path"], error["message"]) for error in errors]


def test_a_value_of_several_kinds_has_one_problem_at_its_own_place() -> None:
    assert problems(topology={"cells": [CELL], "pages": "huge"}) == [
        (
            "topology.pages",
            "`topology.pages` = 'huge': should be 'small', 'large' or 'any', or a valid integer",
        )
    ]


def test_a_list_is_not_called_empty_when_its_only_entry_is_wrong() -> None:
    found = problems(topology={"cells": [CELL | {"shared": "0-x"}]})
    assert [path for path, _ in found] == ["topology.cells[0].shared"]
    found = problems(topology={"cells": []})
    assert [path for path, _ in found] == ["topology.cells"]


def test_keys_of_a_map_are_part_of_the_place() -> None:
    assert [path for path, _ in problems(counters={"slots": 0})] == ["counters.slots"]


def test_problems_in_two_places_stay_two() -> None:
    found = problems(vcpus=0, memory_mib=0, topology={"cells": [CELL], "thread": "isolate"})
    assert [path for path, _ in found] == ["vcpus", "memory_mib", "topology.thread"]
    assert "did you mean `threads`?" in found[2][1]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ({"vcpus": 4, "topology": {"cells": [CELL]}}, "vcpus"),
        ({"vcpus": 2, "memory_mib": 65, "topology": {"cells": [CELL]}}, "memory_mib"),
        ({"topology": {"cells": [CELL | {"dedicated": "1"}]}}, "topology.cells"),
        ({"cells": [0], "topology": {"cells": [CELL]}}, "cells"),
    ],
)
def test_what_only_the_core_sees_names_its_field_too(words: Any, path: str) -> None:
    ledger = Ledger(take_inventory(simulated("cpus=4,cells=1,memory=1GiB")))
    request = Request.model_validate_json(json.dumps({"vcpus": 2, "memory_mib": 64} | words))
    with pytest.raises(BadRequest) as refused:
        ledger.fit(request)
    (error,) = refused.value.details["errors"]
    assert error == {"path": path, "message": refused.value.message}
