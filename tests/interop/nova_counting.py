"""Nova's resource tracker on a database that innkeeper wrote: what an audit of it would count."""

from __future__ import annotations

import json
from typing import Any

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.compute import resource_tracker
from nova.db.main import models
from nova.pci.manager import PciDevTracker
from oslo_db.sqlalchemy import enginefacade

CONF = nova.conf.CONF
ATTRS = ["system_metadata", "numa_topology", "flavor", "migration_context", "resources"]


def admin_context(database: str) -> Any:
    """A context of this database, with the tables that innkeeper does not keep."""
    manager = enginefacade.transaction_context()
    manager.configure(connection=f"sqlite:///{database}", sqlite_synchronous=False)
    models.BASE.metadata.create_all(manager.writer.get_engine())
    context = nova_context.get_admin_context()
    context.db_connection = manager
    return context


def count(asked: dict[str, Any], emptied: Any, cells_of: Any) -> dict[str, Any]:
    """The steps of `_update_available_resource` that count, and their results."""
    CONF.set_override("device_spec", [json.dumps(one) for one in asked["specs"]], group="pci")
    host = asked["host"]
    context = admin_context(asked["database"])
    node = objects.ComputeNode.get_by_host_and_nodename(context, host, host)
    told = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
    instances = objects.InstanceList.get_by_host_and_node(context, host, host, ATTRS)
    migrations = objects.MigrationList.get_in_progress_and_error(context, host, host)
    tracker = _tracker(context, host, node, instances, migrations, emptied(told))
    by_uuid = tracker._update_usage_from_instances(context, instances, host)
    tracker._pair_instances_to_migrations(migrations, by_uuid)
    tracker._update_usage_from_migrations(context, migrations, host)
    tracker.pci_tracker.clean_usage(instances, migrations)
    counted = tracker.compute_nodes[host]
    return {
        "used": [
            counted.vcpus_used,
            counted.memory_mb_used,
            int(counted.local_gb_used),
            counted.running_vms,
        ],
        "cells": [
            cells_of(told),
            cells_of(objects.NUMATopology.obj_from_db_obj(counted.numa_topology)),
        ],
        "held": sorted(
            [one.address, one.instance_uuid]
            for one in tracker.pci_tracker.pci_devs
            if one.instance_uuid is not None
        ),
        "pools": [one.to_dict() for one in tracker.pci_tracker.stats.to_device_pools_obj()],
        "migrations": [[one.status, one.is_resize] for one in migrations],
        "instances": [_instance(context, uuid) for uuid in asked["instances"]],
    }


def _tracker(
    context: Any, host: str, node: Any, instances: Any, migrations: Any, empty: Any
) -> Any:
    tracker = resource_tracker.ResourceTracker(host, driver=None, reportclient=object())
    node.numa_topology = empty._to_json()
    tracker.compute_nodes[host] = node
    tracker.pci_tracker = PciDevTracker(context, node)
    # Of an instance without an image Nova supposes that a volume is its disk.
    uuids = {one.uuid for one in instances} | {one.instance_uuid for one in migrations}
    tracker.is_bfv = dict.fromkeys(uuids, False)
    return tracker


def _instance(context: Any, uuid: str) -> dict[str, Any] | None:
    """What Nova's own object reads of one, whatever host it is on; null when it is deleted."""
    try:
        one = objects.Instance.get_by_uuid(context, uuid, [*ATTRS, "pci_requests", "pci_devices"])
    except nova.exception.InstanceNotFound:
        return None
    moving = one.migration_context
    return {
        "host": one.host,
        "states": [one.vm_state, one.task_state],
        "vcpus": [
            flavor and flavor.vcpus for flavor in (one.flavor, one.old_flavor, one.new_flavor)
        ],
        "extra_specs": one.flavor.extra_specs,
        "cells": one.numa_topology and [cell.id for cell in one.numa_topology.cells],
        "requests": [[r.alias_name, r.request_id] for r in one.pci_requests.requests],
        "devices": sorted([d.address, d.request_id] for d in one.pci_devices),
        "moving": moving and _moving(moving),
    }


def _moving(moving: Any) -> dict[str, Any]:
    sides = {}
    for side in ("old", "new"):
        topology = getattr(moving, f"{side}_numa_topology")
        devices = getattr(moving, f"{side}_pci_devices", None)
        sides[side] = [
            topology and [cell.id for cell in topology.cells],
            sorted([one.address, _id(one)] for one in devices or ()),
        ]
    return sides


def _id(device: Any) -> int | None:
    return device.id if device.obj_attr_is_set("id") else None
