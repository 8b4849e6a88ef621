"""`watch`: what happens, as it becomes durable."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.api.views import SnapshotView, WatchedEvent
from innkeeper.cli.exits import emit
from innkeeper.cli.following import Following
from innkeeper.cli.forms import Form, WatchOutput
from innkeeper.cli.refs import parse_ref
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import event_line
from innkeeper.objects import EventKind

MaybeRef = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Of one claim or instance only.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="TOKEN", help="What came after this token, too; 0: all that is kept."
    ),
]
Kinds = Annotated[
    list[EventKind] | None,
    typer.Option("--kind", metavar="KIND", help="Only these, such as claimed; repeatable."),
]


def watch(
    context: typer.Context,
    ref: MaybeRef = None,
    since: Since = None,
    kind: Kinds = None,
    output: WatchOutput = "table",
) -> None:
    """What happens, one line each, until it is interrupted; it comes back to a daemon that was away."""
    wanted = {
        "kind": None if kind is None else [str(one) for one in kind],
        "ref": None if ref is None else str(parse_ref(ref)),
    }
    following = Following(session_of(context).client(), since, wanted)
    for entry in following.entries():
        if text := _written(output, entry):
            emit(text)


def _written(output: str, entry: WatchedEvent | SnapshotView) -> str:
    if output == Form.JSON:
        return entry.model_dump_json()
    if output == Form.NAME:
        return entry.token
    return event_line(entry.event) if isinstance(entry, WatchedEvent) else ""
