"""`service`: what programs that read Nova's tables see of this service."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from innkeeper.api.views import ServiceRecordView
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.forms import Form, ListOutput, data_writers, put
from innkeeper.cli.session import session_of

service_app = new_group(
    invoke_without_command=True,
    help="The service's record in Nova's tables: whether it is up, and what was said of it.",
)

Word = Annotated[Literal["true", "false"], typer.Argument(metavar="true|false")]


@service_app.callback()
def begin(context: typer.Context, output: ListOutput = "table") -> None:
    """Without a command: `show`."""
    if context.invoked_subcommand is None:
        show(context, output)


@service_app.command()
def show(context: typer.Context, output: ListOutput = "table") -> None:
    """Whether it is up, its last heartbeat, and its nodes."""
    put_service(output, session_of(context).client().service_record())


@service_app.command("forced-down")
def forced_down(context: typer.Context, forced: Word, output: ListOutput = "table") -> None:
    """Have others take it for down whatever it reports, or go by its heartbeat again; admins only."""
    put_service(output, session_of(context).client().force_down(forced=forced == "true"))


def put_service(output: str, view: ServiceRecordView) -> None:
    """One service."""
    put(
        output,
        {
            Form.TABLE: lambda: _words(view),
            Form.WIDE: lambda: _words(view),
            Form.NAME: lambda: f"service/{view.host}",
            **data_writers(view),
        },
    )


def _words(view: ServiceRecordView) -> str:
    seen = f"{view.last_seen_up:%Y-%m-%d %H:%M:%S} UTC" if view.last_seen_up else "never"
    disabled = f"yes: {view.disabled_reason}" if view.disabled_reason else "yes"
    lines = (
        ("service", f"{view.binary} on {view.host}, version {view.version}"),
        ("state", "up" if view.up else "down"),
        ("last seen up", f"{seen}, report {view.report_count}"),
        ("disabled", disabled if view.disabled else "no"),
        ("forced down", "yes" if view.forced_down else "no"),
        ("nodes", ", ".join(node.name for node in view.nodes) or "none"),
    )
    return "\n".join(f"{name:<13} {text}" for name, text in lines)
