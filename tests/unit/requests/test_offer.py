"""What may be handed out, kept from one observation to the next."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from innkeeper import Ledger, simulated
from innkeeper.config import Config
from innkeeper.objects import (
    Cordon,
    CordonCause,
    CordonKind,
    Cpu,
    Device,
    Holder,
    Host,
    PciFunction,
    PciKind,
    PlacedDevice,
)
from innkeeper.objects.host import Withheld
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.identity import identity_of, serial_identities
from innkeeper.requests.inventory import put_together, take_inventory
from innkeeper.requests.offer import Offer

SPEC = "cpus=8,cells=2,pfs=2,vfs=3,gpus=2"
HOST = simulated(SPEC)
EVERYTHING = Config.model_validate({"devices": [{}]})
AT = datetime(2026, 1, 1, tzinfo=UTC)


def function(address: str, **changes: object) -> PciFunction:
    usual = {"vendor_id": "8086", "product_id": "1592", "class_id": "020000"}
    return PciFunction.model_validate({"address": address, **usual, **changes})


def identities(*functions: PciFunction) -> dict[str, str | None]:
    serials = serial_identities(functions)
    return {one.address: identity_of(one, serials) for one in functions}


def test_an_identity_is_made_of_product_serial_and_function() -> None:
    found = identities(
        function("0000:41:00.0", serial="aa-bb"),
        function("0000:41:00.1", serial="aa-bb"),
        function("0000:41:01.0", kind="vf", parent="0000:41:00.1", vf_number=4),
        function("0000:41:01.1", kind="vf", parent="0000:41:00.1"),
        function("0000:42:00.0"),
    )
    assert list(found.values()) == [
        "8086:1592:aa-bb/0",
        "8086:1592:aa-bb/1",
        "8086:1592:aa-bb/1/vf/4",
        None,
        None,
    ]


@pytest.mark.parametrize(
    "serial", ["00-00-00-00-00-00-00-00", "ff-ff-ff-ff-ff-ff-ff-ff", "0", "N/A"]
)
def test_a_number_that_two_cards_share_or_that_is_none_tells_nothing(serial: str) -> None:
    two = (function("0000:41:00.0", serial=serial), function("0000:42:00.0", serial=serial))
    assert set(identities(*two).values()) == {None}


def test_an_identity_is_the_same_in_another_slot() -> None:
    moved = simulated(f"{SPEC},pf1.address=0000:e1:00.0,gpu0.address=0000:f1:00.0")
    before, after = identities(*HOST.functions), identities(*moved.functions)
    assert before != after
    assert sorted(filter(None, before.values())) == sorted(filter(None, after.values()))


def placed(device: Device) -> PlacedDevice:
    names = ("address", "vendor_id", "product_id", "cell", "parent", "identity")
    return PlacedDevice.model_validate({name: getattr(device, name) for name in names})


def cordon(kind: str, subject: str, **changes: object) -> Cordon:
    usual = {"reason": "broken", "at": AT, "by": Holder(user="eve")}
    return Cordon.model_validate({"kind": kind, "subject": subject, **usual, **changes})


def test_what_is_told_of_a_device_is_that_of_its_function() -> None:
    devices = take_inventory(HOST, EVERYTHING).devices
    functions = {one.address: one for one in HOST.functions}
    for device in devices:
        own = functions[device.address]
        shared = ("vendor_id", "product_id", "kind", "parent", "cell", "iommu_group", "switch")
        assert all(getattr(device, name) == getattr(own, name) for name in shared)
        assert device == Device.model_validate(dict(device))
        if device.parent:
            assert device.parent_netdev == functions[device.parent].netdevs[0]
            assert device.identity is not None


def test_cells_have_the_socket_of_most_of_their_cpus() -> None:
    cpus = [Cpu(id=n, cell=0, socket=s) for n, s in enumerate((1, 0, 1, 0, 2))]
    host = HOST.model_copy(update={"cpus": (*cpus, Cpu(id=9, cell=None, socket=5))})
    assert [(cell.id, cell.socket) for cell in take_inventory(host).cells] == [(0, 0), (1, None)]


def test_a_cordon_of_the_host_is_a_sentence() -> None:
    inventory = take_inventory(HOST, cordons=[cordon("host", "test")])
    assert inventory.cordoned == "cordoned by eve at 2026-01-01 00:00:00 UTC: broken"


def test_of_several_reasons_the_one_that_a_person_set_is_told() -> None:
    device = take_inventory(HOST, EVERYTHING).devices[0]
    dirty = cordon("device", device.address, cause="dirty")
    by_hand = cordon("device", device.address)

    def mark(config: Config, *cordons: Cordon) -> Withheld | None:
        inventory = take_inventory(HOST, config, held=[placed(device)], cordons=cordons)
        return next(one.withheld for one in inventory.devices if one.address == device.address)

    assert mark(EVERYTHING) is None
    assert mark(Config()) is Withheld.RETIRED
    assert mark(Config(), dirty) is Withheld.DIRTY
    assert mark(Config(), dirty, by_hand) is mark(Config(), by_hand, dirty) is Withheld.CORDONED


@st.composite
def hosts(draw: st.DrawFn) -> Host:
    """The simulated host, some of it missing, replaced, renumbered, opened or odd."""
    named = draw(st.sampled_from([one.address for one in HOST.functions]))
    kept = (draw(edited(one, named)) for one in HOST.functions)
    functions = tuple(one for one in kept if one is not None)
    return HOST.model_copy(update={"functions": functions})


EDITS = ("same",) * 6 + ("gone", "cell", "kind", "open", "serial", "net", "copy")


@st.composite
def edited(draw: st.DrawFn, one: PciFunction, named: str) -> PciFunction | None:
    """The one of that address has the network device that a spec names."""
    update: dict[str, object] = {}
    match draw(st.sampled_from(EDITS)):
        case "same":
            return one
        case "gone":
            return None
        case "cell":
            update = {"cell": draw(st.sampled_from((None, 0, 1)))}
        case "kind":
            update = {"kind": PciKind.PCI, "parent": None, "total_vfs": 0}
        case "open":
            update = {"used_by_host": "opened"}
        case "serial":
            update = {"serial": draw(st.sampled_from((None, "a", "b")))}
        case "net":
            update = {"netdevs": ("ens7" if one.address == named else f"n{one.address}",)}
    return one.model_copy(update=update)


ENTRIES: tuple[list[dict[str, object]], ...] = (
    [{}],
    [{"vendor_id": "10de", "tags": {"tier": "a"}}, {"product_id": "1889"}],
    [{"devname": "ens7", "trusted": True}],
    [],
)
RULES = [DeviceRules.of(Config.model_validate({"devices": entries})) for entries in ENTRIES]

CORDONS = st.lists(
    st.builds(
        cordon,
        st.just(CordonKind.DEVICE.value),
        st.sampled_from([one.address for one in HOST.functions]),
        cause=st.sampled_from(CordonCause),
        identity=st.sampled_from([None, *filter(None, identities(*HOST.functions).values())]),
    ),
    max_size=3,
).map(tuple)


@given(data=st.data())
def test_what_is_kept_from_before_is_what_would_be_found_anew(data: st.DataObject) -> None:
    offer = Offer()
    everything = take_inventory(HOST, EVERYTHING).devices
    for _ in range(data.draw(st.integers(2, 5))):
        host, rules = data.draw(hosts()), data.draw(st.sampled_from(RULES))
        cordons = data.draw(CORDONS)
        cordoned = Cordoned.of(cordons)
        offer.observe(host.functions, rules)
        kept = put_together(host, Config(), cordoned, offer.devices({}, cordons, cordoned))
        anew = take_inventory(host, cordons=cordons, rules=rules)
        assert kept == anew
        Ledger(kept)
        held = {one.address: placed(one) for one in data.draw(subsets(everything))}
        check_held(offer, host, held, cordons)


def subsets(devices: tuple[Device, ...]) -> st.SearchStrategy[list[Device]]:
    return st.lists(st.sampled_from(devices), max_size=4, unique_by=lambda one: one.address)


def check_held(
    offer: Offer, host: Host, held: dict[str, PlacedDevice], cordons: tuple[Cordon, ...]
) -> None:
    """What is held and on the host stays, as its claim knows it; the core takes the whole."""
    cordoned = Cordoned.of(cordons)
    devices = {one.address: one for one in offer.devices(held, cordons, cordoned)}
    for address, one in held.items():
        if address not in offer.admission.by_address:
            assert address in offer.missing
            continue
        device = devices[address]
        known = (one.vendor_id, one.product_id, one.cell)
        assert (device.vendor_id, device.product_id, device.cell) == known
        changed = {remark.subject for remark in offer.remarks if remark.kind == "device_changed"}
        if address in changed or offer.admission.rule(address) is None:
            assert device.withheld is not None
    Ledger(put_together(host, Config(), cordoned, tuple(devices.values())))


def test_the_same_inputs_give_the_same_tuple() -> None:
    offer, cordoned = Offer(), Cordoned()
    offer.observe(HOST.functions, RULES[0])
    first = offer.devices({}, (), cordoned)
    offer.observe(simulated(SPEC).functions, RULES[0])
    assert offer.devices({}, (), cordoned) is first
    device = first[0]
    held = {device.address: placed(device)}
    assert offer.devices(held, (), cordoned) is first
