"""Texts in columns of `compute_nodes` and `pci_devices`: every format since Juno is read.

What is written is what the release that the fleet is pinned to can read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

import orjson

from innkeeper.errors import BadPrimitive, BadRequest
from innkeeper.objects.cpu_spec import format_cpu_list, parse_cpu_spec
from innkeeper.objects.hv_spec import HVSpec
from innkeeper.objects.numa import NUMACell, NUMATopology
from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList
from innkeeper.objects.reading import check_size, parsed
from innkeeper.objects.releases import is_before, pin
from innkeeper.objects.values import OBJECT_NAME, OBJECT_NAMESPACE


def read_pools(text: str | None) -> PciDevicePoolList:
    """`pci_stats`: an object since Kilo, before it a list of flat dicts, or a single one.

    Null, empty or broken text is no pools, as in every release.

    Raises:
        IncompatibleObject: an object that is too new.
        BadPrimitive: a pool without product, vendor or count, or with a tag that is no text.
    """
    value = _parsed_or_null(text)
    if isinstance(value, dict) and OBJECT_NAMESPACE in value:
        return PciDevicePoolList.from_primitive(value)
    if isinstance(value, dict):
        value = [value] if value else []
    if not isinstance(value, list):
        return PciDevicePoolList()
    return (
        PciDevicePoolList(objects=tuple(_flat_pool(one) for one in value))
        if value
        else PciDevicePoolList()
    )


def _flat_pool(value: object) -> PciDevicePool:
    if not isinstance(value, dict):
        raise BadPrimitive("a pool is not an object", path="")
    return PciDevicePool.from_flat(value)


def _parsed_or_null(text: str | None) -> Any:
    if not text:
        return None
    check_size(text)
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def write_pools(pools: PciDevicePoolList | None, release: str) -> str | None:
    """`pci_stats`; before Kilo pools of all cells were one, so `numa_node` is not told apart."""
    if pools is None:
        return None
    if is_before(release, "kilo"):
        return json.dumps(_without_cells(pools.objects))
    return _object_text(pools, release)


def _without_cells(pools: Iterable[PciDevicePool]) -> list[dict[str, Any]]:
    merged: dict[str, dict[str, Any]] = {}
    for pool in pools:
        flat = pool.to_flat()
        flat.pop("numa_node", None)
        key = json.dumps({**flat, "count": 0}, sort_keys=True)
        count = merged[key]["count"] if key in merged else 0
        merged[key] = flat | {"count": flat["count"] + count}
    return list(merged.values())


def _object_text(value: PciDevicePoolList | NUMATopology, release: str) -> str:
    """Clean: what is stored is not a change of anything."""
    clean = value.clone()
    clean.reset_changes(recursive=True)
    return clean.to_json(manifest=pin(release)).decode()


def read_topology(text: str | None) -> NUMATopology | None:
    """`numa_topology`: an object since Kilo, before it a dict; null or empty is a host without cells.

    Raises:
        IncompatibleObject: an object that is too new.
        BadPrimitive: neither, with the path of what is wrong.
    """
    if not text:
        return None
    value = parsed(text)
    if isinstance(value, dict) and OBJECT_NAME in value:
        return NUMATopology.from_primitive(value)
    return NUMATopology(cells=tuple(_cell(one) for one in cells_of(value)))


def cells_of(value: object) -> list[Any]:
    """The cells of a topology as Juno wrote it."""
    cells = value.get("cells", []) if isinstance(value, dict) else None
    if not isinstance(cells, list):
        raise BadPrimitive("a topology is neither an object nor a dict with cells", path="cells")
    return cells


def _cell(value: object) -> NUMACell:
    if not isinstance(value, dict):
        raise BadPrimitive("a cell is not an object", path="cells")
    memory = memory_of(value)
    return NUMACell.of_data(
        {
            "id": value.get("id"),
            "cpuset": cpus_of(value),
            "memory": memory.get("total", 0),
            "cpu_usage": value.get("cpu_usage", 0),
            "memory_usage": memory.get("used", 0),
            "mempages": [],
            "pinned_cpus": [],
            "siblings": [],
        }
    )


def cpus_of(cell: Mapping[str, Any]) -> list[int]:
    """The CPUs of a cell as Juno wrote it."""
    text = cell.get("cpus", "")
    try:
        return sorted(parse_cpu_spec(text if isinstance(text, str) else repr(text)))
    except BadRequest as error:
        raise BadPrimitive(error.message, path="cells.cpus") from None


def memory_of(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """The memory of a cell as Juno wrote it, in MiB."""
    memory = cell.get("mem", {})
    if not isinstance(memory, dict):
        raise BadPrimitive("the memory of a cell is not an object", path="cells.mem")
    return memory


def write_topology(topology: NUMATopology | None, release: str) -> str | None:
    """`numa_topology`; before Kilo a cell had one set of CPUs and no pages."""
    if topology is None:
        return None
    if is_before(release, "kilo"):
        return json.dumps({"cells": [_legacy_cell(one) for one in topology.cells]})
    return _object_text(topology, release)


def _legacy_cell(cell: NUMACell) -> dict[str, Any]:
    cpus = cell.cpuset | (cell.pcpuset if cell.is_set("pcpuset") else frozenset())
    return {
        "id": cell.id,
        "cpus": format_cpu_list(cpus),
        "mem": {"total": cell.memory, "used": cell.memory_usage},
        "cpu_usage": cell.cpu_usage,
    }


def read_hv_specs(text: str | None) -> tuple[HVSpec, ...] | None:
    """`supported_instances`: triples of architecture, hypervisor and mode; null is unknown.

    Raises:
        BadPrimitive: not triples, or an unknown word.
    """
    if not text:
        return None
    value = parsed(text)
    if not isinstance(value, list):
        raise BadPrimitive("the supported instances are not a list", path="")
    return tuple(_hv_spec(one) for one in value)


def _hv_spec(value: object) -> HVSpec:
    if not isinstance(value, list) or len(value) < 3:
        raise BadPrimitive("not a triple of architecture, hypervisor and mode", path="")
    arch, hv_type, vm_mode = value[:3]
    return HVSpec.of_data({"arch": arch, "hv_type": hv_type, "vm_mode": vm_mode})


def write_hv_specs(specs: Iterable[HVSpec]) -> str:
    """`supported_instances`."""
    return json.dumps([[one.arch, one.hv_type, one.vm_mode] for one in specs])


def read_stats(text: str | None) -> dict[str, str | None] | None:
    """`stats`: counters, written as numbers or as texts; null or empty is unknown.

    Raises:
        BadPrimitive: not a JSON object of texts and numbers.
    """
    return None if not text else dict(_strings(text, "stats"))


def _strings(text: str, name: str) -> Mapping[str, str | None]:
    value = parsed(text)
    if not isinstance(value, dict):
        raise BadPrimitive(f"{name} is not a JSON object", path=name)
    return PciDevicePool.of_data({"tags": value}).tags


def write_stats(stats: Mapping[str, str | None]) -> str:
    """`stats`."""
    return json.dumps(dict(stats))


def read_extra_info(text: str | None) -> dict[str, str]:
    """`extra_info` of a device; null and empty are nothing, though Nova trips over them.

    Raises:
        BadPrimitive: not a JSON object of texts and numbers.
    """
    return (
        {}
        if not text
        else {key: value or "" for key, value in _strings(text, "extra_info").items()}
    )


def write_extra_info(extra_info: Mapping[str, str]) -> str:
    """`extra_info` of a device: never null, which no release can read."""
    # One of each of thousands of devices: the same text as `json.dumps` makes, which takes longer.
    pairs = [f"{_quoted(key)}: {_quoted(value)}" for key, value in extra_info.items()]
    return f"{{{', '.join(pairs)}}}"
