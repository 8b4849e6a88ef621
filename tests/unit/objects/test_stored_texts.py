"""Texts in columns: every format is read, and what is written is what the pinned release reads."""

from __future__ import annotations

import json

import pytest

from innkeeper.errors import BadPrimitive, BadRequest, IncompatibleObject, UnknownRelease
from innkeeper.objects import (
    Flavor,
    HVSpec,
    InstanceNUMACell,
    InstanceNUMATopology,
    InstancePCIRequest,
    InstancePCIRequests,
    MigrationContext,
    NUMACell,
    NUMAPagesTopology,
    NUMATopology,
    PciDevicePool,
    PciDevicePoolList,
    VirtCPUModel,
)
from innkeeper.objects import stored_guest as guest
from innkeeper.objects import stored_host as host
from innkeeper.objects.cpu_spec import MAX_CPU, format_cpu_list, format_cpu_spec, parse_cpu_spec
from innkeeper.objects.describe import known_classes
from innkeeper.objects.instance import flavor_metadata
from innkeeper.objects.releases import RELEASES, manifests, pin, release_named

UUID = "11111111-2222-4333-8444-555555555555"


def pool(cell: int | None, count: int = 1) -> PciDevicePool:
    tags = {"physical_network": "p"}
    return PciDevicePool(
        product_id="1520", vendor_id="8086", numa_node=cell, count=count, tags=tags
    )


POOLS = PciDevicePoolList(objects=(pool(0), pool(1, 2)))
HOST = NUMATopology(
    cells=(
        NUMACell(
            id=0,
            cpuset=frozenset((0, 1)),
            pcpuset=frozenset((2, 3)),
            memory=1024,
            memory_usage=128,
            cpu_usage=1,
            pinned_cpus=frozenset((2,)),
            siblings=(frozenset((0, 1)),),
            mempages=(NUMAPagesTopology(size_kb=4, total=10, used=1, reserved=2),),
            socket=0,
        ),
    )
)
GUEST = InstanceNUMATopology(
    instance_uuid=UUID,
    cells=(
        InstanceNUMACell(
            id=1,
            cpuset=frozenset(),
            pcpuset=frozenset((0, 1)),
            memory=512,
            pagesize=2048,
            cpu_policy="dedicated",
            cpu_pinning_raw={"0": 4, "1": 5},
        ),
    ),
)


@pytest.mark.parametrize("release", RELEASES)
def test_pools_come_back_from_every_release(release: str) -> None:
    again = host.read_pools(host.write_pools(POOLS, release))
    assert sum(one.count for one in again.objects) == 3
    assert {one.tags["physical_network"] for one in again.objects} == {"p"}
    cells = [one.numa_node for one in again.objects]
    assert cells == ([None] if release == "juno" else [0, 1])


def test_an_empty_list_of_pools_empties_the_column() -> None:
    assert host.write_pools(PciDevicePoolList(), "juno") == "[]"
    assert json.loads(host.write_pools(PciDevicePoolList(), "liberty") or "")[
        "nova_object.data"
    ] == {"objects": []}
    assert host.write_pools(None, "liberty") is None


@pytest.mark.parametrize("text", [None, "", "null", "[]", "{}", "{", '"x"', "3", "nonsense"])
def test_no_pools(text: str | None) -> None:
    assert host.read_pools(text) == PciDevicePoolList()


@pytest.mark.parametrize(
    "text",
    [
        '[{"vendor_id": "8086", "product_id": "1520"}]',
        '[{"count": 1, "vendor_id": "8086", "product_id": "1520", "extra_info": {"a": "b"}}]',
        "[3]",
        '[{"count": "many", "vendor_id": "8086", "product_id": "1520"}]',
    ],
)
def test_pools_that_cannot_be_counted(text: str) -> None:
    with pytest.raises(BadPrimitive):
        host.read_pools(text)


def test_pools_that_are_too_new() -> None:
    text = (host.write_pools(POOLS, "2026.2") or "").replace('"1.1"', '"1.2"', 1)
    with pytest.raises(IncompatibleObject):
        host.read_pools(text)


