"""What a claim holds after an update is what a claim of that size may hold, and it did not move."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.numa_checker import broken_rules
from tests.properties.numa_strategies import inventories, requests
from tests.properties.test_numa_fit import ALL_POLICIES, EXAMPLES, usage_of

from innkeeper import _core
from innkeeper.errors import BadRequest, NoFit
from innkeeper.objects import ClaimUpdate, Inventory, Placement, Request
from innkeeper.objects.cpu_spec import parse_cpu_spec
from innkeeper.requests.updating import updated

ABOUT_ORDER = (
    "not in the order of the cores",
    "are not siblings together",
    "a core was taken that had no two free threads",
)
"""Rules of how vCPUs that come together are seated: those that came before stay where they are."""

AMOUNTS = st.integers(1, 16)
MEMORY = st.sampled_from([64, 128, 192, 256, 384, 512, 768, 1024, 2048])


def placed(value: object) -> Placement:
    return Placement.model_validate(value, from_attributes=True)


@given(
    inventories(),
    st.lists(requests(ALL_POLICIES), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), AMOUNTS, MEMORY), min_size=1, max_size=6),
)
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_claim_may_hold_what_an_update_gave_it(
    inventory: Inventory, wanted: list[Request], changes: list[tuple[int, int, int]]
) -> None:
    ledger, held = _core.Ledger(inventory), dict[str, tuple[Request, Placement]]()
    for number, request in enumerate(wanted):
        try:
            held[str(number)] = request, placed(ledger.book(str(number), request))
        except NoFit:
            continue
    assume(held)
    for which, vcpus, memory_mib in changes:
        claim_id = sorted(held)[which % len(held)]
        change(ledger, inventory, held, claim_id, ClaimUpdate(vcpus=vcpus, memory_mib=memory_mib))
        require_sums(ledger, inventory, held)


def change(
    ledger: _core.Ledger,
    inventory: Inventory,
    held: dict[str, tuple[Request, Placement]],
    claim_id: str,
    words: ClaimUpdate,
) -> None:
    """Update one claim; refused, everything is as it was."""
    request, before = held[claim_id]
    usage = usage_of(ledger)
    try:
        bare = updated(request, words).model_copy(update={"devices": ()})
        after = placed(ledger.update(claim_id, bare))
    except (BadRequest, NoFit):
        assert usage_of(ledger) == usage
        return
    require_both_held(ledger, claim_id, before, after)
    ledger.settle(claim_id, after)
    others = [one for key, (_, one) in held.items() if key != claim_id]
    require_rules(inventory, bare, others, before, after)
    held[claim_id] = bare.model_copy(update={"devices": request.devices}), after


def require_both_held(
    ledger: _core.Ledger, claim_id: str, before: Placement, after: Placement
) -> None:
    both = placed(ledger.placement(claim_id))
    for cells in zip(both.cells, before.cells, after.cells, strict=True):
        all_cpus, old, new = (parse_cpu_spec(cell.charged) for cell in cells)
        assert all_cpus == old | new
        assert cells[0].memory_mib == max(cells[1].memory_mib, cells[2].memory_mib)
    assert both.vcpus >= max(before.vcpus, after.vcpus)


def require_rules(
    inventory: Inventory,
    request: Request,
    others: Sequence[Placement],
    before: Placement,
    after: Placement,
) -> None:
    for old, new in zip(before.cells, after.cells, strict=True):
        assert (old.cell, old.page_kib) == (new.cell, new.page_kib)
        assert all(new.pins[vcpu] == cpu for vcpu, cpu in old.pins.items() if vcpu in new.pins)
    assert after.devices == before.devices
    broken = broken_rules(inventory, request, others, after)
    assert [one for one in broken if not one.endswith(ABOUT_ORDER)] == []


def require_sums(
    ledger: _core.Ledger, inventory: Inventory, held: dict[str, tuple[Request, Placement]]
) -> None:
    """What is in use is the sum of what is held, from zero."""
    restored = _core.Ledger(inventory)
    restored.restore([(claim_id, one) for claim_id, (_, one) in held.items()])
    assert usage_of(restored) == usage_of(ledger)
    assert ledger.snapshot().audit([(key, one) for key, (_, one) in held.items()]) == []


@given(requests(ALL_POLICIES), AMOUNTS, MEMORY)
def test_vcpus_that_stay_keep_their_numbers(request: Request, vcpus: int, memory_mib: int) -> None:
    assert request.topology is not None
    try:
        after = updated(request, ClaimUpdate(vcpus=vcpus, memory_mib=memory_mib)).topology
    except BadRequest:
        return
    assert after is not None
    numbers = [
        number
        for cell in after.cells
        for number in parse_cpu_spec(cell.shared) | parse_cpu_spec(cell.dedicated)
    ]
    assert len(numbers) == len(set(numbers)) == vcpus
    assert sum(cell.memory_mib for cell in after.cells) == memory_mib
    for number, cell in enumerate(request.topology.cells):
        for kind in ("shared", "dedicated"):
            stays = parse_cpu_spec(getattr(cell, kind)) & set(numbers)
            assert stays <= parse_cpu_spec(getattr(after.cells[number], kind))
