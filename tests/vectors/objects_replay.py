"""Replay of objects written at a version: what Nova made of the same object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

from tests.vectors.canonical import (
    DATA,
    LENSES,
    NAME,
    VERSION,
    Lens,
    comparable,
    without_looked_up_nodes,
    without_objects_at_any_level,
    without_objects_inside,
)
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, UNREPLAYED, Verdict

from innkeeper.errors import BadPrimitive, InnkeeperError, NoBackport
from innkeeper.objects import ComputeNode, VersionedObject


class RecordedLookup:
    """The records that stood behind the recorded answers."""

    def service_id(self, host: str) -> int | None:
        return 77 if host == "known-host" else None

    def compute_node(self, host: str) -> ComputeNode | None:
        return ComputeNode.from_primitive(_NODE) if host == "with-node" else None


def _object(name: str, version: str, **data: Any) -> dict[str, Any]:
    return {
        NAME: name,
        "nova_object.namespace": "nova",
        VERSION: version,
        DATA: data,
    }


_NODE = _object(
    "ComputeNode",
    "1.19",
    id=31,
    service_id=9,
    host="with-node",
    hypervisor_hostname="node31",
    hypervisor_type="QEMU",
    hypervisor_version=1002003,
    host_ip="192.0.2.32",
    vcpus=8,
    vcpus_used=2,
    memory_mb=16384,
    memory_mb_used=2560,
    free_ram_mb=13824,
    local_gb=200,
    local_gb_used=21,
    free_disk_gb=179,
    disk_available_least=170,
    current_workload=0,
    running_vms=2,
    cpu_info='{"arch": "x86_64"}',
    metrics="[]",
    numa_topology=None,
    stats={"io_workload": "0", "num_instances": "2"},
    supported_hv_specs=[_object("HVSpec", "1.2", arch="x86_64", hv_type="kvm", vm_mode="hvm")],
    pci_device_pools=_object("PciDevicePoolList", "1.1", objects=[]),
    cpu_allocation_ratio=16.0,
    ram_allocation_ratio=1.5,
    disk_allocation_ratio=1.0,
    uuid="5f0c9e3c-0000-4000-8000-00000000001f",
    mapped=1,
)


Sources = dict[tuple[Any, ...], list[Any]]


def key_of(row: Row) -> tuple[Any, ...]:
    """What the rows of one object have in common."""
    return row["object"], row.get("writer"), row.get("case"), row["desc"]


def sources_in(rows: Iterable[Row]) -> Sources:
    """The objects that rows start from: each as it was written at its own version."""
    sources: Sources = {}
    for row in rows:
        if row.get("method") == "current":
            sources.setdefault(key_of(row), []).append(row["primitive"])
    return sources


def judge(row: Row, sources: Sources) -> Verdict:
    """What innkeeper makes of a row.

    A row whose object was not recorded is read and written again at the version it has.
    """
    known = sources.get(key_of(row), [])
    if row.get("case") is None:
        known = [
            one for one in known if "primitive" in row and _of_one_object(one, row["primitive"])
        ]
    if known:
        return min((_judge(row, one) for one in known), key=_badness)
    if "primitive" in row:
        return _judge(row | {"method": "current"}, row["primitive"])
    return UNREPLAYED, "its object was not recorded"


def _badness(verdict: Verdict) -> int:
    return {SAME: 0, DIFFERENT: 2}.get(verdict[0], 1)


def _of_one_object(source: Any, written: Any) -> bool:
    """Old recordings do not number their cases: plain fields tell whether two rows go together."""
    left, right = source[DATA], written[DATA]
    common = [name for name in left if name in right and name != "service_id"]
    return all(_plain(left[name]) == _plain(right[name]) for name in common)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("ascii", "replace")
    return None if isinstance(value, dict | list) else value


def _judge(row: Row, source: Any) -> Verdict:
    if row["method"] == "roundtrip":
        return _judge_roundtrip(row, source)
    try:
        ours: Any = _written(row, source)
    except InnkeeperError as error:
        return _judge_refusal(row, source, error)
    if "error" in row:
        return _judge_answer_to_refusal(row, ours)
    return compared(ours, row["primitive"], _lenses_for(row))


def _written(row: Row, source: Any) -> Any:
    read = VersionedObject.from_primitive(source)
    if row["method"] == "current":
        return read.to_primitive()
    return read.to_primitive(row["version"], row.get("manifest"), RecordedLookup())


def _judge_roundtrip(row: Row, source: Any) -> Verdict:
    try:
        again = VersionedObject.from_primitive(source).to_primitive()
    except BadPrimitive as error:
        return (SAME, "") if "error" in row else (DIFFERENT, error.message)
    if "error" in row:
        return DIFFERENT, "Nova cannot read this"
    if not row["changes_same"] and comparable(again) == comparable(source):
        return "clean-stays-clean", ""
    return compared(again, source)


def _judge_refusal(row: Row, source: Any, error: InnkeeperError) -> Verdict:
    if isinstance(error, NoBackport):
        return (SAME, "") if "error" in row else ("refused-values", error.message)
    if isinstance(error, BadPrimitive) and "UTC+" in str(source):
        return "zone-name", error.message
    return DIFFERENT, f"{error.code}: {error.message}"


def _judge_answer_to_refusal(row: Row, ours: Any) -> Verdict:
    if row["method"] == "target" and "No rule for" in row["error"]["message"]:
        again = VersionedObject.from_primitive(ours).to_primitive()
        if ours[VERSION] == row["version"] and comparable(again) == comparable(ours):
            return "bare-target", ""
    return DIFFERENT, f"Nova answers {row['error']}"


def _lenses_for(row: Row) -> dict[str, Lens]:
    """Differences that can only be there in some rows."""
    lenses: dict[str, Lens] = {}
    if row["method"] == "target":
        lenses["bare-target"] = without_objects_inside
    if row.get("writer") == "liberty" and row["object"].startswith("Instance"):
        lenses["manifest-honoured"] = without_objects_at_any_level
    if "lookup" in row["desc"]:
        lenses["other-records"] = without_looked_up_nodes
    return lenses


def compared(ours: Any, theirs: Any, more: Mapping[str, Lens] | None = None) -> Verdict:
    """Equal, equal but for documented differences, or not."""
    ours, theirs = comparable(ours), comparable(theirs)
    if ours == theirs:
        return SAME, ""
    lenses = LENSES | dict(more or {})
    for count in range(1, len(lenses) + 1):
        for names in combinations(lenses, count):
            left, right = ours, theirs
            for one in names:
                left, right = lenses[one](left), lenses[one](right)
            if left == right:
                return "+".join(names), ""
    return DIFFERENT, "\n".join(first_differences(ours, theirs))


def first_differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two values differ, at most five places."""
    if type(ours) is type(theirs) and isinstance(ours, dict):
        keys = sorted({*ours, *theirs}, key=str)
        inner = (
            first_differences(ours.get(k, "-"), theirs.get(k, "-"), f"{path}.{k}") for k in keys
        )
        return [line for lines in inner for line in lines][:5]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        inner = (first_differences(a, b, f"{path}[{i}]") for i, (a, b) in pairs)
        return [line for lines in inner for line in lines][:5]
    if ours == theirs:
        return []
    return [f"{path}: ours {str(ours)[:150]}, Nova's {str(theirs)[:150]}"]