@pytest.mark.parametrize("release", RELEASES)
def test_host_cells_come_back_from_every_release(release: str) -> None:
    again = host.read_topology(host.write_topology(HOST, release))
    assert again is not None
    cell = again.cells[0]
    assert (cell.id, cell.memory, cell.memory_usage, cell.cpu_usage) == (0, 1024, 128, 1)
    if release == "juno":
        assert cell.cpuset == {0, 1, 2, 3}
    else:
        assert cell.cpuset == {0, 1}
        assert cell.mempages[0].total == 10
        assert cell.object_version == pin(release)["NUMACell"]


@pytest.mark.parametrize("text", [None, ""])
def test_no_host_cells(text: str | None) -> None:
    assert host.read_topology(text) is None
    assert host.write_topology(None, "juno") is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{", ""),
        ("[]", "cells"),
        ('{"cells": 3}', "cells"),
        ('{"cells": [3]}', "cells"),
        ('{"cells": [{"cpus": "0-"}]}', "cells.cpus"),
        ('{"cells": [{"cpus": [0]}]}', "cells.cpus"),
        ('{"cells": [{"mem": 3}]}', "cells.mem"),
        ('{"cells": [{"id": null}]}', "id"),
    ],
)
def test_broken_host_cells(text: str, path: str) -> None:
    with pytest.raises(BadPrimitive) as caught:
        host.read_topology(text)
    assert caught.value.details["path"] == path


@pytest.mark.parametrize("release", RELEASES)
def test_guest_cells_come_back_from_every_release(release: str) -> None:
    text = guest.write_instance_topology(GUEST, release)
    again = guest.read_instance_topology(text, UUID)
    assert again is not None
    cell = again.cells[0]
    assert (again.instance_uuid, cell.id, cell.memory) == (UUID, 1, 512)
    has_own_set = cell.is_set("pcpuset") and bool(cell.pcpuset)
    assert (cell.pcpuset if has_own_set else cell.cpuset) == {0, 1}
    assert has_own_set == (RELEASES.index(release) >= RELEASES.index("ocata"))
    if release != "juno":
        assert cell.cpu_pinning == {0: 4, 1: 5}


def test_requests_keep_what_a_release_knows() -> None:
    request = InstancePCIRequest(
        count=1,
        spec=({"vendor_id": "8086"},),
        alias_name="nic",
        is_new=True,
        request_id=None,
        numa_policy="required",
        requester_id="r",
    )
    requests = InstancePCIRequests(instance_uuid=UUID, requests=(request,))
    for release, keys in (("juno", 5), ("queens", 6), ("stein", 7)):
        text = guest.write_pci_requests(requests, release)
        assert len(json.loads(text)[0]) == keys
        again = guest.read_pci_requests(text, UUID)
        assert again.requests[0].is_new
        assert again.requests[0].numa_policy == ("legacy" if keys == 5 else "required")
        assert not again.changed_fields()


@pytest.mark.parametrize("text", ["", "{", "{}", "[3]", '[{"count": 1, "spec": []}]'])
def test_broken_requests(text: str) -> None:
    with pytest.raises(BadPrimitive):
        guest.read_pci_requests(text, UUID)


@pytest.mark.parametrize("release", ["kilo", "queens", "2026.2"])
def test_flavors_come_back(release: str) -> None:
    flavor = Flavor(id=1, flavorid="1", vcpus=2, description="d", disabled=False, is_public=True)
    text = guest.write_flavors(guest.Flavors(flavor, None, flavor), release)
    again = guest.read_flavors(text)
    assert again.old is None
    assert again.current.vcpus == 2
    assert again.new == again.current
    assert again.current.__dict__.get("description") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cur": null, "old": null, "new": null}'])
def test_broken_flavors(text: str) -> None:
    with pytest.raises(BadPrimitive):
        guest.read_flavors(text)


def test_flavors_in_system_metadata() -> None:
    flavor = Flavor(
        id=5, name="m", memory_mb=1, vcpus=2, root_gb=3, ephemeral_gb=0, flavorid="f", swap=0,
        rxtx_factor=1.5, vcpu_weight=None, extra_specs={"hw:numa_cpus.0": "0", "other": "x"},
    )  # fmt: skip
    texts = {
        key: None if value is None else str(value)
        for key, value in flavor_metadata(flavor, "old_").items()
    }
    again = guest.read_flavor_metadata(texts, "old_")
    assert again is not None
    assert again.rxtx_factor == 1.5
    assert again.vcpu_weight is None
    assert again.extra_specs == {"hw:numa_cpus.0": "0"}
    assert guest.read_flavor_metadata(texts) is None
    again = guest.read_flavor_metadata(texts | {"old_instance_type_swap": None}, "old_")
    assert again is not None
    assert again.swap == 0
    with pytest.raises(BadPrimitive):
        guest.read_flavor_metadata(texts | {"old_instance_type_vcpus": "many"}, "old_")


