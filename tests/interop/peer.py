"""Runs in the environment of Nova: one JSON request a line, one JSON answer a line.

`{"do": "read", "primitive": P, "manifest": M or null}` reads P with Nova's own classes and writes it again.
`{"do": "make", "name": N, "seed": I, "manifests": [M, ...]}` makes an object of class N and writes it, also for
each manifest. An answer is `{"primitive", "backports"}` or `{"error"}`.
`{"do": "devices", "rows": [R, ...], "specs": [S, ...], "pci_stats": T, "asked": [P, ...]}` reads rows of `pci_devices`, and the
pools of a node, as a compute and a scheduler do, and tells the pools that it makes of the rows, those that it reads, and for
each P, an `InstancePCIRequests`, whether compute and scheduler say that it fits.
`{"do": "cells", "host": T, "guests": [T, ...], "limits": [C, R], "asked": [P, ...]}` reads the cells of a host and of its guests, as
they are in the tables, and tells the cells that it makes of the empty host and the guests, those that are left when all guests
go, and for each P, an `InstanceNUMATopology`, whether it fits within these ratios of vCPUs and memory.
`{"do": "host", "database": P, "host": H, "node": N, "binary": B}` reads a node and a service from a database as Nova does, and tells
what a scheduler goes by, and whether the service is up.
`{"do": "count", "database": P, "host": H, "specs": [S, ...], "instances": [U, ...]}` counts a host's instances and moves as an audit
of Nova's tracker does, and tells what its objects read of these instances; see `nova_counting.py`.
"""

from __future__ import annotations

import datetime
import functools
import json
import os
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
warnings.simplefilter("ignore")

import nova.conf  # noqa: E402
from nova import context, exception, objects  # noqa: E402
from nova.db.main import api  # noqa: E402
from nova.objects import base, fields  # noqa: E402
from nova.pci.stats import PciDeviceStats  # noqa: E402
from nova.pci.whitelist import Whitelist  # noqa: E402
from nova.servicegroup.drivers.db import DbDriver  # noqa: E402
from nova.virt.hardware import (  # noqa: E402
    numa_fit_instance_to_host,
    numa_usage_from_instance_numa,
)
from nova_counting import count  # noqa: E402

TEXTS = ["", "a", "0000:81:00.0", "é計", "x" * 40]
UUID = "11111111-2222-4333-8444-555555555555"
CONF = nova.conf.CONF
NO_COMPUTE_HOST = exception.ComputeHostNotFound


def make(name: str, chance: random.Random, depth: int = 0) -> Any:
    """An object with most of its fields set, by the types that Nova itself declares."""
    kind = getattr(objects, name)
    made = kind()
    for field_name, field in sorted(kind.fields.items()):
        if field_name == "version" and name == "Service":
            continue
        if chance.random() < 0.85:
            setattr(made, field_name, value_of(field, chance, depth))
    if chance.random() < 0.5:
        made.obj_reset_changes()
    return made


def value_of(field: Any, chance: random.Random, depth: int) -> Any:
    if field.nullable and chance.random() < 0.2:
        return None
    kind = type(field).__name__
    if isinstance(field, fields.ObjectField):
        return make(field._type._obj_name, chance, depth + 1)
    if isinstance(field, fields.ListOfObjectsField):
        inner = field._type._element_type._type._obj_name
        return [make(inner, chance, depth + 1) for _ in range(chance.randrange(3))]
    values = getattr(field, "valid_values", None)
    if values:
        return chance.choice(list(values))
    return MAKERS[kind](chance)


def text(chance: random.Random) -> str:
    return chance.choice(TEXTS)


def number(chance: random.Random) -> int:
    return chance.choice([0, 1, -1, 5, 2**31, 2**63 - 1])


def cpus(chance: random.Random) -> set[int]:
    return set(chance.sample(range(64), chance.randrange(5)))


MAKERS: dict[str, Callable[[random.Random], Any]] = {
    "IntegerField": number,
    "FloatField": lambda chance: chance.choice([0.0, 1.5, 16.0]),
    "BooleanField": lambda chance: chance.random() < 0.5,
    "FlexibleBooleanField": lambda chance: chance.random() < 0.5,
    "StringField": text,
    "NetworkModelField": lambda chance: None,
    "ResourceClassField": lambda chance: "VCPU",
    "UUIDField": lambda chance: f"{chance.randrange(16**8):08x}-2222-4333-8444-555555555555",
    "DateTimeField": lambda chance: datetime.datetime(
        2015, 10, 16, chance.randrange(24), 0, 13, tzinfo=datetime.UTC
    ),
    "IPAddressField": lambda chance: chance.choice(["192.0.2.1", "2001:db8::1"]),
    "IPV4AddressField": lambda chance: "192.0.2.1",
    "IPV6AddressField": lambda chance: "2001:db8::1",
    "DictOfStringsField": lambda chance: dict.fromkeys("abc"[: chance.randrange(4)], "v"),
    "DictOfNullableStringsField": lambda chance: dict.fromkeys("abc"[: chance.randrange(4)]),
    "DictOfIntegersField": lambda chance: {str(cpu): cpu for cpu in cpus(chance)},
    "ListOfStringsField": lambda chance: TEXTS[: chance.randrange(4)],
    "ListOfIntegersField": lambda chance: sorted(cpus(chance)),
    "ListOfDictOfNullableStringsField": lambda chance: [{"vendor_id": "8086", "x": None}],
    "SetOfIntegersField": cpus,
    "SetOfStringsField": lambda chance: set(TEXTS[: chance.randrange(4)]),
    "ListOfSetsOfIntegersField": lambda chance: [cpus(chance)],
    "VersionPredicateField": lambda chance: ">=1.0",
}


