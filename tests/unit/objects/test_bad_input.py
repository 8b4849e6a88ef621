"""Hostile and odd primitives and texts: a typed error with the path, and bounded work."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest

from innkeeper.errors import BadPrimitive, IncompatibleObject, InnkeeperError, UnknownObject
from innkeeper.objects import (
    ComputeNode,
    Event,
    Host,
    Instance,
    NovaObject,
    PciDevicePool,
    PciDevicePoolList,
    VersionedObject,
)
from innkeeper.objects.reading import MAX_JSON


def primitive(name: str, version: str, /, namespace: str = "nova", **data: Any) -> dict[str, Any]:
    return {
        "nova_object.name": name,
        "nova_object.namespace": namespace,
        "nova_object.version": version,
        "nova_object.data": data,
    }


def nested(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = {"a": value}
    return value


def nested_objects(levels: int) -> Any:
    value = primitive("PciDevicePoolList", "1.1", objects=[])
    for _ in range(levels):
        value = primitive("PciDevicePoolList", "1.1", objects=[value])
    return value


def refused(source: Any, kind: type[VersionedObject] = VersionedObject) -> InnkeeperError:
    with pytest.raises(InnkeeperError) as caught:
        kind.from_primitive(source)
    return caught.value


@pytest.mark.parametrize("source", [None, 3, "text", [], {}, {"nova_object.name": 3}, b"x"])
def test_what_is_no_primitive(source: Any) -> None:
    for kind in (VersionedObject, NovaObject, ComputeNode, Host):
        assert isinstance(refused(source, kind), BadPrimitive)


@pytest.mark.parametrize("missing", ["name", "namespace", "version", "data"])
def test_missing_parts(missing: str) -> None:
    source = primitive("PciDevicePool", "1.1", count=1)
    del source[f"nova_object.{missing}"]
    assert isinstance(refused(source), BadPrimitive)


@pytest.mark.parametrize(
    "version", ["1", "1.x", "", "1.", ".1", "01.1", "-1.0", "1.0.0.0", "\u0661.\u0661"]
)
@pytest.mark.parametrize("name", ["PciDevicePool", "Host"])
def test_odd_versions(version: str, name: str) -> None:
    namespace = "innkeeper" if name == "Host" else "nova"
    error = refused(primitive(name, version, namespace))
    assert isinstance(error, BadPrimitive)
    assert error.details["path"] == "nova_object.version"


@pytest.mark.parametrize("version", ["1.2", "2.0", "999.0", "999999999.999999999", "1.2.7"])
def test_newer_versions_say_what_to_ask_for(version: str) -> None:
    error = refused(primitive("PciDevicePool", version))
    assert isinstance(error, IncompatibleObject)
    assert error.details["version"] == version
    assert error.details["supported"] == "1.1"
    assert error.details["manifest"] == {"PciDevicePool": "1.1"}


def test_a_newer_object_inside_tells_where_and_what_the_whole_must_be() -> None:
    pools = primitive("PciDevicePoolList", "1.1", objects=[primitive("PciDevicePool", "1.2")])
    error = refused(primitive("ComputeNode", "1.19", pci_device_pools=pools))
    assert isinstance(error, IncompatibleObject)
    assert error.details["path"] == "pci_device_pools.objects[0]"
    assert error.details["name"] == "PciDevicePool"
    assert error.details["manifest"] == ComputeNode.object_manifest()


def test_a_newer_object_inside_one_of_ours() -> None:
    cpu = primitive("Cpu", "1.9", "innkeeper", id=0)
    error = refused(primitive("Host", "1.0", "innkeeper", hostname="h", cpus=[cpu]))
    assert isinstance(error, IncompatibleObject)
    assert error.details["path"] == "cpus[0]"
    assert error.details["manifest"] == Host.object_manifest()


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("cinder", "PciDevicePool"), ("nova", "NoSuchThing"), ("nova", "Host"), ("", "")],
)
def test_unknown_names_and_namespaces(namespace: str, name: str) -> None:
    error = refused(primitive(name, "1.0", namespace))
    assert isinstance(error, UnknownObject)
    assert (error.details["namespace"], error.details["name"]) == (namespace, name)


def test_another_class_than_the_one_asked_for() -> None:
    assert isinstance(refused(primitive("HVSpec", "1.0"), ComputeNode), BadPrimitive)
    inside = primitive("ComputeNode", "1.19", pci_device_pools=primitive("HVSpec", "1.0"))
    assert refused(inside).details["path"].startswith("pci_device_pools")


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("vcpus", "many", "vcpus"),
        ("vcpus", [], "vcpus"),
        ("vcpus", None, "vcpus"),
        ("vcpus", 1e999, "vcpus"),
        pytest.param("vcpus", "9" * 5000, "vcpus", id="too many digits"),
        pytest.param("cpu_info", 10**5000, "cpu_info", id="too long a number"),
        ("cpu_allocation_ratio", "nan", "cpu_allocation_ratio"),
        ("stats", {"a": {}}, "stats.a"),
        ("stats", {1: "a"}, "stats"),
        ("host_ip", "10.1", "host_ip"),
        ("host_ip", "fe80::1%eth0", "host_ip"),
        ("created_at", "junk", "created_at"),
        ("created_at", 1_600_000_000, "created_at"),
        ("created_at", "1700000000", "created_at"),
        ("hypervisor_hostname", "\ud800", "hypervisor_hostname"),
        ("hypervisor_hostname", b"bytes", "hypervisor_hostname"),
        ("supported_hv_specs", None, "supported_hv_specs"),
        ("supported_hv_specs", [None], "supported_hv_specs[0]"),
        ("supported_hv_specs", {}, "supported_hv_specs"),
        ("pci_device_pools", [], "pci_device_pools"),
    ],
)
def test_wrong_values_are_named_by_their_path(field: str, value: Any, path: str) -> None:
    source = primitive("ComputeNode", "1.19", **{field: value})
    error = refused(source)
    assert isinstance(error, BadPrimitive)
    assert error.details["path"].startswith(path), error.details
    assert path in error.message


@pytest.mark.parametrize(
    ("kind", "field"),
    [(ComputeNode, "stats"), (Instance, "fault"), (Host, "warnings"), (Event, "details")],
)
def test_ten_thousand_levels(kind: type[VersionedObject], field: str) -> None:
    source = primitive(kind.__name__, kind.VERSION, kind.NAMESPACE, **{field: nested(10_000)})
    assert isinstance(refused(source), BadPrimitive)


def test_ten_thousand_levels_of_objects() -> None:
    assert refused(nested_objects(10_000)).details["path"].startswith("objects[0]")


def test_ten_thousand_levels_in_a_foreign_object() -> None:
    fault = primitive("InstanceFault", "1.2", details=nested(10_000))
    error = refused(primitive("Instance", "2.8", fault=fault))
    assert error.details["path"] == "fault"
    assert "deeper than 64" in error.message


def test_ten_thousand_levels_of_text() -> None:
    text = '{"a":' * 10_000 + "1" + "}" * 10_000
    for kind in (VersionedObject, ComputeNode, Host):
        with pytest.raises(BadPrimitive):
            kind.from_json(text)


def test_fields_that_this_side_lacks_do_not_matter_however_deep() -> None:
    assert PciDevicePool.from_primitive(
        primitive("PciDevicePool", "1.1", count=1, surprise=nested(10_000))
    ) == PciDevicePool.from_primitive(primitive("PciDevicePool", "1.1", count=1))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nul", b"[1,", b"\xff\xfe", b'{"a": NaN}', b"3", b"null"]
)
def test_texts_that_are_no_objects(text: bytes) -> None:
    for kind in (VersionedObject, PciDevicePool, Host):
        with pytest.raises(BadPrimitive):
            kind.from_json(text)


def test_truncated_anywhere() -> None:
    text = PciDevicePoolList(objects=(PciDevicePool(count=1, tags={"é": "b"}),)).to_json()
    for end in range(len(text)):
        with pytest.raises(BadPrimitive):
            PciDevicePoolList.from_json(text[:end])


def test_a_hundred_megabytes_of_text_are_not_parsed() -> None:
    text = b'{"nova_object.name": "' + b"x" * 100_000_000 + b'"}'
    tracemalloc.start()
    start = time.process_time()
    for kind in (VersionedObject, PciDevicePool, Host):
        with pytest.raises(BadPrimitive) as caught:
            kind.from_json(text)
        assert caught.value.details["limit"] == MAX_JSON
    assert time.process_time() - start < 0.5
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cpu_info", "x" * 100_000_000),
        ("stats", {"a": "x" * 100_000_000}),
        ("supported_hv_specs", [primitive("HVSpec", "1.0")] * 2_000_000),
    ],
)
def test_a_hundred_megabytes_in_a_primitive(field: str, value: Any) -> None:
    start = time.process_time()
    tracemalloc.start()
    error = refused(primitive("ComputeNode", "1.19", **{field: value}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.details["path"].startswith(field)
    assert peak < 64_000_000
    assert time.process_time() - start < 10


def test_many_wrong_fields_are_a_few_errors() -> None:
    wrong: dict[str, Any] = {f"{number}": {} for number in range(50_000)}
    error = refused(primitive("ComputeNode", "1.19", stats=wrong))
    assert len(error.details["errors"]) <= 20
    assert len(json.dumps(error.details)) < 10_000


def test_a_refused_value_leaves_nothing_behind() -> None:
    pools = [
        primitive("PciDevicePool", "1.1", count=1),
        primitive("PciDevicePool", "1.1", count="x"),
    ]
    assert refused(primitive("PciDevicePoolList", "1.1", objects=pools)).details["path"] == (
        "objects[1].count"
    )


def test_odd_changes_are_dropped() -> None:
    source = primitive("PciDevicePool", "1.1", count=1) | {"nova_object.changes": ["count", "x"]}
    assert PciDevicePool.from_primitive(source).changed_fields() == {"count"}
    oddities: tuple[Any, ...] = ("count", None, [3], [[]], [{}], {"count": 1})
    for odd in oddities:
        error = refused(source | {"nova_object.changes": odd})
        assert error.details["path"].startswith("nova_object.changes")
