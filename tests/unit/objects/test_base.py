"""Fields, changes, versions and copies of objects."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from innkeeper.errors import BadVersion, NoBackport, ReadOnlyField, UnknownObject, UnsetField
from innkeeper.objects import (
    ComputeNode,
    Device,
    Flavor,
    HVSpec,
    Instance,
    InstanceNUMACell,
    NovaObject,
    PciDevice,
    PciDevicePool,
    PciDevicePoolList,
    Service,
)
from innkeeper.objects.history import Added, History
from innkeeper.objects.host import device_of_checked
from innkeeper.objects.registry import class_of
from innkeeper.objects.releases import pin
from innkeeper.objects.wire import UNSET


def pool() -> PciDevicePool:
    return PciDevicePool(product_id="1520", vendor_id="8086", tags={"a": None}, count=2)


def node() -> ComputeNode:
    result = ComputeNode(
        id=1,
        host="h",
        vcpus=8,
        supported_hv_specs=(HVSpec(arch="x86_64", hv_type="kvm", vm_mode="hvm"),),
        pci_device_pools=PciDevicePoolList(objects=(pool(),)),
    )
    result.reset_changes(recursive=True)
    return result


def test_unset_null_and_default_are_three_things() -> None:
    flavor = Flavor(vcpu_weight=None)
    assert flavor.is_set("vcpu_weight")
    assert flavor.vcpu_weight is None
    assert not flavor.is_set("rxtx_factor")
    with pytest.raises(UnsetField, match=r"Flavor\.rxtx_factor is not set"):
        _ = flavor.rxtx_factor
    flavor.set_defaults()
    assert flavor.rxtx_factor == 1.0
    assert not flavor.is_set("name")


def test_unset_is_an_attribute_error_for_hasattr() -> None:
    assert not hasattr(Flavor(), "name")


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "2"},
        {"count": True},
        {"count": 2.0},
        {"count": None},
        {"tags": {"a": 1}},
        {"tags": [("a", "b")]},
        {"vendor": "8086"},
    ],
)
def test_python_is_strict(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PciDevicePool(**wrong)
    name, value = next(iter(wrong.items()))
    one = pool()
    with pytest.raises(ValidationError):
        setattr(one, name, value)
    assert one == pool()


def test_objects_take_objects_of_their_class_only() -> None:
    with pytest.raises(ValidationError):
        ComputeNode(pci_device_pools=pool())
    with pytest.raises(ValidationError):
        ComputeNode(pci_device_pools={"objects": []})
    with pytest.raises(ValidationError):
        PciDevicePoolList(objects=(HVSpec(),))


def test_read_only_fields_are_set_once() -> None:
    one = ComputeNode()
    one.id = 3
    one.id = 3
    with pytest.raises(ReadOnlyField, match=r"ComputeNode\.id"):
        one.id = 4
    assert one.id == 3


def test_nothing_inside_can_be_edited_in_place() -> None:
    tags: Any = pool().tags
    for edit in (
        lambda: tags.update(b="c"),
        lambda: tags.pop("a"),
        tags.clear,
        lambda: tags.__setitem__("b", "c"),
        lambda: tags.__ior__({"b": "c"}),
    ):
        with pytest.raises(TypeError, match="assign a new one"):
            edit()
    assert tags == {"a": None}


def test_changes_are_seen_through_objects() -> None:
    one = node()
    assert not one.changed_fields()
    assert one.pci_device_pools is not None
    one.pci_device_pools.objects[0].count = 3
    assert one.changed_fields() == {"pci_device_pools"}
    primitive = one.to_primitive()
    assert primitive["nova_object.changes"] == ["pci_device_pools"]
    assert NovaObject.from_primitive(primitive).to_primitive() == primitive
    one.reset_changes(recursive=True)
    assert not one.pci_device_pools.objects[0].changed_fields()


def test_copies_share_nothing_that_can_change() -> None:
    one = node()
    for other in (copy.deepcopy(one), one.clone(), pickle.loads(pickle.dumps(one))):
        assert other == one
        assert other.pci_device_pools is not None
        other.pci_device_pools.objects[0].count = 9
        assert not one.changed_fields()
        assert other != one


def test_a_shallow_copy_is_changed_by_itself() -> None:
    one = node()
    other = copy.copy(one)
    other.vcpus = 9
    assert one.vcpus == 8
    assert not one.changed_fields()


def test_equality_looks_at_class_version_and_fields() -> None:
    one, other = pool(), pool()
    assert one == other
    other.reset_changes()
    assert one == other
    other.numa_node = None
    assert one != other
    old = PciDevicePool.from_primitive(one.to_primitive("1.0"))
    assert old != one
    with pytest.raises(TypeError):
        hash(one)


def test_an_object_stays_at_the_version_it_was_read_at() -> None:
    primitive = pool().to_primitive("1.0")
    old = PciDevicePool.from_primitive(primitive)
    old.numa_node = 1
    assert old.object_version == "1.0"
    assert old.to_primitive()["nova_object.version"] == "1.0"
    assert old.to_primitive()["nova_object.data"]["numa_node"] == 1
    with pytest.raises(BadVersion, match=r"is of version 1\.0"):
        old.to_primitive("1.1")
    assert old.to_primitive(manifest={"PciDevicePool": "1.1"})["nova_object.version"] == "1.0"


def test_a_manifest_decides_about_everything_inside() -> None:
    primitive = node().to_primitive(manifest=pin("kilo"))
    data = primitive["nova_object.data"]
    assert primitive["nova_object.version"] == "1.11"
    assert data["supported_hv_specs"][0]["nova_object.version"] == "1.0"
    assert data["pci_device_pools"]["nova_object.version"] == "1.1"


def test_a_newer_manifest_gives_what_there_is() -> None:
    assert node().to_primitive(manifest={"ComputeNode": "1.99"})["nova_object.version"] == "1.19"


def test_old_readers_get_a_service_id() -> None:
    class Records:
        def service_id(self, host: str) -> int | None:
            return {"h": 7}.get(host)

        def compute_node(self, host: str) -> ComputeNode | None:
            return node() if host == "h" else None

    def service_id(one: ComputeNode) -> object:
        return one.to_primitive("1.5", lookup=Records())["nova_object.data"]["service_id"]

    assert service_id(node()) == 7
    assert service_id(ComputeNode(host="other")) == -1
    assert service_id(ComputeNode(host="h", service_id=3)) == 3
    old = Service(host="h").to_primitive("1.4", lookup=Records())
    assert old["nova_object.data"]["compute_node"]["nova_object.version"] == "1.5"
    new = Service(host="h").to_primitive("1.10", lookup=Records())
    assert "compute_node" not in new["nova_object.data"]


def test_values_that_old_readers_refuse_are_refused_here() -> None:
    device = PciDevice(status="unavailable", dev_type="type-PF")
    with pytest.raises(NoBackport) as caught:
        device.to_primitive("1.3")
    assert caught.value.details["field"] == "status"
    assert caught.value.details["value"] == "unavailable"
    with pytest.raises(NoBackport):
        InstanceNUMACell(cpu_policy="mixed").to_primitive("1.2")


def test_flavors_of_old_instances_are_in_the_system_metadata() -> None:
    flavor = Flavor(id=5, name="m", vcpus=2, extra_specs={"hw:numa_mem.0": "1", "other": "x"})
    old = Instance(flavor=flavor, old_flavor=None, system_metadata={"k": "v"}, display_name="é")
    data = old.to_primitive("1.15")["nova_object.data"]
    assert data["system_metadata"] == {
        "k": "v",
        "instance_type_id": 5,
        "instance_type_name": "m",
        "instance_type_vcpus": 2,
        "instance_type_extra_hw:numa_mem.0": "1",
    }
    assert "flavor" not in data
    assert old.to_primitive("1.5")["nova_object.data"]["display_name"] == "?"


def test_times_are_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    service = Service(last_seen_up=datetime(2015, 10, 16, 2, 0, 13, 999, tzinfo=east))
    assert service.last_seen_up == datetime(2015, 10, 16, 0, 0, 13, 999, tzinfo=UTC)
    written = "2015-10-16T00:00:13Z"
    assert service.to_primitive()["nova_object.data"]["last_seen_up"] == written
    assert orjson.loads(service.to_json())["nova_object.data"]["last_seen_up"] == written
    naive = Service(last_seen_up=datetime(2015, 10, 16))  # noqa: DTZ001
    assert naive.last_seen_up == datetime(2015, 10, 16, tzinfo=UTC)


def test_integers_have_no_limit() -> None:
    one = PciDevicePool(count=2**70)
    assert PciDevicePool.from_json(one.to_json()) == one
    assert PciDevicePool.from_primitive(one.to_primitive()) == one


def test_both_ways_out_say_the_same() -> None:
    one = node()
    one.vcpus = 9
    assert orjson.loads(one.to_json()) == one.to_primitive()


def test_a_history_that_is_wrong_is_refused_with_the_class() -> None:
    with pytest.raises(ValueError, match=r"end at 1\.2"):
        History.of({"1.0": "first", "1.1": "more"}, ["a"], "1.2")
    with pytest.raises(ValueError, match="unknown fields: b"):
        History.of({"1.0": "first", "1.1": Added("b")}, ["a"], "1.1")
    with pytest.raises(TypeError, match="no subclasses"):
        type("Special", (PciDevicePool,), {"VERSION": "1.1"})


def test_types_of_fields_that_have_no_wire_form_are_refused() -> None:
    make: Any = type(NovaObject)
    declaration = {"VERSION": "1.0", "__annotations__": {"odd": complex}, "odd": UNSET}
    with pytest.raises(TypeError, match="not a type of field"):
        make("Odd", (NovaObject,), {"__module__": __name__, **declaration})
    with pytest.raises(UnknownObject):
        class_of("nova", "Odd")


def test_a_kept_text_is_never_stale() -> None:
    one = node()
    assert one.pci_device_pools is not None
    inner = one.pci_device_pools.objects[0]

    def count() -> object:
        texts = {one.to_json() for _ in range(4)}
        assert len(texts) == 1
        assert orjson.loads(texts.pop()) == one.to_primitive()
        return one.to_primitive()["nova_object.data"]["pci_device_pools"]["nova_object.data"][
            "objects"
        ][0]["nova_object.data"].get("count")

    assert count() == 2
    inner.count = 3
    assert count() == 3
    inner.reset_changes()
    assert count() == 3
    copied = pickle.loads(pickle.dumps(inner))
    assert copied.to_json() == inner.to_json()
    del inner.count
    assert count() is None


def test_big_integers_inside_are_written_in_every_way() -> None:
    pools = PciDevicePoolList(objects=(PciDevicePool(count=2**70), PciDevicePool(count=1)))
    for _ in range(4):
        assert PciDevicePoolList.from_json(pools.to_json()) == pools


def test_a_device_of_checked_values_is_as_one_that_was_checked() -> None:
    device = Device(address="0000:41:00.0", vendor_id="8086", product_id="1592", tags={"a": None})
    made = device_of_checked(dict(device.__dict__))
    assert made == device
    assert made.to_primitive() == device.to_primitive()
    assert made.model_dump_json() == device.model_dump_json()
    assert made.model_copy(update={"cell": 1}).cell == 1
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == device
