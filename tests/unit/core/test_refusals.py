"""Every refusal of the core is an exception of `innkeeper.errors` with its numbers."""

from __future__ import annotations

import inspect
import re
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.core.inventories import INTEL, PF, VF, asking, inventory, pf_with_vfs

from innkeeper import _core
from innkeeper.errors import (
    BadRequest,
    ClaimConflict,
    InnkeeperError,
    NoFit,
    Undecided,
    error_classes,
)
from innkeeper.objects import (
    Device,
    DeviceRequest,
    DeviceUnit,
    GuestCell,
    GuestTopology,
    InventoryCell,
    Misfit,
    Placement,
    Request,
    UnitMember,
    UnitPlace,
)


@pytest.fixture
def ledger() -> _core.Ledger:
    return _core.Ledger(inventory(devices=pf_with_vfs(0x41, 4), slots=3))


def test_every_code_of_the_core_is_an_exception() -> None:
    known = {kind.code for kind in error_classes()}
    assert _core.error_codes() == sorted(_core.error_codes())
    assert set(_core.error_codes()) <= known


def test_every_code_of_a_misfit_is_documented() -> None:
    documented = re.findall("`([a-z0-9_]+)`", inspect.getsource(Misfit).split("resource: str")[0])
    assert _core.misfit_codes() == sorted(documented)


def test_a_refusal_carries_every_reason_and_what_would_fit(ledger: _core.Ledger) -> None:
    request = Request(vcpus=17, memory_mib=8, counters={"slots": 4, "lots": 1})
    with pytest.raises(NoFit) as refused:
        ledger.book("a", request)
    reasons = [
        Misfit.model_validate(reason, from_attributes=True)
        for reason in refused.value.details["reasons"]
    ]
    assert [(it.code, it.resource, it.asked, it.free) for it in reasons] == [
        ("insufficient_vcpus", "vcpus", 17, 16),
        ("unknown_counter", "lots", 1, 0),
        ("insufficient_counter", "slots", 4, 3),
    ]
    assert str(refused.value) == "; ".join(reason.message for reason in reasons)
    nearest = refused.value.details["nearest"]
    assert (nearest.vcpus, nearest.memory_mib, nearest.disk_mib) == (16, 8, None)
    assert nearest.counters == {"lots": 0, "slots": 3}


def test_devices_that_bar_each_other_are_refused_with_their_filters(ledger: _core.Ledger) -> None:
    with pytest.raises(NoFit, match="0 of 4 are free together with the rest") as refused:
        ledger.fit(asking(pfs=1, vfs=2))
    [reason] = refused.value.details["reasons"]
    misfit = Misfit.model_validate(reason, from_attributes=True)
    assert [(it.filter, it.removed, it.left) for it in misfit.filters] == [
        ("spec", 1, 4),
        ("rest_of_request", 4, 0),
    ]
    [pool] = misfit.pools
    assert (misfit.request, pool.product_id, pool.parent, pool.total) == (1, VF, "0000:41:00.0", 4)
    assert refused.value.details["nearest"].device_counts == [1, 0]


def test_units_that_would_fit_alone_are_refused_together_with_the_rest(
    ledger: _core.Ledger,
) -> None:
    unit = DeviceRequest(
        alternatives=({"product_id": VF},),
        unit=DeviceUnit(
            place=UnitPlace.SLOT,
            members=(UnitMember(alternatives=({"product_id": VF},), count=2),),
        ),
    )
    beside = asking(vfs=3).devices[0]
    with pytest.raises(NoFit, match=r"0 are free together with the rest of the request \(4 func"):
        ledger.fit(Request(devices=(beside, unit)))
    two_too_many = unit.model_copy(update={"count": 4})
    with pytest.raises(NoFit, match=r"2 are free \(4 functions for them are, one by one\)"):
        ledger.fit(Request(devices=(two_too_many,)))


def test_guest_cells_that_compete_say_what_keeps_them_off_the_other_cells() -> None:
    cells = tuple(
        InventoryCell(id=number, dedicated=cpus, memory_mib=1024, cores=(cpus,))
        for number, cpus in ((3, "0-3"), (7, "4-5"))
    )
    offered = inventory().model_copy(update={"cells": cells})
    guest = tuple(GuestCell(dedicated=vcpus, memory_mib=8) for vcpus in ("0-3", "4-7"))
    request = Request(vcpus=8, memory_mib=16, topology=GuestTopology(cells=guest))
    with pytest.raises(NoFit, match="guest cells 0, 1 each fit only on cell 3") as refused:
        _core.Ledger(offered).fit(request)
    [reason] = refused.value.details["reasons"]
    misfit = Misfit.model_validate(reason, from_attributes=True)
    told = [(it.guest_cell, it.cell, it.code, it.asked, it.free) for it in misfit.cells]
    assert told == [(0, 7, "insufficient_dedicated_cpus", 4, 2)]


def test_memory_has_its_unit_beside_the_number() -> None:
    cell = InventoryCell(id=0, shared="0-15", memory_mib=1024)
    offered = inventory().model_copy(update={"cells": (cell,)})
    topology = GuestTopology(cells=(GuestCell(shared="0", memory_mib=1025),))
    with pytest.raises(NoFit, match="the most of 1 cell is 1024 MiB, on cell 0"):
        _core.Ledger(offered).fit(Request(vcpus=1, memory_mib=1025, topology=topology))


