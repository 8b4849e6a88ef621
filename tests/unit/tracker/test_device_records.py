"""The small parts that rows of devices are made of."""

from __future__ import annotations

from itertools import product
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.store.made import made_claim

from innkeeper.config import Config
from innkeeper.objects import ClaimState, Device, PciDevice, PciFunction, PciKind
from innkeeper.requests.admission import Admission
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.device_rows import device_row, device_uuid, extra_info, request_id
from innkeeper.tracker.nova.device_status import Facts, Hold, hold_of, status_of
from innkeeper.tracker.nova.pools import pool_key

PF, VF = "0000:41:00.0", "0000:41:02.0"
PROVIDER = UUID("11111111-2222-4333-8444-555555555555")


def device(address: str = VF, kind: PciKind = PciKind.VF, **words: object) -> Device:
    parent = PF if kind in (PciKind.VF, PciKind.VDPA) else None
    form = {"vendor_id": "8086", "product_id": "154c", "kind": kind, "parent": parent}
    return Device.model_validate({"address": address, **form, **words})


def function(address: str = VF, kind: PciKind = PciKind.VF, **words: object) -> PciFunction:
    form = {"vendor_id": "8086", "product_id": "154c", "class_id": "020000", "kind": kind}
    return PciFunction.model_validate({"address": address, **form, **words})


# -- status --------------------------------------------------------------------------------------


def test_a_holder_is_told_whatever_else_is_true() -> None:
    for relatives, offered in product(Hold, (True, False)):
        held = [Facts(own, relatives, offered) for own in (Hold.CLAIMED, Hold.ALLOCATED)]
        assert [status_of(one) for one in held] == ["claimed", "allocated"]


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (Facts(), "available"),
        (Facts(relatives=Hold.CLAIMED), "unclaimable"),
        (Facts(relatives=Hold.ALLOCATED), "unavailable"),
        (Facts(relatives=Hold.WITHHELD), "unavailable"),
        (Facts(own=Hold.WITHHELD), "unavailable"),
        (Facts(relatives=Hold.ALLOCATED, offered=False), "removed"),
    ],
)
def test_what_nobody_holds(facts: Facts, status: str) -> None:
    assert status_of(facts) == status


def test_ended_claims_hold_nothing() -> None:
    assert {state: hold_of(made_claim(1, state)) for state in ClaimState} == {
        ClaimState.PENDING: Hold.CLAIMED,
        ClaimState.CONFIRMED: Hold.ALLOCATED,
        ClaimState.ABORTED: Hold.FREE,
        ClaimState.RELEASED: Hold.FREE,
    }


# -- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("functions", [(PF, VF), (VF,), ()])
def test_a_row_is_what_checking_makes_of_its_values(functions: tuple[str, ...]) -> None:
    pf = function(PF, PciKind.PF, serial="s1", mac="02:00:00:00:00:01")
    there = {PF: pf, VF: function(parent=PF, vf_number=3)}
    admission = Admission()
    admission.observe(tuple(there[one] for one in functions), DeviceRules.of(Config()))
    book, identity = DeviceBook(admission), admission.identity(VF)
    book.observe([device(cell=1, provider=PROVIDER, identity=identity, tags={"managed": "true"})])
    row = device_row("node", VF, book, admission)
    checked = PciDevice(**row.__dict__)
    assert row.__dict__ == checked.__dict__
    assert _kinds(row) == _kinds(checked)
    assert row.changed_fields() == checked.changed_fields()
    assert row.is_set("extra_info") is (VF in functions)


def _kinds(row: PciDevice) -> dict[str, type]:
    return {name: type(value) for name, value in row.__dict__.items()}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(0, 9))
def test_uuids_are_those_of_the_standard(name: str, number: int) -> None:
    expected = uuid5(NAMESPACE_URL, f"innkeeper:device:node:{name}")
    assert device_uuid("node", name) == str(expected)
    claim = UUID(int=number)
    assert request_id(claim, 3) == str(uuid5(NAMESPACE_URL, f"innkeeper:request:{claim}:3"))


