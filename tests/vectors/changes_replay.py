"""Replay of change tracking and access rules: each recorded sentence as a scene of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.errors import ReadOnlyField, UnsetField
from innkeeper.objects import (
    ComputeNode,
    Flavor,
    HVSpec,
    Instance,
    Migration,
    NovaObject,
    PciDevice,
    PciDevicePool,
    PciDevicePoolList,
    Service,
)

Scene = Callable[[], Any]


def pool() -> PciDevicePool:
    return PciDevicePool(count=1, vendor_id="8086", product_id="1520", tags={})


def clean_pool() -> PciDevicePool:
    result = pool()
    result.reset_changes()
    return result


def changed(source: NovaObject) -> list[str]:
    return sorted(source.changed_fields())


def equal_value() -> list[str]:
    one = clean_pool()
    one.count = 1
    return changed(one)


def same_dict_back() -> list[str]:
    one = clean_pool()
    one.tags = one.tags
    return changed(one)


def reset_of_another() -> list[str]:
    one = clean_pool()
    one.tags = {}
    one.reset_changes(["count"])
    return changed(one)


def clone_keeps() -> list[str]:
    one = clean_pool()
    one.tags = {}
    return changed(one.clone())


def original_untouched() -> list[str]:
    one = clean_pool()
    one.tags = {}
    one.clone().reset_changes()
    return changed(one)


def dirty_child_of_list() -> list[str]:
    pools = PciDevicePoolList(objects=(pool(),))
    pools.reset_changes()
    return changed(pools)


def recursive_reset() -> list[str]:
    pools = PciDevicePoolList(objects=(pool(),))
    pools.reset_changes(recursive=True)
    return changed(pools)


def dirty_grandchild() -> list[str]:
    node = ComputeNode(pci_device_pools=PciDevicePoolList(objects=(clean_pool(),)))
    node.reset_changes(recursive=True)
    assert node.pci_device_pools is not None
    node.pci_device_pools.objects[0].count = 2
    return changed(node)


def dirty_element() -> list[str]:
    node = ComputeNode(supported_hv_specs=(HVSpec(arch="x86_64"),))
    node.reset_changes()
    return changed(node)


def reset_through_changed_fields() -> list[str]:
    spec = HVSpec(arch="x86_64")
    node = ComputeNode(
        supported_hv_specs=(spec,), pci_device_pools=PciDevicePoolList(objects=(pool(),))
    )
    node.reset_changes()
    node.reset_changes(recursive=True)
    assert changed(spec) == ["arch"]
    return changed(node)


def reset_of_one() -> list[str]:
    node = ComputeNode(vcpus=1)
    node.reset_changes(["vcpus"])
    return changed(node)


def null_is_a_change() -> list[str]:
    node = ComputeNode()
    node.numa_topology = None
    return changed(node)


def deleted_field() -> list[str]:
    node = ComputeNode(numa_topology=None)
    del node.numa_topology
    assert "nova_object.changes" not in node.to_primitive()
    assert not node.is_set("numa_topology")
    return changed(node)


def clean_flavor() -> Flavor:
    flavor = Flavor(extra_specs={"a": "b"})
    flavor.reset_changes()
    return flavor


def mutated(scene: Callable[[], Any], key: str) -> Scene:
    def play() -> str:
        try:
            scene()[key] = "v"
        except TypeError:
            return "refused"
        return "edited"

    return play


def unset(read: Callable[[], Any]) -> Scene:
    def play() -> str:
        try:
            read()
        except UnsetField:
            return "unset"
        return "read"

    return play


def read_only() -> str:
    node = ComputeNode(id=1)
    node.reset_changes()
    node.id = 1
    assert not changed(node)
    try:
        node.id = 2
    except ReadOnlyField:
        return "refused"
    return "changed"


#: sentence -> scene, and what it must show when that is not the recorded `what_changed`.
SCENES: dict[str, tuple[Scene, Any]] = {
    "constructor arguments are changes": (lambda: changed(pool()), None),
    "after reset": (lambda: changed(clean_pool()), None),
    "assigning an equal value still marks it": (equal_value, None),
    "assigning the same dict object back is seen": (same_dict_back, None),
    "reset of another field leaves it": (reset_of_another, None),
    "clone keeps the set of changes": (clone_keeps, None),
    "the original is not touched by the clone": (original_untouched, None),
    "list: parent reset, dirty child makes objects dirty": (dirty_child_of_list, None),
    "list: recursive reset cleans the child": (recursive_reset, None),
    "an empty list built without objects= is clean": (lambda: changed(PciDevicePoolList()), None),
    "an empty list built with objects=[] is dirty": (
        lambda: changed(PciDevicePoolList(objects=())),
        None,
    ),
    "object field: dirty grandchild is reported on the parent": (dirty_grandchild, None),
    "recursive reset goes through changed fields only": (reset_through_changed_fields, None),
    "list-of-objects field: dirty element is not reported": (dirty_element, None),
    "reset of one named field": (reset_of_one, None),
    "setting null is a change": (null_is_a_change, None),
    "deleting a field leaves its name among the changes": (deleted_field, None),
    "instance constructor": (
        lambda: changed(Instance(uuid="x", metadata={}, system_metadata={})),
        None,
    ),
    "flavor clean": (lambda: changed(clean_flavor()), None),
    "bare PciDevice": (lambda: changed(PciDevice()), None),
    "access: unset field, base class": (unset(lambda: ComputeNode().vcpus), "unset"),
    "access: unset field, Service orphan": (unset(lambda: Service().compute_node), "unset"),
    "access: unset field, Instance orphan": (unset(lambda: Instance().flavor), "unset"),
    "access: Instance without uuid": (unset(lambda: Instance().flavor), "unset"),
    "access: Flavor, not lazy": (unset(lambda: Flavor().name), "unset"),
    "access: Migration.status": (unset(lambda: Migration().status), "unset"),
    "access: Migration.migration_type": (
        lambda: Migration(old_instance_type_id=1, new_instance_type_id=2).kind_of_move,
        "resize",
    ),
    "access: read-only id changed": (read_only, "refused"),
    "access: read-only id same": (read_only, "refused"),
    "access: delete an unset field": (unset(lambda: ComputeNode().__delattr__("vcpus")), "unset"),
    "access: obj_set_defaults without default": (
        unset(lambda: ComputeNode().set_defaults("vcpus")),
        "unset",
    ),
}

#: sentence -> documented difference, the scene that shows it, and what it must show.
OTHERWISE: dict[str, tuple[str, Scene, Any]] = {
    "mutating a dict field in place is not seen": (
        "no-edits-in-place",
        mutated(lambda: pool().tags, "k"),
        "refused",
    ),
    "instance metadata mutated in place is seen": (
        "no-edits-in-place",
        mutated(lambda: Instance(metadata={}).metadata, "k"),
        "refused",
    ),
    "flavor hydrated from a clean primitive is dirty again": (
        "clean-stays-clean",
        lambda: changed(Flavor.from_primitive(clean_flavor().to_primitive())),
        [],
    ),
    "flavor clone of a clean flavor": (
        "clean-stays-clean",
        lambda: changed(clean_flavor().clone()),
        [],
    ),
    "service constructor always dirties version": (
        "no-defaults-on-read",
        lambda: changed(Service()),
        [],
    ),
    "service constructor refuses version": (
        "no-defaults-on-read",
        lambda: changed(Service(version=2)),
        ["version"],
    ),
    "PciDevice.extra_info read: default is set (and dirty)": (
        "no-defaults-on-read",
        unset(lambda: PciDevice().extra_info),
        "unset",
    ),
    "InstanceNUMACell constructor sets its defaults (dirty)": (
        "no-defaults-on-read",
        lambda: "shown by the object files",
        "shown by the object files",
    ),
    "access: Migration.hidden": (
        "no-defaults-on-read",
        unset(lambda: Migration().hidden),
        "unset",
    ),
}


def judge_change(row: Row) -> Verdict:
    """Play the scene of a sentence."""
    sentence = row["desc"]
    if sentence in OTHERWISE:
        name, scene, expected = OTHERWISE[sentence]
        shown = scene()
        return (name, "") if shown == expected else (DIFFERENT, f"{shown!r}, not {expected!r}")
    if sentence not in SCENES:
        return UNREPLAYED, "speaks of in-place edits, lazy loading or methods of Nova's objects"
    scene, expected = SCENES[sentence]
    shown = scene()
    wanted = row["what_changed"] if expected is None else expected
    return (SAME, "") if shown == wanted else (DIFFERENT, f"{shown!r}, not {wanted!r}")
