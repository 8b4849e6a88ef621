"""Texts in columns of `instance_extra` and in system metadata: every format since Juno is read.

What is written is what the release that the fleet is pinned to can read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import orjson

from innkeeper.errors import BadPrimitive
from innkeeper.objects.cpu_spec import format_cpu_list
from innkeeper.objects.flavor import Flavor
from innkeeper.objects.history import parse_version
from innkeeper.objects.instance import KEPT_EXTRA_SPECS
from innkeeper.objects.instance_numa import InstanceNUMACell, InstanceNUMATopology
from innkeeper.objects.nova import NovaObject
from innkeeper.objects.pci_request import InstancePCIRequest, InstancePCIRequests
from innkeeper.objects.reading import parsed
from innkeeper.objects.releases import is_before, pin
from innkeeper.objects.stored_host import cells_of, cpus_of, memory_of
from innkeeper.objects.values import OBJECT_NAME, Primitive

Stored = TypeVar("Stored", bound=NovaObject)


def read_object(kind: type[Stored], text: str | None) -> Stored | None:
    """`vcpu_model`, `migration_context` and others that were objects from the beginning.

    Raises:
        IncompatibleObject: too new.
        BadPrimitive: not such an object.
    """
    return kind.from_json(text) if text else None


def write_object(value: NovaObject | None, release: str) -> str | None:
    """Such an object as the release reads it; null where the release does not have the class."""
    if value is None or type(value).__name__ not in pin(release):
        return None
    return value.to_json(manifest=pin(release)).decode()


def read_instance_topology(text: str | None, instance_uuid: str) -> InstanceNUMATopology | None:
    """`numa_topology` of an instance: an object since Kilo, before it a dict.

    Cells of Train and Ussuri are brought to today's form, as Nova does: dedicated vCPUs are in
    `pcpuset`. Older cells stay as they are, without `pcpuset`.

    Raises:
        IncompatibleObject: an object that is too new.
        BadPrimitive: neither, with the path of what is wrong.
    """
    if not text:
        return None
    value = parsed(text)
    if not isinstance(value, dict) or OBJECT_NAME not in value:
        cells = tuple(_cell(one) for one in cells_of(value))
        return InstanceNUMATopology(instance_uuid=instance_uuid, cells=cells)
    topology = InstanceNUMATopology.from_primitive(value)
    if not topology.is_set("cells") or not any(_is_of_train(one) for one in topology.cells):
        return topology
    return _with_cells_of_today(topology)


def _cell(value: object) -> InstanceNUMACell:
    if not isinstance(value, dict):
        raise BadPrimitive("a cell is not an object", path="cells")
    return InstanceNUMACell.of_data(
        {
            "id": value.get("id"),
            "cpuset": cpus_of(value),
            "pcpuset": [],
            "memory": memory_of(value).get("total", 0),
            "pagesize": value.get("pagesize"),
        }
    )


def _is_of_train(cell: InstanceNUMACell) -> bool:
    return (1, 4) <= parse_version(cell.object_version) < (1, 6)


def _with_cells_of_today(topology: InstanceNUMATopology) -> InstanceNUMATopology:
    data = topology.to_primitive()
    for cell, one in zip(data["nova_object.data"]["cells"], topology.cells, strict=True):
        if _is_of_train(one):
            _bring_to_today(cell)
    data["nova_object.version"] = InstanceNUMATopology.VERSION
    return InstanceNUMATopology.from_primitive(data)


def _bring_to_today(cell: Primitive) -> None:
    data, changes = cell["nova_object.data"], set(cell.get("nova_object.changes", ()))
    cell["nova_object.version"] = InstanceNUMACell.VERSION
    if "pcpuset" in data:
        return
    changes.add("pcpuset")
    data["pcpuset"] = []
    if data.get("cpu_policy") == "dedicated":
        data["pcpuset"], data["cpuset"] = data["cpuset"], []
        changes.add("cpuset")
    cell["nova_object.changes"] = sorted(changes)


def write_instance_topology(topology: InstanceNUMATopology | None, release: str) -> str | None:
    """`numa_topology` of an instance; before Kilo a cell had vCPUs and memory only."""
    if topology is None:
        return None
    if is_before(release, "kilo"):
        return json.dumps({"cells": [_legacy_cell(one) for one in topology.cells]})
    return topology.to_json(manifest=pin(release)).decode()


def _legacy_cell(cell: InstanceNUMACell) -> dict[str, Any]:
    cpus = cell.cpuset | (cell.pcpuset if cell.is_set("pcpuset") else frozenset())
    return {"id": cell.id, "cpus": format_cpu_list(cpus), "mem": {"total": cell.memory}}


def read_pci_requests(text: str | None, instance_uuid: str) -> InstancePCIRequests:
    """`pci_requests`: a list of plain dicts in every release; null is none.

    Raises:
        BadPrimitive: not such a list; a request without `request_id` is older than Juno.
    """
    value = [] if text is None else parsed(text)
    if not isinstance(value, list):
        raise BadPrimitive("the PCI requests are not a list", path="")
    requests = tuple(_pci_request(one, ("count", "spec", "request_id")) for one in value)
    result = InstancePCIRequests(instance_uuid=instance_uuid, requests=requests)
    result.reset_changes(recursive=True)
    return result


def read_pci_requests_metadata(text: str, *, new: bool) -> tuple[InstancePCIRequest, ...]:
    """System metadata `pci_requests` and `new_pci_requests`, where they were before Juno."""
    value = parsed(text)
    if not isinstance(value, list):
        raise BadPrimitive("the PCI requests are not a list", path="")
    return tuple(_pci_request({**one, "is_new": new}, ("count", "spec")) for one in value)


def _pci_request(value: object, needed: tuple[str, ...]) -> InstancePCIRequest:
    if not isinstance(value, dict):
        raise BadPrimitive("a PCI request is not an object", path="")
    today = {"numa_policy": "legacy", "requester_id": None} if "request_id" in needed else {}
    return InstancePCIRequest.of_data(today | value, needed=needed)


def write_pci_requests(requests: InstancePCIRequests, release: str) -> str:
    """`pci_requests`."""
    names = ["count", "spec", "alias_name", "is_new", "request_id"]
    names += [] if is_before(release, "queens") else ["numa_policy"]
    names += [] if is_before(release, "stein") else ["requester_id"]
    written = [one.to_primitive()["nova_object.data"] for one in requests.requests]
    return json.dumps([{name: one.get(name) for name in names} for one in written])


class Flavors(NamedTuple):
    """The flavor of an instance, and those before and after an unconfirmed resize."""

    current: Flavor
    old: Flavor | None
    new: Flavor | None


def read_flavors(text: str) -> Flavors:
    """`flavor`: three objects under `cur`, `old` and `new`, since Kilo.

    Raises:
        BadPrimitive: a key is missing, or not a flavor.
    """
    value = parsed(text)
    for key in ("cur", "old", "new"):
        if not isinstance(value, dict) or key not in value:
            raise BadPrimitive(f"the stored flavors have no {key}", path=key)
    current = _flavor(value["cur"])
    if current is None:
        raise BadPrimitive("the current flavor is null", path="cur")
    return Flavors(current, _flavor(value["old"]), _flavor(value["new"]))


def _flavor(value: object) -> Flavor | None:
    if value is None:
        return None
    flavor = Flavor.from_primitive(value)
    for name, usual in (("disabled", False), ("is_public", True)):
        if not flavor.is_set(name):
            setattr(flavor, name, usual)
    return flavor


def write_flavors(flavors: Flavors, release: str) -> str:
    """`flavor`; a description is not kept with an instance."""
    texts = (_flavor_primitive(one, release) for one in flavors)
    return orjson.dumps(dict(zip(("cur", "old", "new"), texts, strict=True))).decode()


def _flavor_primitive(flavor: Flavor | None, release: str) -> Primitive | None:
    if flavor is None:
        return None
    primitive = flavor.to_primitive(manifest=pin(release))
    if "description" in primitive["nova_object.data"]:
        primitive["nova_object.data"]["description"] = None
    return primitive


_MAY_BE_NULL = ("name", "vcpu_weight", "rxtx_factor")


def read_flavor_metadata(metadata: Mapping[str, str | None], prefix: str = "") -> Flavor | None:
    """The flavor that Juno kept in an instance's system metadata; null when it is not there.

    A null number is 0, but for `vcpu_weight` and `rxtx_factor`.

    Raises:
        BadPrimitive: a number is none.
    """
    start = f"{prefix}instance_type_"
    found = {k.removeprefix(start): v for k, v in metadata.items() if k.startswith(start)}
    if "id" not in found:
        return None
    extra = {k.removeprefix("extra_"): v for k, v in found.items() if k.startswith("extra_")}
    data: dict[str, Any] = {
        name: 0 if value is None and name not in _MAY_BE_NULL else value
        for name, value in found.items()
        if not name.startswith("extra_")
    }
    kept = {name: value for name, value in extra.items() if name.startswith(KEPT_EXTRA_SPECS)}
    return Flavor.of_data({**data, "extra_specs": kept}, needed=("id", "flavorid", "vcpus"))
