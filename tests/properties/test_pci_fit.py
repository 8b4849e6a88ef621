"""Devices are found exactly when they can be had, and always the same ones.

Against a solver that tries everything, on hosts of up to four PFs of six VFs; on a host made to lead
a greedy choice astray; and over long histories of claims, releases, hot-plug and restarts.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from uuid import UUID

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.properties.device_choice import Question

from innkeeper import _core
from innkeeper.errors import NoFit, Undecided
from innkeeper.objects import (
    Device,
    DeviceRequest,
    Inventory,
    InventoryCell,
    PciKind,
    Placement,
    Quantity,
    Request,
)
from innkeeper.objects.host import Withheld
from innkeeper.objects.request import DeviceUnit, NumaPolicy, UnitMember, UnitPlace

DEEP = "TEST_INNKEEPER_DEEP" in os.environ
EXAMPLES = 10_000 if DEEP else 300

VENDOR = "8086"
PRODUCTS = ("1592", "1889")
PROVIDERS = (UUID(int=1), UUID(int=2))
NOTHING = Quantity(total=0)

TAGS: st.SearchStrategy[dict[str, str | None]] = st.sampled_from(
    [
        {},
        {},
        {},
        {},
        {"physical_network": "a"},
        {"physical_network": "B", "trusted": None},
        {"live_migratable": "true"},
        {"remote_managed": "True"},
    ]
)
SOCKETS = st.sampled_from([(0, 0, 1), (0, None, 0), ()])


@st.composite
def cards(draw: st.DrawFn) -> Device:
    """What the functions of one card share."""
    return Device(
        address="0000:00:00.0",
        vendor_id=VENDOR,
        product_id=draw(st.sampled_from(PRODUCTS)),
        cell=draw(st.sampled_from([None, 0, 1, 2])),
        tags=draw(TAGS),
        switch=draw(st.sampled_from([None, "0000:f0:00.0", "0000:f1:00.0"])),
        iommu_group=draw(st.sampled_from([None, 1, 2])),
        provider=draw(st.sampled_from([None, *PROVIDERS])),
    )


@st.composite
def families(draw: st.DrawFn, bus: int) -> list[Device]:
    """A PF with up to six VFs, or a card of up to three plain functions."""
    card = draw(cards())
    if draw(st.booleans()):
        functions = range(draw(st.integers(1, 3)))
        return [card.model_copy(update={"address": f"0000:{bus:02x}:00.{it}"}) for it in functions]
    root = f"0000:{bus:02x}:00.0"
    kind = draw(st.sampled_from([PciKind.PF, PciKind.PF, PciKind.PCI]))
    pf = card.model_copy(update={"address": root, "kind": kind})
    netdev = draw(st.sampled_from([None, "ens1"]))
    other = draw(cards()) if draw(st.booleans()) else card
    vfs = [
        (card if draw(st.booleans()) else other).model_copy(
            update={
                "address": f"0000:{bus:02x}:{2 + number // 3:02x}.{number % 3}",
                "kind": draw(st.sampled_from([PciKind.VF, PciKind.VF, PciKind.VDPA])),
                "parent": root,
                "parent_netdev": netdev,
            }
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    return [pf, *vfs] if draw(st.integers(0, 5)) else vfs


@st.composite
def hosts(draw: st.DrawFn) -> Inventory:
    buses = range(draw(st.integers(2, 4)))
    devices = [device for bus in buses for device in draw(families(bus))]
    for number in draw(st.lists(st.integers(0, len(devices) - 1), max_size=1)):
        mark = {"withheld": draw(st.sampled_from(Withheld))}
        devices[number] = devices[number].model_copy(update=mark)
    cells = enumerate(draw(SOCKETS))
    return host_of(devices, [InventoryCell(id=cell, socket=socket) for cell, socket in cells])


def host_of(devices: Sequence[Device], cells: Sequence[InventoryCell] = ()) -> Inventory:
    return Inventory(
        vcpus=NOTHING,
        memory_mib=NOTHING,
        disk_mib=NOTHING,
        devices=tuple(devices),
        cells=tuple(cells),
    )


#: What one part may name; the common ones first, so that several parts are often served together.
PROPERTIES: list[tuple[str, str | None]] = [
    ("dev_type", "type-VF"),
    ("dev_type", "type-PF"),
    ("vendor_id", VENDOR),
    ("product_id", PRODUCTS[0]),
    ("product_id", PRODUCTS[1]),
    ("dev_type", "type-PCI"),
    ("dev_type", "vdpa"),
    ("physical_network", None),
    ("physical_network", "A"),
    ("physical_network", "b"),
    ("live_migratable", "true"),
    ("remote_managed", "true"),
    ("remote_managed", "False"),
    ("address", "0000:00:00.0"),
    ("address", "0000:01:00.1"),
    ("parent_ifname", "ens1"),
    ("parent_ifname", None),
]
PATTERNS = st.one_of(
    st.sampled_from(PROPERTIES[:4]).map(lambda one: dict([one])),
    st.lists(st.sampled_from(PROPERTIES), max_size=2).map(dict),
)


@st.composite
def parts(draw: st.DrawFn) -> DeviceRequest:
    count = draw(st.sampled_from([1, 1, 2, 3]))
    policy = draw(st.sampled_from([None, *NumaPolicy]))
    alternatives = tuple(draw(st.lists(PATTERNS, min_size=1, max_size=3)))
    match draw(st.sampled_from(["pattern"] * 5 + ["ids", "providers", "unit"])):
        case "ids":
            product = draw(st.sampled_from(PRODUCTS))
            return DeviceRequest(
                vendor_id=VENDOR, product_id=product, count=count, numa_policy=policy
            )
        case "providers":
            one = st.sampled_from(PROVIDERS)
            providers = tuple(draw(st.lists(one, min_size=count, max_size=count)))
            return DeviceRequest(
                alternatives=alternatives, count=count, numa_policy=policy, providers=providers
            )
        case "unit":
            member = st.builds(
                UnitMember,
                alternatives=st.lists(PATTERNS, min_size=1, max_size=2).map(tuple),
                count=st.integers(1, 2),
            )
            members = tuple(draw(st.lists(member, max_size=2)))
            unit = DeviceUnit(place=draw(st.sampled_from(UnitPlace)), members=members)
            return DeviceRequest(
                alternatives=alternatives, count=min(count, 2), numa_policy=policy, unit=unit
            )
    return DeviceRequest(alternatives=alternatives, count=count, numa_policy=policy)


REQUESTS = st.builds(
    Request,
    devices=st.lists(parts(), min_size=1, max_size=4).map(tuple),
    cells=st.sampled_from([None, None, (), (0,), (1,), (0, 2)]),
)


def chosen_by(ledger: _core.Ledger, request: Request) -> list[tuple[str, int | None]] | None:
    """What it would get; null when refused. Only where units compete may the bound be reached."""
    try:
        return [(it.address, it.request) for it in ledger.fit(request).devices]
    except NoFit:
        return None
    except Undecided:
        units = sum(part.count for part in request.devices if part.unit)
        assert units > 1, "undecided"
        assume(False)
        raise


def tried(
    inventory: Inventory, request: Request, held: Sequence[Placement] = ()
) -> list[tuple[str, int]] | None:
    chosen = Question(inventory, request, held).first()
    return sorted(chosen) if chosen is not None else None


@given(hosts(), st.lists(REQUESTS, min_size=1, max_size=4))
@settings(max_examples=EXAMPLES, deadline=None)
def test_fits_exactly_when_it_can_be_had(inventory: Inventory, requests: list[Request]) -> None:
    """And what is chosen is the first solution; what is held then is in nobody's way."""
    ledger, held = _core.Ledger(inventory), list[Placement]()
    for number, request in enumerate(requests):
        found = chosen_by(ledger, request)
        expected = tried(inventory, request, held)
        assert (sorted(found, key=str) if found is not None else None) == expected
        if expected is not None:
            placement = ledger.book(f"claim {number}", request)
            assert sorted((it.address, it.request) for it in placement.devices) == expected
            held.append(Placement.model_validate(placement, from_attributes=True))