def test_a_claim_id_is_booked_once(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=1))
    with pytest.raises(ClaimConflict, match="claim a is booked already") as refused:
        ledger.book("a", asking(vcpus=1))
    assert refused.value.details == {"claim_id": "a"}
    with pytest.raises(ClaimConflict):
        ledger.restore([("b", Placement(vcpus=1)), ("a", Placement(vcpus=1))])
    assert ledger.claim_ids() == ["a"]


def knapsack() -> list[Device]:
    """40 PFs with 240 VFs of two products, every PF with another even mixture of them."""
    devices = []
    for bus in range(40):
        pf, *vfs = pf_with_vfs(bus, 240)
        of_first = 2 * (bus * bus * bus % 113)
        devices.append(pf)
        devices += vfs[:of_first]
        devices += [it.model_copy(update={"product_id": "188a"}) for it in vfs[of_first:]]
    return devices


def too_mixed(devices: list[Device]) -> Request:
    """20 PFs take 4,800 VFs with them; exactly 2,001, an odd number, would have to be of the first kind."""
    total = {product: sum(it.product_id == product for it in devices) for product in (VF, "188a")}
    wanted = {PF: 20, VF: total[VF] - 2001, "188a": total["188a"] - 2799}
    return Request(
        devices=tuple(
            DeviceRequest(vendor_id=INTEL, product_id=product, count=count)
            for product, count in wanted.items()
        )
    )


def test_beyond_the_bound_nothing_is_claimed_to_be_known() -> None:
    devices = knapsack()
    ledger = _core.Ledger(inventory(devices=devices))
    request = too_mixed(devices)
    with pytest.raises(Undecided) as refused:
        ledger.book("a", request)
    assert refused.value.details["limit"] == 10_000
    assert (ledger.generation, ledger.claim_ids()) == (0, [])
    with pytest.raises(Undecided):
        ledger.count(request)
    with pytest.raises(Undecided):
        ledger.could_fit(request)


def asked_device(**words: Any) -> SimpleNamespace:
    nothing = DeviceRequest(vendor_id=INTEL, product_id=VF).model_dump()
    return SimpleNamespace(**(nothing | words))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"vcpus": 0}, "vcpus is 0"),
        ({"vcpus": -1}, "vcpus is -1"),
        ({"memory_mib": 2**64}, "memory_mib is 18446744073709551616"),
        ({"disk_mib": "8"}, "disk_mib is '8'"),
        ({"counters": {"slots": 0}}, "slots is 0"),
        ({"devices": [asked_device(count=0)]}, "count"),
        ({"devices": [asked_device(vendor_id="x")]}, "`x` is not"),
        ({"devices": [asked_device(numa_policy="near")]}, "`near` is not `required`, `legacy`"),
        ({"devices": [asked_device(vendor_id=None, alias="a10")]}, "alias `a10` is not resolved"),
        ({"devices": [asked_device(vendor_id=None)]}, "says no kind"),
        ({"devices": [asked_device(providers=("p", "q"))]}, "2 providers are named for 1 devices"),
    ],
)
def test_words_that_no_object_lets_through_are_refused_all_the_same(
    ledger: _core.Ledger, asked: dict[str, Any], words: str
) -> None:
    nothing: dict[str, Any] = {
        "vcpus": None,
        "memory_mib": None,
        "disk_mib": None,
        "devices": (),
        "counters": {},
        "cells": None,
        "topology": None,
        "limits": None,
        "networks": None,
    }
    with pytest.raises(BadRequest, match=words):
        ledger.fit(SimpleNamespace(**(nothing | asked)))  # type: ignore[arg-type]


def test_an_inventory_that_contradicts_itself_is_refused(ledger: _core.Ledger) -> None:
    [pf, vf] = pf_with_vfs(1, 1)
    nested = vf.model_copy(update={"address": "0000:01:02.0", "parent": vf.address})
    for devices, words in [
        ([pf, pf], "0000:01:00.0 is listed twice"),
        ([pf, vf, nested], "0000:01:01.0 is named as the parent"),
    ]:
        with pytest.raises(BadRequest, match=words):
            ledger.observe(inventory(devices=devices))
    ratio = inventory().vcpus.model_copy(update={"allocation_ratio": float("nan")})
    with pytest.raises(BadRequest, match="the allocation ratio of vcpus is NaN"):
        ledger.observe(inventory().model_copy(update={"vcpus": ratio}))
    assert ledger.generation == 0


def test_negative_limits_and_empty_ids_are_refused(ledger: _core.Ledger) -> None:
    with pytest.raises(BadRequest, match="limit is -1"):
        ledger.count(asking(vcpus=1), -1)
    with pytest.raises(BadRequest, match="a claim id is empty"):
        ledger.book("", asking(vcpus=1))


def test_refusals_are_errors_of_innkeeper(ledger: _core.Ledger) -> None:
    with pytest.raises(InnkeeperError) as refused:
        ledger.book("a", asking(vcpus=100))
    assert refused.value.code == "no_fit"
