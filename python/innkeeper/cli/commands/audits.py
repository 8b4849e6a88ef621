"""`audit run`, `history`: what differs, and what happened."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.api.orders import AuditOrder
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.client import Client
from innkeeper.cli.exits import Exit, say
from innkeeper.cli.finding_tables import finding_writers
from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.refs import parse_ref
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import events_table
from innkeeper.objects import Event

audit_app = new_group(no_args_is_help=True, help="Compare ledger, store and host.")
Full = Annotated[
    bool, typer.Option("--full", help="Everything, and not only what changed since the last one.")
]
MaybeRef = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Of one claim or instance only.")
]


@audit_app.callback()
def audit() -> None:
    """Compare ledger, store and host."""


@audit_app.command("run")
def audit_run(context: typer.Context, full: Full = False, output: ListOutput = "table") -> None:
    """Audit now; exit code 5 when something is open."""
    report = session_of(context).client().audit(AuditOrder(full=full))
    put(output, finding_writers(report.findings) | data_writers(report))
    what = "all" if report.full else "what changed"
    say(f"audited {what} at generation {report.generation} in {report.seconds * 1000:.0f} ms")
    if report.findings:
        raise typer.Exit(Exit.FINDINGS)


def history(context: typer.Context, ref: MaybeRef = None, output: ListOutput = "table") -> None:
    """What happened, in the order in which it became durable."""
    client = session_of(context).client()
    events = _events_of(client, ref) if ref is not None else list(client.events())
    put(
        output,
        {
            Form.TABLE: lambda: events_table(events),
            Form.WIDE: lambda: events_table(events),
            Form.NAME: lambda: names(one.sequence for one in events),
            **data_writers(events),
        },
    )


def _events_of(client: Client, text: str) -> list[Event]:
    """What is known of a claim or an instance, also after the claim itself was forgotten.

    Raises:
        UnknownClaim: nothing is.
    """
    ref = parse_ref(text)
    events = list(client.events(claim_id=ref)) or list(client.events(instance_uuid=ref))
    return events or list(client.events(claim_id=client.claim(ref).id))
