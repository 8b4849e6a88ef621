"""Nova's tables of every release, on every engine: what is written is what is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select, update
from tests.upgrade.databases import EVERY, database
from tests.upgrade.nova_objects import (
    HOST,
    LATER,
    NODE,
    NOW,
    compute_node,
    flavor,
    instance,
    migration,
    pci_device,
    pools,
    service,
    uuid,
)

from innkeeper.errors import BadRequest, UnknownInstance
from innkeeper.objects import Instance, PciDevice, VersionedObject
from innkeeper.objects.nova import NovaObject
from innkeeper.store.base import RowsWanted
from innkeeper.store.nova.drafts import Draft, take_down
from innkeeper.store.nova.overflow import Overflow
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova.writing import Database

PINS = {"juno": "juno", "kilo": "kilo", "liberty": "liberty", "2026.2": "2026.2"}


class Site:
    """One database inside a transaction that never ends well."""

    def __init__(self, connection: Connection, release: str, engine: str) -> None:
        self.connection = connection
        self.release = release
        self.engine = engine
        self.projection = Projection.reflect(connection, Database.EMBEDDED, release=PINS[release])

    @property
    def shared(self) -> Projection:
        return replace(self.projection, database=Database.SHARED)

    def write(self, *records: VersionedObject, now: datetime = NOW) -> tuple[Overflow, ...]:
        return self.projection.write(self.connection, NODE, take_down(records), now)

    def instances(self, host: str = HOST, node: str = NODE) -> tuple[Instance, ...]:
        page = self.projection.read_instances(self.connection, host, node)
        assert not page.unreadable
        return page.objects

    def node_id(self, host: str = HOST) -> int:
        (node,) = self.projection.read_compute_nodes(self.connection, host).objects
        return node.id

    def rows(self, name: str) -> list[dict[str, Any]]:
        table = self.projection.shape[name].table
        found = self.connection.execute(select(table).order_by(table.c.id)).mappings()
        return [dict(row) for row in found]

    def change(self, name: str, row_id: int, **values: Any) -> None:
        table = self.projection.shape[name].table
        self.connection.execute(update(table).where(table.c.id == row_id).values(values))


@pytest.fixture(scope="module", params=EVERY, ids="-".join)
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, Engine]]:
    release, engine = request.param
    with database(release, engine) as made:
        yield release, engine, made


@pytest.fixture
def site(place: tuple[str, str, Engine]) -> Iterator[Site]:
    release, engine, made = place
    with made.connect() as connection, rolled_back(connection):
        yield Site(connection, release, engine)


@contextmanager
def rolled_back(connection: Connection) -> Iterator[None]:
    transaction = connection.begin()
    try:
        yield
    finally:
        transaction.rollback()


def differences(written: NovaObject, read: NovaObject, lost: set[str]) -> dict[str, Any]:
    """Fields that were written, could be held, and came back as something else."""
    return {
        name: (value, read.__dict__.get(name, "unset"))
        for name, value in written.__dict__.items()
        if name not in lost and (not read.is_set(name) or getattr(read, name) != value)
    }


def missing(site: Site, table: str, record: NovaObject) -> set[str]:
    """Fields of the same name as a column of today's that this database lacks."""
    return {name for name in record.__dict__ if not site.projection.shape[table].has(name)}


def plain(value: NovaObject | None) -> Any:
    """Without versions and changes, which a pinned text does not keep."""
    return None if value is None else _stripped(value.to_primitive())


def _stripped(value: Any) -> Any:
    if isinstance(value, dict) and "nova_object.data" in value:
        return {key: _stripped(one) for key, one in value["nova_object.data"].items()}
    if isinstance(value, list):
        return [_stripped(one) for one in value]
    return value


def test_service(site: Site) -> None:
    written = service()
    site.write(written)
    (read,) = site.projection.read_services(site.connection, HOST).objects
    assert not differences(written, read, missing(site, "services", written))
    assert not read.changed_fields()
    assert not read.deleted


def test_service_without_columns_of_liberty_reads_as_before_it(site: Site) -> None:
    site.write(service(forced_down=False, version=0))
    (read,) = site.projection.read_services(site.connection).objects
    assert (read.version, read.forced_down) == (0, False)


