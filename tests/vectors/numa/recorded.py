"""Recorded placements of guest cells, in the form of the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.vectors.numa.model_cell import Placed

Words = Mapping[str, Any]


def recorded_answer(row: Words) -> list[Placed] | str | None:
    """Where the guest cells went, the error that was raised, or null: no fit.

    `clean` is Nova's own rule on fresh copies of the guest, with CPUs in ascending order; it is
    recorded where Nova's answer depends on what it had tried before.
    """
    answer = row["clean"] if "clean" in row else row["nova"]
    if answer is not None and "error" in answer:
        return str(answer["error"])
    return placed_in(answer)


def placed_in(answer: Words | None) -> list[Placed] | None:
    """The cells of a recorded instance that was placed."""
    return None if answer is None else [_placed(cell) for cell in answer["cells"]]


def _placed(cell: Words) -> Placed:
    pins = {int(vcpu): cpu for vcpu, cpu in (cell["cpu_pinning"] or {}).items()}
    return Placed(cell["id"], cell["pagesize"], pins, frozenset(cell["cpuset_reserved"] or ()))
