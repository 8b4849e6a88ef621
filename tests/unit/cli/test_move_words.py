"""What the command line says of a move, and of what happened."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from innkeeper.cli.move_words import how_to_go_on
from innkeeper.cli.tables import event_line
from innkeeper.objects import (
    Claim,
    ClaimState,
    Event,
    EventKind,
    Holder,
    Move,
    MoveKind,
    MoveState,
    Placement,
    Request,
    Side,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
INSTANCE, MOVE = UUID(int=1), UUID(int=2)


def _claim_from(source: str) -> tuple[Claim, Move]:
    move = Move(
        id=MOVE,
        kind=MoveKind.RESIZE,
        side=Side.DESTINATION,
        source=source,
        destination="host-b",
        state=MoveState.CLAIMED,
    )
    claim = Claim(
        id=UUID(int=3),
        node="host-b",
        state=ClaimState.PENDING,
        instance_uuid=INSTANCE,
        holder=Holder(project="lab", user="ann"),
        request=Request(vcpus=1),
        placement=Placement(vcpus=1, memory_mib=0, disk_mib=0, cpus="0-3"),
        fingerprint="0" * 64,
        created_at=AT,
        updated_at=AT,
        move=move,
    )
    return claim, move


def test_the_source_is_told_with_a_command_that_runs_as_it_stands() -> None:
    assert how_to_go_on(*_claim_from("host-a")) == (
        f"tell host-a: innkeeper moves depart {INSTANCE} --kind resize --to host-b --id {MOVE}"
    )


def test_nobody_is_told_of_a_move_within_the_host() -> None:
    assert "depart" not in how_to_go_on(*_claim_from("host-b"))


@pytest.mark.parametrize("kind", [EventKind.PROCESS_ENDED, EventKind.LAPSED])
def test_a_line_of_history_says_why_once(kind: EventKind) -> None:
    details = {"reason": "process 7 ended", "vcpus": 1}
    line = event_line(Event(sequence=1, at=AT, kind=kind, details=details))
    assert line.count("process 7 ended") == 1
    assert line.endswith("vcpus=1")
