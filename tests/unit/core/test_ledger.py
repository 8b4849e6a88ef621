"""The binding: objects go in, values come out, and nothing else happens."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.core.inventories import INTEL, PF, VF, asking, inventory, pf_with_vfs

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import (
    Device,
    DeviceRequest,
    Inventory,
    Placement,
    Pool,
    Quantity,
    Request,
    Usage,
)


@pytest.fixture
def ledger() -> _core.Ledger:
    return _core.Ledger(inventory(devices=pf_with_vfs(0x41, 4), slots=3))


def placement_of(value: _core.Placement) -> Placement:
    return Placement.model_validate(value, from_attributes=True)


def test_a_booking_is_the_placement_of_what_was_asked(ledger: _core.Ledger) -> None:
    request = Request(
        vcpus=4,
        memory_mib=512,
        disk_mib=100,
        devices=(DeviceRequest(vendor_id=INTEL, product_id=VF),),
        counters={"slots": 2},
    )
    assert placement_of(ledger.book("a", request)) == Placement.model_validate(
        {
            "vcpus": 4,
            "memory_mib": 512,
            "disk_mib": 100,
            "cpus": "0-15",
            "devices": [
                {
                    "address": "0000:41:01.3",
                    "vendor_id": INTEL,
                    "product_id": VF,
                    "cell": 0,
                    "parent": "0000:41:00.0",
                    "request": 0,
                }
            ],
            "counters": {"slots": 2},
        }
    )


def test_a_dry_run_is_the_booking_without_the_change(ledger: _core.Ledger) -> None:
    request = asking(vcpus=4, vfs=2)
    dry = ledger.fit(request)
    assert (ledger.generation, ledger.claim_ids()) == (0, [])
    assert ledger.book("a", request) == dry
    assert ledger.placement("a") == dry
    assert (ledger.generation, ledger.claim_ids()) == (1, ["a"])


def test_giving_back_leaves_the_ledger_as_it_was(ledger: _core.Ledger) -> None:
    before = ledger.pools()
    ledger.book("a", asking(vcpus=4, vfs=2))
    assert ledger.pools() != before
    assert ledger.unbook("a")
    assert not ledger.unbook("a")
    assert ledger.pools() == before
    assert ledger.placement("a") is None
    assert ledger.usage().claims == 0


def test_usage_and_pools_are_taken_by_their_objects(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=4, vfs=1))
    usage = Usage.model_validate(ledger.usage(), from_attributes=True)
    assert (usage.vcpus.used, usage.vcpus.free) == (4, 12)
    assert (usage.counters["slots"].free, usage.claims, usage.generation) == (3, 1, 1)
    # The PF is neither booked nor free.
    devices = usage.devices
    assert (devices.total, devices.capacity, devices.used, devices.free) == (5, 4, 1, 3)
    pools = [Pool.model_validate(pool, from_attributes=True) for pool in ledger.pools()]
    assert [(pool.kind, pool.cell, pool.total, pool.used, pool.free) for pool in pools] == [
        ("pf", 0, 1, 0, 0),
        ("vf", 0, 4, 1, 3),
    ]


def test_ratios_are_kept_to_the_millionth() -> None:
    vcpus = Quantity(total=20, allocation_ratio=1.15)
    host = Inventory(vcpus=vcpus, memory_mib=Quantity(total=0), disk_mib=Quantity(total=0))
    assert _core.Ledger(host).usage().vcpus.capacity == 23


def test_the_largest_numbers_that_an_object_takes_do_no_harm() -> None:
    most = Quantity(total=2**53, allocation_ratio=1e6)
    ledger = _core.Ledger(Inventory(vcpus=most, memory_mib=most, disk_mib=most))
    ledger.restore((f"{number:02}", Placement(vcpus=2**53)) for number in range(50))
    usage = Usage.model_validate(ledger.usage(), from_attributes=True)
    assert (usage.vcpus.capacity, usage.vcpus.used, usage.vcpus.free) == (2**53, 2**53, 0)


def test_restored_bookings_are_those_that_were_stored(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=4, vfs=2))
    held = ledger.placement("a")
    assert held is not None
    stored = [("a", placement_of(held))]
    again = _core.Ledger(inventory(devices=pf_with_vfs(0x41, 4), slots=3))
    again.restore(stored)
    assert again.placement("a") == held
    assert again.pools() == ledger.pools()
    assert again.snapshot().audit(stored) == []


def test_a_new_inventory_is_taken_over_once(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=4))
    smaller = inventory()
    assert ledger.observe(smaller)
    assert not ledger.observe(smaller)
    assert (ledger.generation, ledger.pools(), ledger.claim_ids()) == (2, [], ["a"])


def test_counting_stops_at_its_limit(ledger: _core.Ledger) -> None:
    assert ledger.count(asking(vcpus=3)) == 5
    assert ledger.count(asking(vcpus=3), 2) == 2
    assert ledger.count(asking(vcpus=3), limit=0) == 0
    assert ledger.count(asking(pfs=1, vfs=1)) == 0
    assert ledger.count(Request()) == 10_000


def test_what_could_fit_an_empty_host_is_told_from_what_never_will(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=16))
    assert ledger.could_fit(asking(vcpus=16))
    assert not ledger.could_fit(asking(vcpus=17))


def test_an_audit_names_what_differs(ledger: _core.Ledger) -> None:
    ledger.book("a", asking(vcpus=4, vfs=1))
    ledger.observe(inventory(slots=3))
    differences = ledger.snapshot().audit([("b", Placement(vcpus=1))])
    assert [(it.kind, it.subject, it.claim_id) for it in differences] == [
        ("booked_not_stored", "a", "a"),
        ("stored_not_booked", "b", "b"),
        ("device_missing", "0000:41:01.3", "a"),
    ]
    assert differences[0].observed is None


def test_a_snapshot_keeps_what_it_showed(ledger: _core.Ledger) -> None:
    snapshot = ledger.snapshot()
    ledger.book("a", asking(vcpus=4))
    assert (snapshot.generation, snapshot.usage().claims, snapshot.audit([])) == (0, 0, [])
    assert ledger.snapshot().usage().claims == 1


def test_threads_share_a_ledger_without_overselling(ledger: _core.Ledger) -> None:
    start = threading.Barrier(8)

    def book(worker: int) -> int:
        start.wait(timeout=10)
        booked = 0
        for number in range(50):
            try:
                ledger.book(f"{worker}-{number}", asking(vcpus=1))
            except NoFit:
                continue
            booked += 1
        return booked

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(book, range(8))) == 16
    assert ledger.usage().vcpus.free == 0


def test_search_steps_are_counted() -> None:
    devices: list[Device] = [one for bus in range(16) for one in pf_with_vfs(bus, 64)]
    ledger = _core.Ledger(inventory(devices=devices))
    ledger.book("a", asking(vfs=8))
    assert ledger.steps == 9


def test_values_are_frozen_and_tell_what_they_hold(ledger: _core.Ledger) -> None:
    placement = ledger.book("a", asking(pfs=1))
    assert repr(placement.devices) == (
        f"[PlacedDevice(address='0000:41:00.0', vendor_id='{INTEL}', product_id='{PF}', "
        "cell=0, parent=None, request=0, identity=None)]"
    )
    with pytest.raises(AttributeError):
        placement.vcpus = 1
    assert placement != ledger.fit(asking(vcpus=1))


def test_the_same_devices_are_not_read_again_and_others_are(ledger: _core.Ledger) -> None:
    devices = pf_with_vfs(0x41, 4)
    assert not ledger.observe(inventory(devices=devices, slots=3))
    same = inventory(devices=devices, slots=3)
    assert ledger.observe(same.model_copy(update={"devices": same.devices[:3]}))
    assert [pool.total for pool in ledger.pools()] == [1, 2]
    assert ledger.observe(same.model_copy(update={"counters": {}}))
    assert [pool.total for pool in ledger.pools()] == [1, 4]
    assert not ledger.usage().counters