def test_objects_that_a_release_does_not_have_are_null() -> None:
    context = MigrationContext(instance_uuid=UUID, migration_id=1, new_numa_topology=GUEST)
    assert guest.write_object(context, "kilo") is None
    again = guest.read_object(MigrationContext, guest.write_object(context, "liberty"))
    assert again is not None
    assert again.new_numa_topology is not None
    assert again.new_numa_topology.object_version == "1.2"
    assert guest.read_object(VirtCPUModel, None) is None


def test_small_columns() -> None:
    specs = (HVSpec(arch="x86_64", hv_type="kvm", vm_mode="hvm"),)
    assert host.read_hv_specs(host.write_hv_specs(specs)) == specs
    assert host.read_hv_specs(None) is None
    assert host.read_hv_specs("[]") == ()
    assert host.read_stats('{"a": 1, "b": null, "c": "x"}') == {"a": "1", "b": None, "c": "x"}
    assert host.read_stats(None) is None
    assert host.read_stats(host.write_stats({"a": "1"})) == {"a": "1"}
    assert host.read_extra_info(None) == {}
    assert host.read_extra_info(host.write_extra_info({"a": "b"})) == {"a": "b"}
    for extra in ({}, {"a": ""}, {"b": 'q"\\', "a\n\x7f": "\N{SNOWMAN}\N{GRINNING FACE}/"}):
        assert host.write_extra_info(extra) == json.dumps(extra)
    for broken in ("[]", "{", '{"a": {}}', "3"):
        with pytest.raises(BadPrimitive):
            host.read_extra_info(broken)
    for broken in ("{}", '[["x86_64", "kvm"]]', '[["z80", "kvm", "hvm"]]', "[3]"):
        with pytest.raises(BadPrimitive):
            host.read_hv_specs(broken)


def test_cpu_specs() -> None:
    assert parse_cpu_spec(" 0-3 ,^2,, 8") == {0, 1, 3, 8}
    assert parse_cpu_spec("^2-3, ^ 5 - 6,0-7,^0") == {1, 4, 7}
    assert format_cpu_spec((8, 0, 1, 3, 2)) == "0-3,8"
    assert format_cpu_list((2, 0)) == "0,2"
    for broken in ("3-1", "a", "1-", "-1", "1-2-3", f"{MAX_CPU + 1}", "0-999999999", "²", "1" * 30):
        with pytest.raises(BadRequest):
            parse_cpu_spec(broken)
    with pytest.raises(BadRequest):
        parse_cpu_spec("0," * 100_000)
    assert parse_cpu_spec("0-65535,^0-65535," * 2) == frozenset()
    with pytest.raises(BadRequest, match="names more than 262144 CPUs"):
        parse_cpu_spec("0-65535," * 4 + "^7")


def test_releases() -> None:
    assert release_named(" Liberty ") == "liberty"
    assert release_named("2026.1") == "gazpacho"
    with pytest.raises(UnknownRelease, match=r"known are juno, kilo, .*2026\.2"):
        pin("krypton")
    assert pin("juno")["ComputeNode"] == "1.5"
    assert "HVSpec" not in pin("juno")


def test_the_newest_release_has_the_newest_versions() -> None:
    ours = {kind.__name__: kind.VERSION for kind in known_classes() if kind.NAMESPACE == "nova"}
    assert dict(pin("2026.2")) == ours


def test_versions_only_rise_from_release_to_release() -> None:
    history = {kind.__name__: kind.SHAPES.versions for kind in known_classes()}
    for manifest, later in zip(
        list(manifests().values())[:-1], list(manifests().values())[1:], strict=True
    ):
        for name, version in manifest.items():
            order = history[name]
            if name != "ImageMetaProps":
                assert order.index(version) <= order.index(later[name])
