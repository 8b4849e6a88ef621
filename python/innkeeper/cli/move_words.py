"""The words of a move on a command line."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from pydantic import ValidationError

from innkeeper.api.wrong_words import refusal_of
from innkeeper.cli.refs import parse_uuid
from innkeeper.cli.spec_file import read_spec
from innkeeper.config.nearest import hint
from innkeeper.config.sizes import refusal
from innkeeper.errors import BadRequest
from innkeeper.objects import Claim, Departure, Move, MoveKind


def parse_kind(text: str, *, what: str) -> MoveKind:
    """The kind of a move; `live_migration` as well as `live-migration`.

    Raises:
        BadRequest: it is none.
    """
    word = text.strip().replace("_", "-")
    if word not in tuple(MoveKind):
        raise refusal(what, text, f"is no kind of move; {hint(word, MoveKind)}")
    return MoveKind(word)


def departure_of(move_id: str, kind: MoveKind, destination: str) -> Departure:
    """What the source is told. Raises BadRequest."""
    try:
        return Departure(id=UUID(move_id), kind=kind, destination=destination)
    except ValidationError as error:
        raise refusal_of(error.errors(include_url=False), Departure) from None


def how_to_go_on(claim: Claim, move: Move) -> str:
    """What is said next of a move whose destination was just claimed."""
    if move.source == claim.node:
        return f"move {move.id} stays on this host; `innkeeper moves confirm` or `revert` ends it"
    return (
        f"tell {move.source}: innkeeper moves depart {claim.instance_uuid} --kind {move.kind} "
        f"--to {move.destination} --id {move.id}"
    )


def move_of(
    kind: str | None, move_id: str | None, source: str | None, origin: str | None
) -> dict[str, Any] | None:
    """The `move` of a claim that is asked for; null when no flag speaks of one.

    Raises:
        BadRequest: a word is wrong, or flags of a move are there without `--move`.
    """
    if kind is None:
        if (move_id, source, origin) != (None, None, None):
            raise BadRequest(
                "--move-id, --from and --origin speak of a move: say which kind with --move"
            )
        return None
    return {
        "id": str(uuid4()) if move_id is None else parse_uuid(move_id, what="--move-id"),
        "kind": parse_kind(kind, what="--move").value,
        "source": source,
        "origin": None if origin is None else _origin(origin),
    }


def _origin(path: str) -> dict[str, Any]:
    """Of the claim on the source as `innkeeper claims show ID -o json` prints it there."""
    claim = read_spec(path)
    if not {"id", "request", "placement"} <= claim.keys():
        raise BadRequest(
            f"--origin {path} holds no claim: it is what `innkeeper claims show ID -o json` prints on "
            "the source"
        )
    return {"claim_id": claim["id"], "request": claim["request"], "placement": claim["placement"]}
