"""Guest cells are placed exactly when they can be, on the first cells in order, and by the rules.

Against a slow model that tries every selection of host cells, and a checker that knows only what a
placement must not do; over histories of claims on small hosts.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.properties.numa_checker import broken_rules
from tests.properties.numa_strategies import inventories, requests, shuffled
from tests.vectors.numa.model_ledger import ModelLedger

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import CellUsage, Inventory, Placement, Request
from innkeeper.objects.topology import CellPreference, L3Policy, ThreadPolicy

EXAMPLES = 10_000 if "TEST_INNKEEPER_DEEP" in os.environ else 300
ALL_POLICIES = (None, *ThreadPolicy)


def found_by(ledger: Any, request: Request) -> Placement | None:
    """What a ledger would give; null when it does not fit."""
    try:
        return Placement.model_validate(ledger.fit(request), from_attributes=True)
    except NoFit:
        return None


def usage_of(ledger: _core.Ledger) -> list[CellUsage]:
    return [CellUsage.model_validate(it, from_attributes=True) for it in ledger.usage().cells]


@given(inventories(), st.lists(requests(ALL_POLICIES), min_size=2, max_size=6))
@settings(max_examples=EXAMPLES, deadline=None)
def test_fits_exactly_when_some_selection_of_cells_does(
    inventory: Inventory, wanted: list[Request]
) -> None:
    """And it is the first one, which breaks no rule; what is held then is counted."""
    ledger, model, held = _core.Ledger(inventory), ModelLedger(inventory), list[Placement]()
    for number, request in enumerate(wanted):
        found, expected = found_by(ledger, request), found_by(model, request)
        assert (found and found.cells) == (expected and expected.cells)
        if found is None:
            continue
        assert broken_rules(inventory, request, held, found) == []
        booked = ledger.book(f"claim {number}", request)
        assert Placement.model_validate(booked, from_attributes=True) == found
        model.restore([(f"claim {number}", found)])
        held.append(found)
        assert _counts(ledger) == _counts(model)


def _counts(ledger: Any) -> list[Any]:
    """What is in use of each cell."""
    return [
        (
            it.cell,
            it.shared_vcpus,
            it.memory_mib,
            it.charged,
            [(one.size_kib, one.total, one.reserved, one.used, one.free) for one in it.pages],
        )
        for it in ledger.usage().cells
    ]


@given(
    inventories(),
    st.lists(requests(ALL_POLICIES), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_is_released_is_free_again(
    inventory: Inventory, wanted: list[Request], random: Random
) -> None:
    """In whatever order: every state is that of the claims that are left."""
    ledger, held = _core.Ledger(inventory), dict[str, Placement]()
    empty = usage_of(ledger)
    for number, request in enumerate(wanted):
        before, found = usage_of(ledger), found_by(ledger, request)
        if found is not None:
            held[f"claim {number}"] = found
            ledger.book(f"claim {number}", request)
            ledger.unbook(f"claim {number}")
            assert usage_of(ledger) == before
            ledger.book(f"claim {number}", request)
    for name in random.sample(sorted(held), len(held)):
        assert ledger.unbook(name)
        del held[name]
        again = _core.Ledger(inventory)
        again.restore(random.sample(sorted(held.items()), len(held)))
        assert usage_of(again) == usage_of(ledger)
    assert usage_of(ledger) == empty


@given(
    inventories(),
    st.lists(requests(ALL_POLICIES), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_order_of_what_is_told_does_not_matter(
    inventory: Inventory, wanted: list[Request], random: Random
) -> None:
    """Cells and devices of the host, and stored claims."""
    ledger, held = _core.Ledger(inventory), dict[str, Placement]()
    for number, request in enumerate(wanted[:-1]):
        found = found_by(ledger, request)
        if found is not None:
            ledger.book(f"claim {number}", request)
            held[f"claim {number}"] = found
    other = _core.Ledger(shuffled(inventory, random))
    other.restore(random.sample(sorted(held.items()), len(held)))
    assert found_by(other, wanted[-1]) == found_by(ledger, wanted[-1])
    assert usage_of(other) == usage_of(ledger)


@given(
    inventories(),
    st.lists(requests(ALL_POLICIES), min_size=2, max_size=6),
    st.sampled_from([None, *CellPreference]),
    st.sampled_from([None, L3Policy.PREFER]),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_preference_refuses_nothing(
    inventory: Inventory,
    wanted: list[Request],
    preference: CellPreference | None,
    l3: L3Policy | None,
) -> None:
    ledger, held = _core.Ledger(inventory), list[Placement]()
    for number, request in enumerate(wanted):
        assert request.topology
        picky = request.topology.model_copy(update={"preference": preference, "l3": l3})
        asked = request.model_copy(update={"topology": picky})
        found = found_by(ledger, asked)
        assert (found is None) == (found_by(ledger, request) is None)
        if found is not None:
            assert broken_rules(inventory, asked, held, found) == []
            ledger.book(f"claim {number}", asked)
            held.append(found)