def read(asked: dict[str, Any]) -> dict[str, Any]:
    made = base.NovaObject.obj_from_primitive(asked["primitive"])
    return {"primitive": made.obj_to_primitive()}


def create(asked: dict[str, Any]) -> dict[str, Any]:
    made = make(asked["name"], random.Random(asked["seed"]))
    backports = [backport(made, manifest) for manifest in asked["manifests"]]
    return {"primitive": made.obj_to_primitive(), "backports": backports}


def backport(made: Any, manifest: dict[str, str]) -> Any:
    try:
        return made.obj_to_primitive(manifest[made.obj_name()], manifest)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def devices(asked: dict[str, Any]) -> dict[str, Any]:
    CONF.set_override("device_spec", [json.dumps(one) for one in asked["specs"]], group="pci")
    rows = [device_of(row) for row in asked["rows"]]
    cells = objects.NUMATopology(cells=[])
    compute = PciDeviceStats(cells, dev_filter=Whitelist(CONF.pci.device_spec))
    for one in sorted(rows, key=lambda one: one.address):
        if one.status == "available":
            compute.add_device(one)
    told = objects.pci_device_pool.from_pci_stats(asked["pci_stats"])
    scheduler = PciDeviceStats(cells, stats=told)
    return {
        "devices": objects.PciDeviceList(objects=rows).obj_to_primitive(),
        "made": [pool.to_dict() for pool in compute.to_device_pools_obj()],
        "told": scheduler.pools,
        "fits": [[fits(one, stats) for stats in (compute, scheduler)] for one in asked["asked"]],
    }


def device_of(row: dict[str, Any]) -> Any:
    return objects.PciDevice._from_db_object(None, objects.PciDevice(), row)


def fits(primitive: Any, stats: Any) -> bool:
    requests = base.NovaObject.obj_from_primitive(primitive).requests
    return bool(stats.support_requests(requests, provider_mapping=None))


def cells(asked: dict[str, Any]) -> dict[str, Any]:
    told = objects.NUMATopology.obj_from_db_obj(asked["host"])
    guests = [
        objects.InstanceNUMATopology.obj_from_db_obj(None, UUID, text) for text in asked["guests"]
    ]
    made, left = emptied(told), told
    for guest in guests:
        made = numa_usage_from_instance_numa(made, guest)
        left = numa_usage_from_instance_numa(left, guest, free=True)
    cpu_ratio, memory_ratio = asked["limits"]
    limits = objects.NUMATopologyLimits(
        cpu_allocation_ratio=cpu_ratio, ram_allocation_ratio=memory_ratio
    )
    return {
        "told": cells_of(told),
        "made": cells_of(made),
        "left": cells_of(left),
        "empty": cells_of(emptied(told)),
        "fits": [fits_cells(told, one, limits) for one in asked["asked"]],
    }


def emptied(host: Any) -> Any:
    empty = host.obj_clone()
    for cell in empty.cells:
        cell.cpu_usage = cell.memory_usage = 0
        cell.pinned_cpus = set()
        for pages in cell.mempages:
            pages.used = 0
    return empty


def cells_of(host: Any) -> Any:
    """Everything of each cell; sets as sorted lists."""
    return [
        {
            "id": cell.id,
            "cpuset": sorted(cell.cpuset),
            "pcpuset": sorted(cell.pcpuset),
            "memory": cell.memory,
            "cpu_usage": cell.cpu_usage,
            "memory_usage": cell.memory_usage,
            "pinned_cpus": sorted(cell.pinned_cpus),
            "siblings": [sorted(core) for core in cell.siblings],
            "mempages": [[one.size_kb, one.total, one.used, one.reserved] for one in cell.mempages],
            "socket": cell.socket,
        }
        for cell in host.cells
    ]


def fits_cells(host: Any, primitive: Any, limits: Any) -> bool:
    guest = base.NovaObject.obj_from_primitive(primitive)
    return bool(numa_fit_instance_to_host(host.obj_clone(), guest, {}, limits))


@functools.cache
def configure(database: str) -> None:
    """Nova has one database in a process."""
    CONF.set_override("connection", f"sqlite:///{database}", group="database")
    api.configure(CONF)


def host_of(asked: dict[str, Any]) -> dict[str, Any]:
    configure(asked["database"])
    admin = context.get_admin_context()
    node = objects.ComputeNode.get_by_host_and_nodename(admin, asked["host"], asked["node"])
    service = objects.Service.get_by_args(admin, asked["host"], asked["binary"])
    return {
        "uuid": node.uuid,
        "stats": node.stats,
        "metrics": node.metrics,
        "running_vms": node.running_vms,
        "ratios": [getattr(node, f"{name}_allocation_ratio") for name in ("cpu", "ram", "disk")],
        "pools": len(node.pci_device_pools),
        "up": DbDriver().is_up(service),
        "service": [service.version, service.report_count, service.disabled, service.forced_down],
    }


def nobody(*_args: Any, **_kwargs: Any) -> Any:
    """No service and no compute node is known, so that writing for old readers needs no database."""
    raise NO_COMPUTE_HOST(host="anybody")


def counted(asked: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = count(asked, emptied, cells_of)
    return answer


ANSWERS = {
    "read": read,
    "make": create,
    "devices": devices,
    "cells": cells,
    "count": counted,
    "host": host_of,
}


def main() -> None:
    objects.register_all()
    objects.Service.get_by_compute_host = nobody
    objects.ComputeNodeList.get_all_by_host = nobody
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = ANSWERS[asked["do"]](asked)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer, default=list) + "\n")
        sys.stdout.flush()


main()
