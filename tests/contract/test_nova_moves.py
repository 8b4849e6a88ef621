"""Moves in tables of every release: the context names its move, and a move is found again."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contract.test_nova_projection import Site, place, site
from tests.upgrade.nova_objects import (
    LATER,
    compute_node,
    flavor,
    instance,
    migration,
    pci_device,
    uuid,
)

from innkeeper.errors import BadRequest
from innkeeper.objects import Instance, Migration, MigrationContext
from innkeeper.objects.pci_device import PciDeviceList

__all__ = ["place", "site"]


def moving(number: int = 1, **words: Any) -> Instance:
    """An instance whose context waits for the id of its move."""
    here = pci_device("0000:04:10.1", uuid=uuid(601))
    there = pci_device("0000:04:10.1", uuid=uuid(602))
    context = MigrationContext(
        instance_uuid=uuid(number),
        new_numa_topology=None,
        old_numa_topology=None,
        new_pci_devices=PciDeviceList(objects=(here,)),
        old_pci_devices=PciDeviceList(objects=(there,)),
    )
    return instance(number, migration_context=context, **words)


def has_contexts(site: Site) -> None:
    if not site.projection.shape["instance_extra"].has("migration_context"):
        pytest.skip("the release has no migration contexts")


def context_of(site: Site) -> MigrationContext:
    (read,) = site.instances()
    assert read.migration_context is not None
    return read.migration_context


def without_uuid(made: Migration) -> Migration:
    """As what an older release looks a move up by."""
    del made.uuid
    return made


def test_a_context_names_its_move_and_the_devices_that_are_here(site: Site) -> None:
    has_contexts(site)
    other = migration(9, status="error")
    site.write(flavor(), instance(), other)
    device = pci_device("0000:04:10.1", uuid=uuid(601))
    given = moving()
    site.write(compute_node(), device, given, migration())
    moves = site.rows("migrations")
    context = context_of(site)
    assert context.migration_id == moves[-1]["id"]
    assert not given.migration_context.is_set("migration_id")  # type: ignore[union-attr]
    if site.release == "2026.2":
        assert context.new_pci_devices is not None
        assert context.old_pci_devices is not None
        (row,) = site.rows("pci_devices")
        (here,), (there,) = context.new_pci_devices.objects, context.old_pci_devices.objects
        assert (here.id, here.compute_node_id) == (row["id"], site.node_id())
        assert not there.is_set("id")


def test_a_context_without_a_move_is_refused(site: Site) -> None:
    has_contexts(site)
    site.write(instance(), migration(status="confirmed"))
    with pytest.raises(BadRequest, match="names no move"):
        site.write(moving())


def test_a_context_waits_for_no_id_that_it_has(site: Site) -> None:
    has_contexts(site)
    site.write(instance(), migration(status="confirmed"))
    assert context_of(site).migration_id == 3


def test_the_context_of_a_later_step_counts(site: Site) -> None:
    """Several steps of one instance may share a transaction."""
    has_contexts(site)
    ended = instance(migration_context=None)
    site.write(moving(), migration(), ended, migration(status="reverted"))
    (read,) = site.instances()
    assert read.migration_context is None
    site.write(moving(), migration(2))
    assert context_of(site).migration_id == site.rows("migrations")[-1]["id"]


def test_releases_without_contexts_are_written_without(site: Site) -> None:
    site.write(flavor(), moving(), migration())
    (read,) = site.instances()
    assert read.flavor.flavorid == "flavor-1"
    assert [row["status"] for row in site.rows("migrations")] == ["migrating"]


def test_what_a_host_does_not_know_of_a_move_is_left_as_the_other_wrote_it(site: Site) -> None:
    site.write(instance(), migration(old_instance_type_id=5, new_instance_type_id=7))
    told = migration(status="post-migrating", old_instance_type_id=0, new_instance_type_id=7)
    told.reset_changes(["old_instance_type_id"])
    site.write(told)
    (row,) = site.rows("migrations")
    assert (row["status"], row["old_instance_type_id"]) == ("post-migrating", 5)


@pytest.mark.parametrize("end", ["reverted", "error", "failed", "done"])
def test_the_next_move_on_the_same_way_is_another_row(site: Site, end: str) -> None:
    site.write(instance(), without_uuid(migration()))
    site.write(without_uuid(migration(status=end)))
    site.write(without_uuid(migration(2)))
    assert [row["status"] for row in site.rows("migrations")] == [end, "migrating"]


def test_a_deleted_instance_is_in_no_move(site: Site) -> None:
    """Nova counts the moves of deleted instances by the state in their row."""
    site.write(instance(task_state="resize_prep"), migration())
    gone = Instance(uuid=uuid(1), vm_state="deleted", task_state=None, deleted=True)
    site.write(gone, now=LATER)
    (row,) = site.rows("instances")
    assert (row["vm_state"], row["task_state"]) == ("deleted", None)
    assert row["deleted"] == row["id"]
