"""What innkeeper answers to a recorded question, and what the corrected model does, in one form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tests.vectors.numa.corrections import Corrections, NovaError
from tests.vectors.numa.innkeeper_host import inventory_of, request_of, used_before
from tests.vectors.numa.model_fit import search_of
from tests.vectors.numa.model_host import host_of
from tests.vectors.numa.placing import Answer, answer_of, cpus_in
from tests.vectors.numa.recorded import recorded_answer

from innkeeper.errors import NoFit
from innkeeper.objects import Inventory, PlacedCell, Placement, Request

Row = dict[str, Any]


class Ledger(Protocol):
    """What is asked of the core."""

    def restore(self, bookings: Iterable[tuple[str, Placement]]) -> None: ...
    def book(self, claim_id: str, request: Request) -> Any: ...
    def unbook(self, claim_id: str) -> bool: ...
    def fit(self, request: Request) -> Any: ...
    def usage(self) -> Any: ...


MakeLedger = Callable[[Inventory], Ledger]


def our_answer(row: Row, make: MakeLedger) -> Answer:
    """On a host of which all that is in use was restored. The dry run is what is booked then."""
    ledger = make(inventory_of(row))
    ledger.restore([("before", used_before(host_of(row["host"])))])
    return asked(ledger, "i", request_of(row))


def asked(ledger: Ledger, claim_id: str, request: Request) -> Answer:
    """What is booked, if it fits."""
    try:
        dry = _cells(ledger.fit(request))
    except NoFit:
        return Answer(None)
    assert _cells(ledger.book(claim_id, request)) == dry
    return Answer(dry)


def _cells(placement: Any) -> tuple[PlacedCell, ...]:
    return tuple(PlacedCell.model_validate(it, from_attributes=True) for it in placement.cells)


def corrected_answer(row: Row, corrections: Corrections) -> Answer:
    """What Nova would answer with these corrections."""
    search = search_of(row, corrections)
    try:
        placed = search.first(row["strategy"])
    except NovaError as error:
        return Answer(None, error.name)
    return answer_of(search.host, search.guest, placed, corrections)


def recorded(row: Row) -> Answer:
    """What Nova answered."""
    search = search_of(row, frozenset())
    return answer_of(search.host, search.guest, recorded_answer(row), frozenset())


# What is in use

State = list[dict[str, Any]]


def our_state(ledger: Ledger) -> State:
    """What is in use of each cell, as it is recorded."""
    return [
        {
            "id": cell.cell,
            "cpu_usage": cell.shared_vcpus,
            "memory_usage": cell.memory_mib,
            "pages_used": {str(it.size_kib): it.used for it in cell.pages},
            "pinned_cpus": sorted(cpus_in(cell.charged)),
        }
        for cell in ledger.usage().cells
    ]
