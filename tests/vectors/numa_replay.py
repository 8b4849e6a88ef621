"""Replay of placements of guest cells: what Nova answered, and why innkeeper answers otherwise.

A row is `same` only if every guest cell is on the same host cell with the same pages, pins, CPU of the
emulator and charged CPUs. Otherwise innkeeper must answer exactly as the slow model with all
corrections does, and the fewest corrections that make this of Nova's answer name the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from itertools import combinations
from typing import Any

from tests.vectors.numa.asking import (
    Ledger,
    MakeLedger,
    State,
    asked,
    corrected_answer,
    our_answer,
    our_state,
    recorded,
)
from tests.vectors.numa.corrections import (
    ALL_OF_USAGE,
    CORRECTIONS,
    NONE,
    OF_USAGE,
    Corrections,
    NovaError,
)
from tests.vectors.numa.innkeeper_host import inventory_of, request_of, used_before
from tests.vectors.numa.model_fit import Search
from tests.vectors.numa.model_host import bounds_of, guest_of, host_of
from tests.vectors.numa.model_usage import charge, usage_of
from tests.vectors.numa.placing import Answer, answer_of, held_by, placement_of
from tests.vectors.numa.recorded import placed_in
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper import _core
from innkeeper.objects import Placement

_MOST_REASONS = 4


def judge_fit(row: Row, make: MakeLedger = _core.Ledger) -> Verdict:
    """One guest on a host of which some is in use."""
    answer = cache(partial(corrected_answer, row))
    return _judged(recorded(row), our_answer(row, make), answer, CORRECTIONS)


def _judged(
    nova: Any, ours: Any, answer: Callable[[Corrections], Any], names: Iterable[str]
) -> Verdict:
    """Nova's answer and ours beside that of the model, by its corrections."""
    right = answer(frozenset(names))
    if ours != right:
        return DIFFERENT, f"{ours}, should be {right}"
    if nova == right:
        return SAME, ""
    if nova != answer(NONE):
        return DIFFERENT, f"the model of Nova knows no such answer: {nova}, but {answer(NONE)}"
    for count in range(1, _MOST_REASONS + 1):
        for some in combinations(names, count):
            if answer(frozenset(some)) == right:
                return "+".join(sorted(some)), ""
    return DIFFERENT, f"no few corrections explain it: {nova}, should be {right}"


def judge_usage(row: Row, make: MakeLedger = _core.Ledger) -> Verdict:
    """One placed instance charged to a host, or given back."""
    nova = row["error"] or row["after"]
    return _judged(nova, _our_usage(row, make), cache(partial(_usage, row)), OF_USAGE)


def _usage(row: Row, corrections: Corrections) -> State | str:
    sign = -1 if row["free"] else 1
    try:
        cells = charge(host_of(row["host"]), row["instance"], sign, corrections)
    except NovaError as error:
        return error.name
    return [usage_of(cell) for cell in cells]


def _our_usage(row: Row, make: MakeLedger) -> State:
    """What was never booked cannot be given back."""
    host = host_of(row["host"])
    placement = placement_of(host, held_by(host, row["instance"]))
    ledger = make(inventory_of(row | {"strategy": "spread"}))
    if not row["free"]:
        ledger.restore([("before", used_before(host)), ("i", placement)])
        return our_state(ledger)
    rest = charge(host, row["instance"], -1, ALL_OF_USAGE)
    ledger.restore([("before", used_before(rest))])
    if rest != host:
        ledger.restore([("i", placement)])
        assert our_state(ledger) == [usage_of(cell) for cell in host]
    assert ledger.unbook("i") == (rest != host)
    return our_state(ledger)


def judge_sequence(row: Row, make: MakeLedger = _core.Ledger) -> Verdict:
    """Guests that come and go. What Nova placed otherwise is taken over as Nova placed it."""
    names: set[str] = set()
    for number, (verdict, why) in enumerate(_History(row, make).verdicts()):
        if verdict == DIFFERENT:
            return DIFFERENT, f"step {number}: {why}"
        names |= {*verdict.split("+")} - {SAME}
    return "+".join(sorted(names)) or SAME, ""


class _History:
    """One host, by its ledger and by the model of Nova."""

    def __init__(self, row: Row, make: MakeLedger) -> None:
        self.row, self.make = row, make
        self.inventory = inventory_of(row)
        self.ledger: Ledger = make(self.inventory)
        self.cells = host_of(row["host"])
        self.held: dict[str, Row] = {}

    def verdicts(self) -> Iterator[Verdict]:
        for step in self.row["steps"]:
            verdict = self._add(step) if step["op"] == "add" else self._free(step)
            yield verdict if verdict[0] == DIFFERENT else self._compared(step, verdict)

    def _add(self, step: Row) -> Verdict:
        name = step["name"] or "refused"
        request = request_of({"instance": step["instance"], "limits": self.row["limits"]})
        ours = asked(self.ledger, name, request)
        guest = guest_of(step["instance"])
        nova = answer_of(self.cells, guest, placed_in(step["fitted"]), NONE)
        verdict = _judged(nova, ours, cache(partial(self._answer, step)), CORRECTIONS)
        if verdict[0] != SAME:
            self.ledger.unbook(name)
        if step["fitted"]:
            if verdict[0] != SAME:
                self.ledger.restore([(name, self._placement(step["fitted"]))])
            self.held[name] = step["fitted"]
            self.cells = charge(self.cells, step["fitted"], 1, NONE)
        return verdict

    def _answer(self, step: Row, corrections: Corrections) -> Answer:
        bounds, guest = bounds_of(self.row["limits"]), guest_of(step["instance"])
        search = Search(self.cells, guest, bounds, None, corrections)
        placed = search.first(self.row["strategy"])
        return answer_of(self.cells, search.guest, placed, corrections)

    def _placement(self, fitted: Row) -> Placement:
        return placement_of(self.cells, held_by(self.cells, fitted))

    def _free(self, step: Row) -> Verdict:
        self.cells = charge(self.cells, self.held.pop(step["name"]), -1, NONE)
        assert self.ledger.unbook(step["name"])
        return SAME, ""

    def _compared(self, step: Row, verdict: Verdict) -> Verdict:
        """What is in use, now and when it is counted again in another order."""
        again = self.make(self.inventory)
        again.restore([(name, self._placement(it)) for name, it in reversed(self.held.items())])
        ours = our_state(self.ledger)
        if our_state(again) != ours:
            return DIFFERENT, f"{our_state(again)} when counted again, was {ours}"
        if ours != step.get("after", ours):
            return DIFFERENT, f"{ours}, should be {step['after']}"
        return verdict