@given(hosts(), st.lists(REQUESTS, min_size=1, max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_order_of_what_is_told_does_not_matter(
    inventory: Inventory, requests: list[Request], random: Random
) -> None:
    """Devices, tags, cells, keys of patterns and stored claims in any order."""
    ledger, held = _core.Ledger(inventory), dict[str, Placement]()
    for number, request in enumerate(requests[:-1]):
        if chosen_by(ledger, request) is not None:
            booked = ledger.book(f"claim {number}", request)
            held[f"claim {number}"] = Placement.model_validate(booked, from_attributes=True)
    other = _core.Ledger(shuffled(inventory, random))
    other.restore(random.sample(sorted(held.items()), len(held)))
    asked, again = requests[-1], reworded(requests[-1], random)
    assert chosen_by(other, again) == chosen_by(ledger, asked)
    assert other.usage().devices == ledger.usage().devices


def shuffled(inventory: Inventory, random: Random) -> Inventory:
    devices = [
        it.model_copy(update={"tags": dict(random.sample(sorted(it.tags.items()), len(it.tags)))})
        for it in random.sample(inventory.devices, len(inventory.devices))
    ]
    return host_of(devices, random.sample(inventory.cells, len(inventory.cells)))


def reworded(request: Request, random: Random) -> Request:
    """The same with the keys of each pattern, and the patterns of each part, in another order."""
    devices = [
        it.model_copy(
            update={
                "alternatives": tuple(
                    dict(random.sample(sorted(one.items()), len(one)))
                    for one in random.sample(it.alternatives, len(it.alternatives))
                ),
                "providers": tuple(random.sample(it.providers, len(it.providers))),
            }
        )
        for it in request.devices
    ]
    return request.model_copy(update={"devices": tuple(devices)})


#: Devices of each kind, and steps that one decision may take for eight kinds and eight requests.
TRAPS = {1: 60, 8: 150, 64: 800}


def trap(kinds: int, count: int, requests: int) -> tuple[_core.Ledger, Request]:
    """Part 0 may have any kind, each further part one kind less: the last one only the first kind.

    Served in turn the first part takes the first kind, and the last one starves.
    """
    products = [f"{0x1000 + kind:04x}" for kind in range(kinds)]
    devices = [
        Device(
            address=f"0000:{kind:02x}:{number // 8:02x}.{number % 8}",
            vendor_id=VENDOR,
            product_id=product,
        )
        for kind, product in enumerate(products)
        for number in range(count)
    ]
    asked = [
        DeviceRequest(
            alternatives=tuple({"product_id": it} for it in products[: max(kinds - part, 1)]),
            count=count,
        )
        for part in range(requests)
    ]
    return _core.Ledger(host_of(devices)), Request(devices=tuple(asked))


@pytest.mark.parametrize(("count", "steps"), TRAPS.items())
def test_the_trap_of_eight_by_eight(count: int, steps: int) -> None:
    ledger, request = trap(8, count, 8)
    placement = ledger.book("a", request)
    given = {(it.request, it.product_id) for it in placement.devices}
    assert given == {(part, f"{0x1000 + 7 - part:04x}") for part in range(8)}
    assert len(placement.devices) == 8 * count
    assert ledger.steps <= steps, ledger.steps


@pytest.mark.parametrize(("count", "steps"), TRAPS.items())
def test_the_trap_without_a_way_out(count: int, steps: int) -> None:
    """One part more than there are kinds: nothing is tried that cannot be."""
    ledger, request = trap(8, count, 9)
    with pytest.raises(NoFit):
        ledger.book("a", request)
    assert ledger.steps <= steps, ledger.steps
    assert ledger.usage().devices.free == 8 * count


def test_a_pf_that_comes_after_its_vf_is_not_given_beside_it() -> None:
    """A PF with more properties than its VFs is looked at after they were taken."""
    root, more = "0000:00:00.0", {"more": None}
    pf = Device(address=root, vendor_id=VENDOR, product_id="1592", kind=PciKind.PF, tags=more)
    vf = Device(
        address="0000:00:02.0",
        vendor_id=VENDOR,
        product_id="1889",
        kind=PciKind.VF,
        parent=root,
    )
    either = DeviceRequest(alternatives=({"dev_type": "type-PF"}, {"dev_type": "type-VF"}), count=2)
    assert chosen_by(_core.Ledger(host_of([pf, vf])), Request(devices=(either,))) is None


def test_functions_of_a_unit_are_alike_only_for_whoever_else_wants_them() -> None:
    """The VFs of two slots; and functions that another part names by their addresses."""
    vfs = [
        Device(
            address=f"0000:00:{place}",
            vendor_id=VENDOR,
            product_id="1889",
            kind=PciKind.VF,
            parent="0000:00:00.0",
            switch="0000:f0:00.0",
        )
        for place in ("02.0", "02.1", "03.0")
    ]
    one, two = (unit_of(UnitPlace.SWITCH, 1), unit_of(UnitPlace.SLOT, 2))
    found = chosen_by(_core.Ledger(host_of(vfs)), Request(devices=(one, two)))
    assert found == [("0000:00:02.0", 1), ("0000:00:02.1", 1), ("0000:00:03.0", 0)]
    cards = [
        Device(address=f"0000:01:00.{it}", vendor_id=VENDOR, product_id="1592") for it in range(2)
    ]
    first = DeviceRequest(alternatives=({"address": "0000:01:00.0"},))
    both = Request(devices=(unit_of(UnitPlace.SLOT, 1), first))
    found = chosen_by(_core.Ledger(host_of(cards)), both)
    assert found == [("0000:01:00.0", 1), ("0000:01:00.1", 0)]


def unit_of(place: UnitPlace, count: int) -> DeviceRequest:
    """So many functions of Intel's at one place."""
    member = UnitMember(alternatives=({"vendor_id": VENDOR},), count=count)
    return DeviceRequest(unit=DeviceUnit(place=place, members=(member,)))


def test_a_claim_is_never_short_of_a_device() -> None:
    """A function may have VFs although the host does not call it a PF."""
    root = "0000:00:00.0"
    plain = Device(address=root, vendor_id=VENDOR, product_id="1592")
    vf = Device(
        address="0000:00:02.0",
        vendor_id=VENDOR,
        product_id="1889",
        kind=PciKind.VF,
        parent=root,
    )
    both = [DeviceRequest(vendor_id=VENDOR, product_id=it.product_id) for it in (plain, vf)]
    assert chosen_by(_core.Ledger(host_of([plain, vf])), Request(devices=tuple(both))) is None