def test_a_vf_borrows_its_pfs_serial_number_and_a_vdpa_one_does_not() -> None:
    parent = function(PF, PciKind.PF, serial="00-01", mac="02:00:00:00:00:01")
    texts = {
        kind: extra_info(device(kind=kind), function(kind=kind, vf_number=4), parent)
        for kind in (PciKind.VF, PciKind.VDPA)
    }
    sriov = '"sriov":{"pf_mac_address":"02:00:00:00:00:01","vf_num":4}'
    assert texts == {
        PciKind.VF: {"capabilities": f'{{"vpd":{{"card_serial_number":"00-01"}},{sriov}}}'},
        PciKind.VDPA: {"capabilities": f"{{{sriov}}}"},
    }


def test_tags_that_nova_copies_and_the_provider_which_q34_it_forgets() -> None:
    tags = {"managed": "true", "live_migratable": None, "physical_network": "a"}
    told = extra_info(device(tags=tags, provider=PROVIDER), function(), None)
    assert told == {"managed": "true", "rp_uuid": str(PROVIDER)}


# -- pools ---------------------------------------------------------------------------------------


def test_what_a_pool_is_known_by() -> None:
    tags = {"physical_network": "a", "resource_class": "CUSTOM_A", "traits": "T", "spare": None}
    vf = device(cell=1, tags=tags, parent_netdev="eth0", provider=PROVIDER)
    assert pool_key(vf) == (
        "154c",
        "8086",
        1,
        (
            ("dev_type", "type-VF"),
            ("physical_network", "a"),
            ("spare", None),
            ("address", PF),
            ("parent_ifname", "eth0"),
            ("remote_managed", "false"),
            ("rp_uuid", str(PROVIDER)),
        ),
    )


@pytest.mark.parametrize(
    ("kind", "tag", "told"),
    [
        (PciKind.PCI, {}, {}),
        (PciKind.PCI, {"remote_managed": None}, {"remote_managed": None}),
        (PciKind.PF, {}, {"remote_managed": "false"}),
        (PciKind.VDPA, {"remote_managed": None}, {"remote_managed": "false"}),
        (PciKind.VF, {"remote_managed": "true"}, {"remote_managed": "true"}),
    ],
)
def test_functions_of_sriov_say_whether_they_are_remote_managed(
    kind: PciKind, tag: dict[str, str | None], told: dict[str, str | None]
) -> None:
    found = dict(pool_key(device(kind=kind, tags=tag))[3])
    assert {name: text for name, text in found.items() if name == "remote_managed"} == told


def _book(*devices: Device) -> DeviceBook:
    book = DeviceBook(Admission())
    book.observe(devices)
    return book


def test_pools_are_made_again_only_when_a_count_changed() -> None:
    book = _book(device(PF, PciKind.PF), device(), device("0000:41:02.1"))
    before = book.pools.as_object()
    book.observe((device(PF, PciKind.PF), device(), device("0000:41:02.1")))
    assert book.pools.as_object() is before
    book.observe((device(PF, PciKind.PF), device()))
    after = book.pools.as_object()
    assert [pool.count for pool in after.objects] == [1, 1]
    assert after.objects[0] is before.objects[0]


def test_the_order_is_that_of_properties_and_addresses_whatever_came_first() -> None:
    plain = [device(f"0000:{bus:02x}:00.0", PciKind.PCI) for bus in (3, 1)]
    wide = device("10000:01:00.0", PciKind.PCI)
    tagged = device("0000:00:00.0", PciKind.PCI, tags={"a": "b"})
    every = [tagged, wide, *plain]
    told = [pool.tags["address"] for pool in _book(*every).pools.as_object().objects]
    assert told == ["0000:01:00.0", "0000:03:00.0", "10000:01:00.0", "0000:00:00.0"]
    assert _book(*reversed(every)).pools.as_object() == _book(*every).pools.as_object()


def test_tags_are_equal_in_any_order() -> None:
    one = device(tags={"a": "1", "b": "2"})
    other = device("0000:41:02.1", tags={"b": "2", "a": "1"})
    assert [pool.count for pool in _book(one, other).pools.as_object().objects] == [2]
