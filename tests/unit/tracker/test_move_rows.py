"""The rows of an instance and its move, by kind, side and state."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import UUID

import pytest
from tests.unit.store.made import made_claim

from innkeeper.objects import (
    Claim,
    ClaimState,
    Move,
    MoveKind,
    MoveState,
    Origin,
    Placement,
    Request,
    Side,
)
from innkeeper.requests.admission import Admission
from innkeeper.tracker.nova.context_rows import Contexts
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.hosts import Hosts
from innkeeper.tracker.nova.instance_book import InstanceBook
from innkeeper.tracker.nova.instance_rows import InstanceRows
from innkeeper.tracker.nova.migration_rows import migration_row, status_of_move

HERE, AWAY = "host", "away"
HOSTS = Hosts(HERE, HERE)
INSTANCE, MOVE = UUID(int=7), UUID(int=8)
OLD, NEW = Request(vcpus=1, memory_mib=64), Request(vcpus=3, memory_mib=64)
OPEN = (MoveState.CLAIMED, MoveState.ARRIVED)
COLD = (MoveKind.RESIZE, MoveKind.MIGRATION)

STATUSES = {
    # claimed on the destination, on the source, arrived, confirmed on either, reverted, failed
    MoveKind.RESIZE: "pre-migrating migrating finished confirmed confirmed reverted error",
    MoveKind.MIGRATION: "pre-migrating migrating finished confirmed confirmed reverted error",
    MoveKind.LIVE_MIGRATION: "preparing running running completed completed cancelled failed",
    MoveKind.EVACUATION: "pre-migrating pre-migrating pre-migrating done completed failed failed",
}
IN_PROGRESS = {"pre-migrating", "migrating", "finished", "preparing", "running"}


def move_of(kind: MoveKind, side: Side, state: MoveState, **words: Any) -> Move:
    places = {"source": HERE, "destination": AWAY}
    if side is Side.DESTINATION:
        places = {"source": AWAY, "destination": HERE}
    form = {"id": MOVE, "kind": kind, "side": side, "state": state, **places}
    return Move.model_validate({**form, **words})


def end(move: Move | None, state: ClaimState = ClaimState.CONFIRMED, number: int = 1) -> Claim:
    request = NEW if move is not None and move.side is Side.DESTINATION else OLD
    return made_claim(number, state, instance_uuid=INSTANCE, request=request, move=move)


def rows() -> InstanceRows:
    admission = Admission()
    contexts = Contexts(HERE, DeviceBook(admission), lambda words: words, admission)
    return InstanceRows(HOSTS, lambda words: words, contexts)


@pytest.mark.parametrize("kind", MoveKind)
def test_every_phase_has_nova_s_word(kind: MoveKind) -> None:
    source, destination = Side.SOURCE, Side.DESTINATION
    phases = [
        (destination, MoveState.CLAIMED),
        (source, MoveState.CLAIMED),
        (destination, MoveState.ARRIVED),
        (destination, MoveState.CONFIRMED),
        (source, MoveState.CONFIRMED),
        (destination, MoveState.REVERTED),
        (destination, MoveState.FAILED),
    ]
    words = [status_of_move(move_of(kind, side, state)) for side, state in phases]
    assert words == STATUSES[kind].split()
    for side, state in product(Side, MoveState):
        word = status_of_move(move_of(kind, side, state))
        assert (word in IN_PROGRESS) == state.open, (side, state)


def test_the_destination_s_word_goes_before_the_source_s() -> None:
    both = {"source": HERE, "destination": HERE}
    ends = [
        end(move_of(MoveKind.RESIZE, side, MoveState.CLAIMED, **both), number=number)
        for number, side in enumerate((Side.DESTINATION, Side.SOURCE))
    ]
    for order in (ends, ends[::-1]):
        row = migration_row(order, HOSTS)
        assert (row.status, row.uuid) == ("pre-migrating", str(MOVE))
        assert (row.source_compute, row.dest_compute) == (HERE, HERE)


@pytest.mark.parametrize(("kind", "side"), list(product(MoveKind, Side)))
def test_flavors_that_this_end_does_not_know_are_left_to_the_other(
    kind: MoveKind, side: Side
) -> None:
    row = migration_row([end(move_of(kind, side, MoveState.CLAIMED))], HOSTS)
    told = row.changed_fields()
    known = (row.old_instance_type_id or 0, row.new_instance_type_id or 0)
    if kind is not MoveKind.RESIZE:
        assert known[0] == known[1] > 0
        assert {"old_instance_type_id", "new_instance_type_id"} <= told
    elif side is Side.SOURCE:
        assert (known[0] > 0, known[1]) == (True, 0)
        assert "new_instance_type_id" not in told
    else:
        assert (known[0], known[1] > 0) == (0, True)
        assert "old_instance_type_id" not in told


def test_a_resize_has_two_flavors_where_both_are_known() -> None:
    origin = Origin(request=OLD, placement=Placement())
    move = move_of(MoveKind.RESIZE, Side.DESTINATION, MoveState.CLAIMED, origin=origin)
    row = migration_row([end(move)], HOSTS)
    assert row.old_instance_type_id != row.new_instance_type_id
    assert row.kind_of_move == "resize"
    del row.migration_type
    assert row.kind_of_move == "resize"


@pytest.mark.parametrize(("kind", "side", "state"), list(product(MoveKind, Side, OPEN)))
def test_an_instance_is_where_it_runs(kind: MoveKind, side: Side, state: MoveState) -> None:
    row = rows().row([end(move_of(kind, side, state))], [])
    arrived = state is MoveState.ARRIVED
    at_destination = (side is Side.DESTINATION) == arrived
    assert row.host == row.node == (HERE if at_destination else AWAY)
    assert row.vm_state == ("resized" if arrived else "active")
    assert (row.task_state is None) == arrived
    assert row.is_set("migration_context") == (side is Side.DESTINATION)
    if kind not in COLD:
        assert (row.old_flavor, row.new_flavor) == (None, None)
    elif side is Side.SOURCE:
        assert row.old_flavor == row.flavor
        assert row.is_set("new_flavor") == (kind is MoveKind.MIGRATION)
    else:
        assert row.new_flavor is not None
        assert row.new_flavor.vcpus == 3


@pytest.mark.parametrize(
    ("side", "state", "host"),
    [
        (Side.SOURCE, MoveState.CONFIRMED, AWAY),
        (Side.SOURCE, MoveState.FAILED, None),
        (Side.SOURCE, MoveState.REVERTED, None),
        (Side.DESTINATION, MoveState.CONFIRMED, None),
        (Side.DESTINATION, MoveState.FAILED, AWAY),
        (Side.DESTINATION, MoveState.REVERTED, AWAY),
    ],
)
@pytest.mark.parametrize("kind", MoveKind)
def test_who_has_nothing_here_lives_where_the_move_left_it(
    kind: MoveKind, side: Side, state: MoveState, host: str | None
) -> None:
    row = rows().row([], [end(move_of(kind, side, state), ClaimState.RELEASED)])
    if host is None:
        assert row.deleted
        assert row.vm_state == "deleted"
        return
    assert not row.is_set("deleted")
    assert (row.host, row.node, row.vm_state, row.task_state) == (host, host, "active", None)
    assert (row.old_flavor, row.new_flavor, row.migration_context) == (None, None, None)


@pytest.mark.parametrize("state", [MoveState.CONFIRMED, MoveState.REVERTED, MoveState.FAILED])
def test_after_a_move_a_claim_is_like_any_other(state: MoveState) -> None:
    side = Side.DESTINATION if state is MoveState.CONFIRMED else Side.SOURCE
    row = rows().row([end(move_of(MoveKind.RESIZE, side, state))], [])
    plain = rows().row([end(None)], [])
    for name in ("host", "vm_state", "task_state", "old_flavor", "new_flavor", "migration_context"):
        assert getattr(row, name) == getattr(plain, name)


# -- the book --------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN)
def test_within_a_host_an_instance_has_two_claims_until_the_end(state: MoveState) -> None:
    both = {"source": HERE, "destination": HERE}
    source, destination = (
        end(move_of(MoveKind.RESIZE, side, state, **both), number=number)
        for number, side in enumerate((Side.SOURCE, Side.DESTINATION))
    )
    book = InstanceBook([destination, source])
    assert book.of_instance(INSTANCE) == (source, destination)
    book.follow(source.model_copy(update={"state": ClaimState.RELEASED}))
    confirmed = destination.move.model_copy(update={"state": MoveState.CONFIRMED})  # type: ignore[union-attr]
    book.follow(destination.model_copy(update={"move": confirmed}))
    assert len(book.of_instance(INSTANCE)) == 1


def test_all_are_to_be_written_at_first_and_those_that_are_touched_after() -> None:
    nobody = made_claim(3)
    book = InstanceBook([end(None), nobody])
    assert book.touched == {INSTANCE}
    book.forget_touched()
    book.follow(end(None))
    assert not book.touched
    book.touch_holders([end(None), nobody])
    assert book.touched == {INSTANCE}
    assert book.of_instance(UUID(int=9)) == ()
