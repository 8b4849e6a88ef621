"""Ports that need a device, and Nova's form of device requests."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from innkeeper.config import AliasSpec, Config
from innkeeper.errors import BadRequest
from innkeeper.objects import DeviceRequest, InstancePCIRequest, InstancePCIRequests, Request
from innkeeper.objects.request import DeviceUnit, NumaPolicy, UnitMember, UnitPlace
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.nova_requests import devices_of_nova, nova_requests
from innkeeper.requests.ports import PortBinding, device_of_port, read_port

INSTANCE = UUID(int=7)
IDS = [UUID(int=number) for number in range(1, 9)]


def pattern(**binding: Any) -> dict[str, str | None]:
    device = device_of_port(PortBinding("p1", **binding))
    assert device is not None
    assert (device.count, device.requester, device.alias) == (1, "p1", None)
    return device.alternatives[0]


@pytest.mark.parametrize("vnic_type", ["normal", "baremetal", "accelerator-direct", ""])
def test_most_ports_need_no_device(vnic_type: str) -> None:
    assert device_of_port(PortBinding("p1", vnic_type)) is None


@pytest.mark.parametrize(
    ("binding", "wanted"),
    [
        ({"vnic_type": "direct"}, {"physical_network": None, "remote_managed": "False"}),
        (
            {"vnic_type": "macvtap", "physical_network": "net0", "trusted": True},
            {"physical_network": "net0", "remote_managed": "False", "trusted": "True"},
        ),
        (
            {"vnic_type": "direct-physical", "trusted": False},
            {"physical_network": None, "remote_managed": "False", "dev_type": "type-PF"},
        ),
        (
            {"vnic_type": "vdpa"},
            {"physical_network": None, "remote_managed": "False", "dev_type": "vdpa"},
        ),
        (
            {"vnic_type": "remote-managed", "parent_netdev": "ens1"},
            {"physical_network": None, "remote_managed": "True", "parent_ifname": "ens1"},
        ),
    ],
)
def test_a_port_asks_by_its_binding(binding: dict[str, Any], wanted: dict[str, str | None]) -> None:
    assert pattern(**binding) == wanted


def test_the_policy_of_the_port_goes_before_that_of_the_flavor() -> None:
    port = PortBinding("p1", "direct", numa_policy=NumaPolicy.SOCKET)
    for own, wanted in (
        (port, NumaPolicy.SOCKET),
        (PortBinding("p1", "direct"), NumaPolicy.REQUIRED),
    ):
        device = device_of_port(own, NumaPolicy.REQUIRED)
        assert device is not None
        assert device.numa_policy is wanted


def test_a_port_is_read_as_neutron_shows_it() -> None:
    shown = {
        "id": "p1",
        "binding:vnic_type": "direct",
        "binding:profile": {"trusted": "true", "pci_slot": "0000:41:01.0"},
        "numa_affinity_policy": "preferred",
    }
    assert read_port(shown, "net0", "host1:NIC Switch agent:ens1f0") == PortBinding(
        "p1",
        "direct",
        "net0",
        trusted=True,
        numa_policy=NumaPolicy.PREFERRED,
        parent_netdev="ens1f0",
    )
    bare = {"id": "p1", "binding:profile": None, "numa_affinity_policy": None}
    assert read_port(bare, provider="not three parts") == PortBinding("p1")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"id": ""}, "`id`"),
        ({"id": 3}, "`id`"),
        ({"binding:profile": "x"}, "`binding:profile`"),
        ({"binding:profile": {"trusted": "perhaps"}}, "`binding:profile.trusted`"),
        ({"numa_affinity_policy": "near"}, "`numa_affinity_policy`"),
    ],
)
def test_a_port_of_another_form_is_refused_by_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(BadRequest, match=key):
        read_port({"id": "p1", **change})


def test_a_port_whose_id_no_request_takes_is_refused() -> None:
    with pytest.raises(BadRequest, match="port"):
        device_of_port(PortBinding("x" * 300, "direct"))


def test_resolved_requests_go_to_nova_and_back() -> None:
    entry = {"name": "a10", "vendor_id": "10de", "product_id": "2236", "numa_policy": "required"}
    names = Aliases.of(Config(aliases=(AliasSpec.model_validate(entry),)))
    port = device_of_port(PortBinding("p1", "direct", "net0"))
    assert port is not None
    by_id = DeviceRequest(vendor_id="8086", product_id="1889", count=2, providers=tuple(IDS[:2]))
    asked = (DeviceRequest(alias="a10", count=2), port, by_id)
    stored = nova_requests(INSTANCE, names.resolve(Request(devices=asked)).devices, IDS)
    assert [
        (one.count, one.alias_name, one.requester_id, one.numa_policy, one.request_id)
        for one in stored.requests
    ] == [
        (2, "a10", None, "required", str(IDS[0])),
        (1, None, "p1", None, str(IDS[1])),
        (2, "8086:1889", None, None, str(IDS[2])),
    ]
    back = devices_of_nova(stored)
    assert back[0].alternatives == ({"vendor_id": "10de", "product_id": "2236"},)
    assert back[0].numa_policy is NumaPolicy.REQUIRED
    assert back[1] == port
    assert back[2].alternatives == ({"vendor_id": "8086", "product_id": "1889"},)
    # What comes back can be asked for again as it is.
    assert names.resolve(Request(devices=back)).devices == back


def test_q15_providers_survive_the_way_to_nova_and_back() -> None:
    asked = DeviceRequest(vendor_id="8086", product_id="1889", count=2, providers=tuple(IDS[:2]))
    (back,) = devices_of_nova(nova_requests(INSTANCE, [asked], IDS))
    assert back.providers == asked.providers


def test_a_unit_goes_to_nova_by_its_members() -> None:
    members = (
        UnitMember(alternatives=({"part": "gpu"},)),
        UnitMember(alternatives=({"part": "audio"},), count=2),
    )
    unit = DeviceUnit(place=UnitPlace.SLOT, members=members)
    stored = nova_requests(INSTANCE, [DeviceRequest(alias="set", count=3, unit=unit)], IDS)
    assert [(one.count, one.alias_name, one.spec) for one in stored.requests] == [
        (3, "set", ({"part": "gpu"},)),
        (6, "set", ({"part": "audio"},)),
    ]


def test_each_request_needs_an_id() -> None:
    with pytest.raises(ValueError, match="2 requests need as many ids"):
        nova_requests(INSTANCE, [DeviceRequest(alternatives=({"a": "b"},))] * 2, IDS[:1])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"count": 1, "spec": (), "alias_name": "a"}, "names no specs"),
        ({"count": 1}, "names no specs"),
        ({"count": 0, "spec": ({"a": "b"},)}, "has count"),
        ({"count": -1, "spec": ({"a": "b"},)}, "has count"),
        ({"spec": ({"a": "b"},)}, "has count"),
        ({"count": 1, "spec": ({"a": "b", "rp_uuids": "x"},)}, "rp_uuids that are no UUIDs"),
        ({"count": 1, "spec": ({str(key): "b" for key in range(40)},)}, "has alternatives"),
    ],
)
def test_q20_requests_of_novas_that_mean_nothing_are_refused(
    words: dict[str, Any], told: str
) -> None:
    good = InstancePCIRequest(count=1, spec=({"a": "b"},))
    with pytest.raises(BadRequest) as caught:
        devices_of_nova(InstancePCIRequests(requests=(good, InstancePCIRequest(**words))))
    assert "PCI request 1 " in caught.value.message
    assert told in caught.value.message
