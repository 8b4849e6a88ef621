"""`moves`: instances on their way from, to and within this host."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.api.move_views import MoveView
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.commands.answers import put_claim
from innkeeper.cli.forms import ClaimOutput, Form, ListOutput, data_writers, names, put
from innkeeper.cli.move_words import departure_of, parse_kind
from innkeeper.cli.refs import Ref, parse_ref, parse_uuid
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import claims_table, moves_table

MoveId = Annotated[str, typer.Argument(metavar="MOVE", help="The id of the move.")]
Kind = Annotated[
    str,
    typer.Option("--kind", metavar="KIND", help="resize, migration, live-migration or evacuation."),
]
Id = Annotated[str, typer.Option("--id", metavar="UUID", help="The move's, as on the destination.")]
To = Annotated[str, typer.Option("--to", metavar="NODE", help="Where the instance goes.")]

moves_app = new_group(
    invoke_without_command=True,
    help="Instances on their way: `claim --move` begins it on the destination.",
)


@moves_app.callback()
def moves(context: typer.Context, output: ListOutput = "table") -> None:
    """Moves that are open; `moves show MOVE` for one, also after it ended."""
    if context.invoked_subcommand is not None:
        return
    found = list(session_of(context).client().moves())
    put(
        output,
        {
            Form.TABLE: lambda: moves_table(found) if found else "nothing moves",
            Form.WIDE: lambda: moves_table(found) if found else "nothing moves",
            Form.NAME: lambda: names(one.id for one in found),
            **data_writers(found),
        },
    )


@moves_app.command("show")
def show(context: typer.Context, move: MoveId, output: ListOutput = "table") -> None:
    """One move with the claims of it that are on this host."""
    _put_move(output, session_of(context).client().move(_id_of(move)))


@moves_app.command("depart")
def depart(
    context: typer.Context, ref: Ref, kind: Kind, move: Id, to: To, output: ClaimOutput = "table"
) -> None:
    """Tell the source: the claim stays until the move is confirmed, and is given back then."""
    named = parse_ref(ref)
    departure = departure_of(_id_of(move), parse_kind(kind, what="--kind"), to)
    put_claim(output, session_of(context).client().change(named, "depart", departure))


@moves_app.command("confirm")
def confirm(context: typer.Context, move: MoveId, output: ListOutput = "table") -> None:
    """The instance stays where it arrived; said on both hosts, on the source once it runs elsewhere."""
    _put_move(output, session_of(context).client().settle_move(_id_of(move), "confirm"))


@moves_app.command("revert")
def revert(context: typer.Context, move: MoveId, output: ListOutput = "table") -> None:
    """The instance goes back, or never left; said on both hosts."""
    _put_move(output, session_of(context).client().settle_move(_id_of(move), "revert"))


@moves_app.command("fail")
def fail(context: typer.Context, move: MoveId, output: ListOutput = "table") -> None:
    """As `revert`, of a move that did not work."""
    _put_move(output, session_of(context).client().settle_move(_id_of(move), "fail"))


def _id_of(text: str) -> str:
    return parse_uuid(text, what="the move's id")


def _put_move(output: str, move: MoveView) -> None:
    put(
        output,
        {
            Form.TABLE: lambda: f"{moves_table([move])}\n\n{claims_table(move.claims)}",
            Form.WIDE: lambda: f"{moves_table([move])}\n\n{claims_table(move.claims, wide=True)}",
            Form.NAME: lambda: str(move.id),
            **data_writers(move),
        },
    )
