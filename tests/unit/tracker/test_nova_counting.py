"""What Nova counts of rows: every rule, and what each of them loses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from innkeeper.objects import Flavor, Instance, Migration, MigrationContext
from innkeeper.tracker.nova.counting import (
    FINAL,
    Amounts,
    Lost,
    Side,
    count_instance,
    count_move,
    is_in_progress,
    is_removable,
    is_stale,
    lost_devices,
    may_count_for_move,
    newest_of_each,
    side_of,
    total,
)

NODE = "here"
UUID = "0d9a0f2c-1111-4222-8333-444455556666"
START = datetime(2026, 1, 1, tzinfo=UTC)


def flavor(number: int = 1, **words: Any) -> Flavor:
    form = {"id": number, "vcpus": number, "memory_mb": 512 * number, "root_gb": 10 * number}
    return Flavor(**{**form, "ephemeral_gb": 0, "swap": 0, **words})


def instance(**words: Any) -> Instance:
    form: dict[str, Any] = {
        "uuid": UUID,
        "host": NODE,
        "node": NODE,
        "vm_state": "active",
        "task_state": None,
        "instance_type_id": 1,
        "flavor": flavor(1),
        "old_flavor": None,
        "new_flavor": None,
    }
    return Instance(**{**form, **words})


def migration(**words: Any) -> Migration:
    form: dict[str, Any] = {
        "id": 7,
        "instance_uuid": UUID,
        "status": "pre-migrating",
        "migration_type": "resize",
        "source_node": "there",
        "dest_node": NODE,
        "old_instance_type_id": 1,
        "new_instance_type_id": 2,
    }
    return Migration(**{**form, **words})


# -- instances --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vm_state", "task_state", "removable"),
    [
        ("deleted", None, True),
        ("deleted", "spawning", True),
        ("shelved_offloaded", None, True),
        ("shelved_offloaded", "unshelving", True),
        ("shelved_offloaded", "spawning", False),
        *((state, None, False) for state in ("active", "stopped", "suspended", "paused")),
        *((state, None, False) for state in ("shelved", "soft-delete", "error", "rescued")),
        ("building", "spawning", False),
        (None, None, False),
    ],
)
def test_an_instance_counts_by_its_states(
    vm_state: str | None, task_state: str | None, *, removable: bool
) -> None:
    one = instance(vm_state=vm_state, task_state=task_state)
    assert is_removable(one) is removable
    assert (count_instance(one).amounts is None) is removable


def test_an_instance_counts_by_its_flavor_and_not_by_its_own_columns() -> None:
    one = instance(vcpus=9, memory_mb=9, root_gb=9, flavor=flavor(2))
    assert count_instance(one).amounts == Amounts(vcpus=2, memory_mb=1024, local_gb=20)


def test_without_a_flavor_its_own_columns_are_what_is_known() -> None:
    one = Instance(uuid=UUID, vm_state="active", vcpus=3, memory_mb=64, root_gb=4, ephemeral_gb=1)
    assert count_instance(one).amounts == Amounts(3, 64, 5)


def test_disk_is_root_ephemeral_and_whole_gibibytes_of_swap() -> None:
    words = {"root_gb": 10, "ephemeral_gb": 5}
    assert count_instance(instance(flavor=flavor(swap=1023, **words))).amounts == (1, 512, 15)
    assert count_instance(instance(flavor=flavor(swap=2560, **words))).amounts == (1, 512, 17)


def test_who_boots_from_a_volume_has_no_root_disk_here() -> None:
    one = instance(flavor=flavor(root_gb=10, ephemeral_gb=5))
    assert count_instance(one, boots_from_volume=True).amounts == Amounts(1, 512, 5)


def test_sums_are_of_what_was_cut_off_before() -> None:
    parts = [count_instance(instance(flavor=flavor(swap=1000))).amounts or Amounts()] * 3
    assert total(parts) == Amounts(3, 1536, 30)
    assert total([]) == Amounts()


# -- moves ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_move_that_ended_counts_no_more(status: str) -> None:
    assert not is_in_progress(migration(status=status))
    moved = instance(vm_state="resized", new_flavor=flavor(2))
    assert count_move(migration(status=status), moved, NODE, ()).amounts is None


@pytest.mark.parametrize(
    "status", ["error", "finished", "accepted", "migrating", "confirming", "running", None]
)
def test_any_other_status_counts(status: str | None) -> None:
    assert is_in_progress(migration(status=status))


@pytest.mark.parametrize(
    ("vm_state", "task_state", "counts"),
    [
        ("resized", None, True),
        *((vm, "resize_prep", True) for vm in ("active", "stopped")),
        *(("active", f"resize_{task}", True) for task in ("migrating", "migrated", "finish")),
        *(("stopped", task, True) for task in ("rebuilding", "rebuild_block_device_mapping")),
        ("active", "rebuild_spawning", True),
        *((vm, "migrating", True) for vm in ("active", "paused")),
        ("stopped", "migrating", False),
        ("paused", "resize_prep", False),
        ("active", None, False),
        *((vm, "rebuilding", False) for vm in ("error", "rescued", "suspended")),
    ],
)
def test_a_move_counts_only_in_these_states_of_its_instance(
    vm_state: str, task_state: str | None, *, counts: bool
) -> None:
    one = instance(vm_state=vm_state, task_state=task_state, new_flavor=flavor(2))
    assert may_count_for_move(one) is counts
    assert (count_move(migration(), one, NODE, ()).amounts is not None) is counts


def test_of_several_moves_the_newest_counts_and_of_equals_the_first() -> None:
    moves = [
        migration(id=1, created_at=START),
        migration(id=2, created_at=START, updated_at=START + timedelta(hours=1)),
        migration(id=3, created_at=START + timedelta(hours=1)),
        migration(id=4, status="failed", updated_at=START + timedelta(hours=2)),
        migration(id=5),
    ]
    assert newest_of_each(moves)[UUID].id == 2
    assert newest_of_each(reversed(moves))[UUID].id == 3


def test_a_move_of_an_instance_that_is_in_another_one_is_stale() -> None:
    context = MigrationContext(instance_uuid=UUID, migration_id=8)
    one = instance(vm_state="resized", migration_context=context, new_flavor=flavor(2))
    assert is_stale(migration(id=7), one)
    assert not is_stale(migration(id=8), one)
    assert not is_stale(migration(id=7), instance(migration_context=None))
    assert count_move(migration(id=7), one, NODE, ()).amounts is None


@pytest.mark.parametrize(
    ("source", "destination", "lives_by", "tracked", "side"),
    [
        (NODE, NODE, 1, True, Side.NEW),
        (NODE, NODE, 2, True, Side.OLD),
        ("there", NODE, 1, False, Side.NEW),
        ("there", NODE, 1, True, None),
        (NODE, "there", 2, False, Side.OLD),
        (NODE, "there", 1, True, None),
        ("there", "elsewhere", 1, False, None),
    ],
)
def test_which_side_of_a_move_counts(
    source: str, destination: str, lives_by: int, side: Side | None, *, tracked: bool
) -> None:
    move = migration(source_node=source, dest_node=destination)
    one = instance(instance_type_id=lives_by, old_flavor=flavor(1), new_flavor=flavor(2))
    assert side_of(move, one, NODE, {UUID} if tracked else set()) is side


def test_what_left_counts_no_more_once_its_old_flavor_is_gone() -> None:
    move = migration(source_node=NODE, dest_node="there")
    one = instance(vm_state="resized", old_flavor=None)
    assert count_move(move, one, NODE, ()).amounts is None


@pytest.mark.parametrize("kind", ["evacuation", "live-migration"])
def test_moves_that_change_no_flavor_count_the_one_that_it_lives_by(kind: str) -> None:
    states = {
        "evacuation": ("active", "rebuilding"),
        "live-migration": ("paused", "migrating"),
    }
    vm_state, task_state = states[kind]
    one = instance(vm_state=vm_state, task_state=task_state, flavor=flavor(3))
    counted = count_move(migration(migration_type=kind), one, NODE, ())
    assert counted.amounts == Amounts(3, 1536, 30)


@pytest.mark.parametrize(
    ("vm_state", "kind", "lost"),
    [
        ("error", "evacuation", Lost.EVACUATED_IN_ERROR),
        ("error", "resize", Lost.OTHER_STATE),
        ("rescued", "resize", Lost.OTHER_STATE),
        ("suspended", "live-migration", Lost.OTHER_STATE),
    ],
)
def test_what_is_in_use_and_not_counted_is_said(vm_state: str, kind: str, lost: Lost) -> None:
    one = instance(vm_state=vm_state, task_state="rebuilding")
    counted = count_move(migration(migration_type=kind), one, NODE, ())
    assert (counted.amounts, counted.lost) == (None, lost)


def test_devices_stay_held_by_who_is_here_or_in_a_move_that_names_the_node() -> None:
    moves = {UUID: migration(status="error")}
    assert lost_devices(UUID, {UUID}, {}, NODE) is None
    assert lost_devices(UUID, (), moves, NODE) is None
    assert lost_devices(UUID, (), {}, NODE) is Lost.DEVICES_OF_LIVE_MIGRATION
    elsewhere = {UUID: migration(source_node="there", dest_node="elsewhere")}
    assert lost_devices(UUID, (), elsewhere, NODE) is Lost.DEVICES_OF_LIVE_MIGRATION
