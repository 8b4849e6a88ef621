"""The schema goes first: a newer database while an older release still reads it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tests.upgrade.databases import database
from tests.upgrade.nova_objects import (
    HOST,
    LATER,
    NODE,
    NOW,
    compute_node,
    instance,
    service,
    uuid,
)

from innkeeper.objects import Instance
from innkeeper.objects.base import VersionedObject
from innkeeper.store.nova.drafts import take_down
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova.writing import Database


class Fleet:
    """A database of Liberty, while the fleet is taken from Juno to it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.projection = Projection.reflect(connection, Database.EMBEDDED, release="juno")

    def unpin(self, release: str) -> None:
        self.projection = replace(self.projection, release=release)

    def write(self, *records: VersionedObject) -> None:
        now = NOW if self.projection.release == "juno" else LATER
        self.projection.write(self.connection, NODE, take_down(records), now)

    def row(self, name: str) -> Any:
        table = self.projection.shape[name].table
        return self.connection.execute(select(table).where(table.c.deleted == 0)).first()

    def instance(self) -> Instance:
        (read,) = self.projection.read_instances(self.connection, HOST, NODE).objects
        return read


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def fleet(request: pytest.FixtureRequest) -> Iterator[Fleet]:
    with database("liberty", request.param) as engine, engine.begin() as connection:
        yield Fleet(connection)


def test_juno_reads_what_is_written_for_it(fleet: Fleet) -> None:
    fleet.write(service(), compute_node(), instance())
    node, extra = fleet.row("compute_nodes"), fleet.row("instance_extra")
    assert node.service_id == fleet.row("services").id
    assert node.pci_stats.startswith("[{")
    assert node.numa_topology.startswith('{"cells": [{"id": 0, "cpus":')
    assert extra.numa_topology.startswith('{"cells": [{"id": 1, "cpus":')
    assert "numa_policy" not in extra.pci_requests
    assert (extra.vcpu_model, extra.migration_context) == (None, None)
    read = fleet.instance()
    assert (read.uuid, read.flavor.flavorid) == (uuid(1), "flavor-1")


def test_unpinned_it_is_written_anew_and_nothing_of_juno_is_lost(fleet: Fleet) -> None:
    fleet.write(service(), compute_node(), instance())
    before = fleet.instance()
    fleet.unpin("liberty")
    read = fleet.instance()
    assert read == before
    read.numa_topology = read.numa_topology
    read.vcpu_model = instance().vcpu_model
    (node,) = fleet.projection.read_compute_nodes(fleet.connection, HOST).objects
    node.numa_topology, node.pci_device_pools = node.numa_topology, node.pci_device_pools
    fleet.write(read, node)
    row, extra = fleet.row("compute_nodes"), fleet.row("instance_extra")
    for text in (row.numa_topology, row.pci_stats, extra.numa_topology, extra.vcpu_model):
        assert "nova_object.name" in text
    assert "pcpuset" not in extra.numa_topology
    again = fleet.instance()
    assert again.numa_topology is not None
    assert before.numa_topology is not None
    assert again.numa_topology.cells[0].cpuset == before.numa_topology.cells[0].cpuset
    assert again.flavor == before.flavor