def test_compute_node(site: Site) -> None:
    written = compute_node()
    site.write(service(), written)
    (read,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    held = {"host", "supported_hv_specs", "pci_device_pools", "numa_topology"}
    lost = missing(site, "compute_nodes", written) - held | {"numa_topology"}
    if site.release == "juno":
        lost |= {"pci_device_pools"}
        assert read.pci_device_pools is not None
        assert read.pci_device_pools is not None
        assert [pool.numa_node for pool in read.pci_device_pools.objects] == [None]
        assert site.rows("compute_nodes")[0]["pci_stats"].startswith("[{")
    assert not differences(written, read, lost)
    assert not read.changed_fields()


def test_topology_text_is_what_the_release_reads(site: Site) -> None:
    site.write(compute_node())
    (row,) = site.rows("compute_nodes")
    is_object = "nova_object.name" in row["numa_topology"]
    assert is_object == (site.release != "juno")
    assert ("socket" in row["numa_topology"]) == (site.release == "2026.2")


def test_ratios_that_are_missing_or_zero_are_the_usual(site: Site) -> None:
    site.write(compute_node(cpu_allocation_ratio=0.0, ram_allocation_ratio=0.0))
    (read,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    assert (read.cpu_allocation_ratio, read.ram_allocation_ratio) == (16.0, 1.5)


def test_service_id_is_filled_where_null_is_forbidden(site: Site) -> None:
    site.write(compute_node())
    (row,) = site.rows("compute_nodes")
    services = site.rows("services")
    if site.release == "juno":
        assert row["service_id"] == services[0]["id"]
        assert (services[0]["host"], services[0]["binary"]) == (HOST, "nova-compute")
        assert (services[0]["topic"], services[0]["report_count"]) == ("compute", 0)
    else:
        assert row["service_id"] is None
        assert not services


def test_service_id_is_that_of_the_service_that_is_there(site: Site) -> None:
    site.write(service("other"), service(), compute_node())
    (row,) = site.rows("compute_nodes")
    ids = {one["host"]: one["id"] for one in site.rows("services")}
    expected = ids[HOST] if site.release in ("juno", "kilo") else None
    assert row["service_id"] == expected


def test_row_that_an_older_compute_made_is_found_by_its_service(site: Site) -> None:
    if not site.projection.shape["compute_nodes"].has("host"):
        pytest.skip("the table has no host")
    site.write(service(), compute_node())
    service_id = site.rows("services")[0]["id"]
    row_id = site.rows("compute_nodes")[0]["id"]
    site.change("compute_nodes", row_id, host=None, service_id=service_id)
    assert site.node_id() == row_id
    site.write(compute_node(), now=LATER)
    (row,) = site.rows("compute_nodes")
    assert (row["id"], row["host"]) == (row_id, HOST)


def test_only_what_changed_is_written_and_the_report_moves(site: Site) -> None:
    site.write(compute_node())
    (node,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    before = site.rows("compute_nodes")[0]
    site.change("compute_nodes", node.id, memory_mb=9999, metrics="foreign")
    node.vcpus_used = 5
    node.pci_device_pools = pools(2)
    site.write(node, now=LATER)
    after = site.rows("compute_nodes")[0]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"memory_mb", "metrics", "vcpus_used", "pci_stats", "updated_at"}
    node.reset_changes()
    site.write(node, now=NOW)
    assert site.rows("compute_nodes")[0]["updated_at"] == before["created_at"]


def test_flavor(site: Site) -> None:
    written = flavor()
    site.write(written)
    (read,) = site.projection.read_flavors(site.connection).objects
    assert not differences(written, read, {"description"})
    read.extra_specs = {"hw:numa_nodes": "4", "new": "x"}
    site.write(read)
    (again,) = site.projection.read_flavors(site.connection).objects
    assert again.extra_specs == {"hw:numa_nodes": "4", "new": "x"}
    again.deleted = True
    site.write(again)
    assert not site.projection.read_flavors(site.connection).objects
    rows = site.rows("instance_type_extra_specs")
    assert all(row["deleted"] == row["id"] for row in rows)


def test_instance(site: Site) -> None:
    written = instance()
    site.write(flavor(), written)
    (read,) = site.instances()
    texts = {"numa_topology", "pci_requests", "flavor", "old_flavor", "new_flavor"}
    others = {"vcpu_model", "migration_context", "system_metadata"}
    foreign = {"trusted_certs", "device_metadata", "resources"}
    lost = missing(site, "instances", written) | texts | others
    assert not differences(written, read, lost)
    assert read.system_metadata == written.system_metadata
    assert plain(read.pci_requests) == plain(written.pci_requests)
    for name in foreign & set(site.projection.shape["instance_extra"].table.c.keys()):
        assert getattr(read, name) == getattr(written, name)
    assert not read.changed_fields()


def test_objects_of_an_instance(site: Site) -> None:
    written = instance()
    site.write(flavor(), written)
    (read,) = site.instances()
    assert read.flavor.extra_specs == written.flavor.extra_specs
    assert (read.flavor.flavorid, read.flavor.swap) == ("flavor-1", 64)
    assert read.old_flavor is not None
    assert read.old_flavor.name == "m1.grün.2"
    assert read.new_flavor is None
    assert read.numa_topology is not None
    (cell,) = read.numa_topology.cells
    assert (cell.id, cell.cpuset, cell.memory) == (1, frozenset({0, 1}), 512)
    if site.release != "juno":
        assert cell.pagesize == 2048
        assert read.vcpu_model is not None
        assert read.vcpu_model.model == "Broadwell"
    if site.release not in ("juno", "kilo"):
        assert read.migration_context is not None
        assert read.migration_context.migration_id == 3


def test_flavor_of_juno_is_in_the_metadata(site: Site) -> None:
    site.write(instance())
    pairs = {row["key"]: row["value"] for row in site.rows("instance_system_metadata")}
    if site.release == "juno":
        assert pairs["instance_type_memory_mb"] == "512"
        assert pairs["old_instance_type_flavorid"] == "flavor-2"
        assert pairs["instance_type_extra_hw:numa_cpus.0"] == "0"
        assert "new_instance_type_id" not in pairs
    else:
        assert set(pairs) == {"image_min_ram", "image_os"}


def test_flavors_change_one_at_a_time(site: Site) -> None:
    site.write(instance(old_flavor=None))
    (read,) = site.instances()
    read.reset_changes()
    for name in ("flavor", "old_flavor"):
        delattr(read, name)
    read.new_flavor = flavor(3)
    site.write(read)
    (again,) = site.instances()
    assert again.flavor.flavorid == "flavor-1"
    assert again.old_flavor is None
    assert again.new_flavor is not None
    assert again.new_flavor.flavorid == "flavor-3"
    assert again.system_metadata == {"image_min_ram": "64", "image_os": None}


def test_metadata_is_made_what_the_object_says(site: Site) -> None:
    site.write(instance())
    (read,) = site.instances()
    read.system_metadata = {"image_min_ram": "128", "added": "x"}
    site.write(read)
    (again,) = site.instances()
    assert again.system_metadata == {"image_min_ram": "128", "added": "x"}
    assert again.flavor.flavorid == "flavor-1"


def test_instances_of_a_resize_lose_their_topology(site: Site) -> None:
    site.write(instance())
    (read,) = site.instances()
    read.numa_topology = None
    site.write(read)
    (again,) = site.instances()
    assert again.numa_topology is None
    assert len(again.pci_requests.requests) == 1  # type: ignore[union-attr]


def test_deleted_instance_goes_with_what_is_its_own(site: Site) -> None:
    site.write(instance(), instance(2))
    gone = Instance(uuid=uuid(1), deleted=True)
    site.write(gone, now=LATER)
    assert [one.uuid for one in site.instances()] == [uuid(2)]
    row = site.rows("instances")[0]
    assert (row["deleted"], row["deleted_at"] is None) == (row["id"], False)
    extras = [row["deleted"] == row["id"] for row in site.rows("instance_extra")]
    assert extras == [True, False]
    site.write(gone, now=LATER)
    assert len(site.rows("instances")) == 2


def test_instance_that_comes_again_gets_its_row_back(site: Site) -> None:
    """The key over uuids knows no `deleted`: a second row could not be."""
    site.write(instance())
    site.write(Instance(uuid=uuid(1), deleted=True))
    site.write(instance(vcpus=4), now=LATER)
    assert [one.vcpus for one in site.instances()] == [4]
    (row,) = site.rows("instances")
    assert (row["deleted"], row["deleted_at"]) == (0, None)
    site.write(Instance(uuid=uuid(1), deleted=True))
    with pytest.raises(UnknownInstance):
        site.shared.write(site.connection, NODE, take_down([instance()]), NOW)


def test_node_and_service_come_again(site: Site) -> None:
    node, ours = compute_node(), service()
    site.write(node, ours)
    node.deleted = ours.deleted = True
    site.write(node, ours)
    assert not site.projection.read_services(site.connection).objects
    site.write(compute_node(), service())
    (read,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    assert not read.deleted
    assert len(site.projection.read_services(site.connection, HOST).objects) == 1


def test_uuid_that_others_know_is_kept(site: Site) -> None:
    table = site.projection.shape["compute_nodes"]
    site.write(service(), compute_node())
    if not table.has("uuid"):
        pytest.skip("the table has no uuid")
    site.write(compute_node(uuid=uuid(5000)), service(uuid=uuid(5001)))
    (row,) = site.rows("compute_nodes")
    assert row["uuid"] == compute_node().uuid
    site.change("compute_nodes", row["id"], uuid=None)
    site.write(compute_node(uuid=uuid(5000)))
    assert site.rows("compute_nodes")[0]["uuid"] == uuid(5000)


def test_node_that_moved_to_another_host_keeps_its_row(site: Site) -> None:
    if not site.projection.shape["compute_nodes"].has("uuid"):
        pytest.skip("the table has no uuid")
    site.write(compute_node())
    site.write(compute_node("compute-2", uuid=compute_node().uuid))
    assert [row["host"] for row in site.rows("compute_nodes")] == ["compute-2"]


def test_part_of_an_object_makes_no_row(site: Site) -> None:
    part = PciDevice(address="0000:04:10.7", vendor_id="8086", product_id="154c")
    site.write(compute_node())
    with pytest.raises(BadRequest, match="needs dev_type, status"):
        site.write(part)


def test_two_hosts_and_nodes_in_one_database_never_mix(site: Site) -> None:
    site.write(service(), service("compute-2"), compute_node(), compute_node("compute-2"))
    site.write(instance(1), instance(2, "compute-2"), instance(3, HOST, "node-9"))
    ids = {host: site.node_id(host) for host in (HOST, "compute-2")}
    assert len(set(ids.values())) == 2
    devices = [
        pci_device(compute_node_id=ids[host], uuid=uuid(index)) for index, host in enumerate(ids)
    ]
    site.write(*devices)
    site.write(compute_node("compute-2", vcpus_used=7))
    assert [one.uuid for one in site.instances()] == [uuid(1)]
    assert [one.uuid for one in site.instances("compute-2")] == [uuid(2)]
    (mine,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    assert mine.vcpus_used == 2
    for row_id in ids.values():
        (read,) = site.projection.read_pci_devices(site.connection, row_id).objects
        assert read.compute_node_id == row_id


def test_migration(site: Site) -> None:
    written = migration()
    site.write(instance(), written)
    (read,) = site.projection.read_migrations(site.connection, HOST, NODE).objects
    lost = missing(site, "migrations", written) - {"migration_type"}
    assert not differences(written, read, lost)
    assert not read.changed_fields()
    there = site.projection.read_migrations(site.connection, "compute-2", "node-2.example.org")
    assert [one.id for one in there.objects] == [read.id]
    assert not site.projection.read_migrations(site.connection, HOST, "node-9").objects


def test_migration_is_found_again_and_ends(site: Site) -> None:
    first = migration()
    site.write(instance(), first)
    first.status = "confirmed"
    site.write(first)
    assert [row["status"] for row in site.rows("migrations")] == ["confirmed"]
    assert not site.projection.read_migrations(site.connection, HOST, NODE).objects
    site.write(migration(2))
    assert [row["status"] for row in site.rows("migrations")] == ["confirmed", "migrating"]


def test_migration_without_a_type_gets_one(site: Site) -> None:
    written = migration(new_instance_type_id=1)
    del written.migration_type
    site.write(instance(), written)
    (read,) = site.projection.read_migrations(site.connection, HOST, NODE).objects
    assert read.migration_type == "migration"


def test_pci_device(site: Site) -> None:
    written = pci_device()
    site.write(compute_node(), written)
    (read,) = site.projection.read_pci_devices(site.connection, site.node_id()).objects
    assert not differences(written, read, missing(site, "pci_devices", written) & {"uuid"})
    assert read.compute_node_id == site.node_id()
    assert not read.changed_fields()


def test_pci_device_changes_hands_and_is_removed(site: Site) -> None:
    site.write(compute_node(), pci_device(), pci_device("0000:04:11.0"))
    node_id = site.node_id()
    read = site.projection.read_pci_devices(site.connection, node_id).objects[0]
    read.status, read.instance_uuid, read.request_id = "available", None, None
    site.write(read)
    again = site.projection.read_pci_devices(site.connection, node_id).objects[0]
    assert (again.status, again.instance_uuid) == ("available", None)
    assert (again.numa_node, again.parent_addr) == (1, "0000:04:00.0")
    again.status = "removed"
    site.write(again)
    left = site.projection.read_pci_devices(site.connection, node_id).objects
    assert [one.address for one in left] == ["0000:04:11.0"]
    site.write(pci_device(uuid=uuid(999)))
    assert len(site.rows("pci_devices")) == 3


def test_device_without_label_and_info_gets_what_no_release_can_miss(site: Site) -> None:
    bare = pci_device()
    for name in ("label", "extra_info", "parent_addr", "numa_node"):
        delattr(bare, name)
    site.write(compute_node(), bare)
    (row,) = site.rows("pci_devices")
    assert (row["label"], row["extra_info"]) == ("label_8086_154c", "{}")


def test_devices_wait_for_their_node(site: Site) -> None:
    with pytest.raises(BadRequest, match="before its ComputeNode"):
        site.write(pci_device())


def test_shared_database_refuses_instances_that_it_does_not_have(site: Site) -> None:
    drafts = take_down([instance()])
    with pytest.raises(UnknownInstance, match=uuid(1)):
        site.shared.write(site.connection, NODE, drafts, NOW)
    with pytest.raises(UnknownInstance, match=uuid(1)):
        site.shared.write(site.connection, NODE, take_down([migration()]), NOW)
    site.write(instance())
    changed = take_down([Instance(uuid=uuid(1), vcpus=7, numa_topology=None)])
    site.shared.write(site.connection, NODE, changed, NOW)
    assert [(one.vcpus, one.numa_topology) for one in site.instances()] == [(7, None)]


def test_rows_of_a_shared_database_get_its_ids(site: Site) -> None:
    drafts = take_down([compute_node(), flavor(900)])
    site.shared.write(site.connection, NODE, drafts, NOW)
    site.shared.write(site.connection, NODE, take_down([flavor(901)]), NOW)
    assert all(row["id"] < 900 for row in site.rows("instance_types"))


def test_row_without_deleted_is_not_seen(site: Site) -> None:
    """A row that other means inserted with null there is invisible to every release."""
    site.write(instance())
    site.change("instances", site.rows("instances")[0]["id"], deleted=None)
    assert not site.instances()


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("numa_topology", '{"cells": [{"id"', "numa_topology"),
        ("numa_topology", '{"cells": "many"}', "numa_topology"),
        ("pci_requests", '[{"count": 1, "spec": []}]', "pci_requests"),
        ("flavor", '{"cur": null}', "flavor"),
        ("vcpu_model", "[]", "vcpu_model"),
        ("migration_context", '{"nova_object.name": "Other"}', "migration_context"),
    ],
)
def test_broken_text_is_told_and_stops_no_other_row(
    site: Site, column: str, text: str, reason: str
) -> None:
    if not site.projection.shape["instance_extra"].has(column):
        pytest.skip("the table has no such column")
    site.write(instance(1), instance(2), instance(3))
    site.change("instance_extra", site.rows("instance_extra")[1]["id"], **{column: text})
    page = site.projection.read_instances(site.connection, HOST, NODE)
    assert [one.uuid for one in page.objects] == [uuid(1), uuid(3)]
    (told,) = page.unreadable
    assert (told.table, told.subject) == ("instances", uuid(2))
    assert reason in told.reason


def test_broken_text_of_hosts_and_devices(site: Site) -> None:
    site.write(compute_node(), compute_node(node="node-2"))
    first, second = (row["id"] for row in site.rows("compute_nodes"))
    devices = [pci_device(f"0000:04:10.{number}", compute_node_id=first) for number in range(3)]
    site.write(*devices)
    site.change("compute_nodes", second, stats="[1]")
    site.change("pci_devices", site.rows("pci_devices")[1]["id"], extra_info="{")
    nodes = site.projection.read_compute_nodes(site.connection, HOST)
    assert [one.id for one in nodes.objects] == [first]
    assert [one.row_id for one in nodes.unreadable] == [second]
    found = site.projection.read_pci_devices(site.connection, first)
    assert [one.address[-1] for one in found.objects] == ["0", "2"]
    assert [one.subject[-1] for one in found.unreadable] == ["1"]


def test_broken_pools_are_no_pools(site: Site) -> None:
    site.write(compute_node())
    site.change("compute_nodes", site.node_id(), pci_stats="[{")
    (read,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    assert len(read.pci_device_pools.objects) == 0  # type: ignore[union-attr]


def test_pages_follow_each_other(site: Site) -> None:
    site.write(*(instance(number) for number in range(1, 8)))
    found: list[str] = []
    after: int | None = 0
    while after is not None:
        page = site.projection.read_instances(site.connection, HOST, NODE, RowsWanted(after, 3))
        found += [one.uuid for one in page.objects]
        after = page.after
    assert found == [uuid(number) for number in range(1, 8)]


def test_text_that_a_column_cannot_hold_leaves_its_last_value(site: Site) -> None:
    """Neither cut by a lax MariaDB nor refused with all that came with it by a strict one."""
    site.write(compute_node())
    before = site.rows("compute_nodes")[0]["pci_stats"]
    (node,) = site.projection.read_compute_nodes(site.connection, HOST).objects
    node.pci_device_pools = many_pools()
    node.vcpus_used = 6
    overflows = site.write(node)
    row = site.rows("compute_nodes")[0]
    assert row["vcpus_used"] == 6
    if site.engine == "mysql":
        assert row["pci_stats"] == before
        (overflow,) = overflows
        assert len(overflow.text) > 65_535
        assert (overflow.table, overflow.column) == ("compute_nodes", "pci_stats")
        finding = overflow.finding(NOW)
        assert finding.kind == "text_too_long"
        assert "65,535 bytes" in finding.message
        assert finding.id == overflow.finding(LATER).id
    else:
        assert not overflows
        assert len(row["pci_stats"]) > 65_535


def many_pools() -> Any:
    tags = {f"tag_{number}": "x" * 200 for number in range(10)}
    one = pools().objects[0]
    objects = tuple(
        one.of_data({"product_id": f"{n:04x}", "vendor_id": "8086", "count": 1, "tags": tags})
        for n in range(64)
    )
    return pools().of_data({"objects": [each.to_primitive() for each in objects]})


def test_exact_size_of_a_column_is_held(site: Site) -> None:
    site.write(compute_node())
    for size in (65_535, 65_536):
        text = "ü" * 30_000 + "x" * (size - 60_000)
        (node,) = site.projection.read_compute_nodes(site.connection, HOST).objects
        node.metrics = text
        overflows = site.write(node)
        assert bool(overflows) == (site.engine == "mysql" and size > 65_535)
        held = site.rows("compute_nodes")[0]["metrics"]
        assert len(held.encode()) == (65_535 if site.engine == "mysql" else size)


def test_address_that_is_too_long_makes_no_row(site: Site) -> None:
    overflows = site.write(compute_node(), pci_device("10000:04:10.7"), pci_device())
    addresses = [row["address"] for row in site.rows("pci_devices")]
    if site.engine == "sqlite":
        assert addresses == ["10000:04:10.7", "0000:04:10.7"]
    else:
        assert addresses == ["0000:04:10.7"]
        assert [(one.column, one.text) for one in overflows] == [("address", "10000:04:10.7")]


def test_characters_that_a_column_cannot_hold(site: Site) -> None:
    """MySQL's utf8 of three bytes has no emoji, PostgreSQL no NUL."""
    site.write(instance(display_name="before"))
    name = "nul \0" if site.engine == "postgresql" else "guest \N{GRINNING FACE}"
    overflows = site.write(Instance(uuid=uuid(1), display_name=name, vcpus=9))
    (row,) = site.rows("instances")
    old_mysql = site.engine == "mysql" and site.release != "2026.2"
    refused = old_mysql or site.engine == "postgresql"
    assert row["display_name"] == ("before" if refused else name)
    assert row["vcpus"] == 9
    assert [one.column for one in overflows] == (["display_name"] if refused else [])


def test_unknown_columns_are_left_alone(site: Site) -> None:
    site.write(compute_node())
    row_id = site.node_id()
    site.change("compute_nodes", row_id, extra_resources="of somebody else")
    site.write(compute_node(), now=LATER)
    assert site.rows("compute_nodes")[0]["extra_resources"] == "of somebody else"


def test_several_forms_of_one_object_are_one_row(site: Site) -> None:
    node = compute_node()
    forms: list[Draft] = []
    for used in range(3):
        node.vcpus_used = used
        forms += take_down([node])
    site.projection.write(site.connection, NODE, forms, NOW)
    table = site.projection.shape["compute_nodes"].table
    assert site.connection.execute(select(func.count()).select_from(table)).scalar() == 1
    assert site.rows("compute_nodes")[0]["vcpus_used"] == 2
