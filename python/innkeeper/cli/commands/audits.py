"""`audit run`, `findings`, `history`: what differs, and what happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from innkeeper.cli.catalogue import new_group
from innkeeper.cli.client import Client
from innkeeper.cli.exits import Exit, say
from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.refs import parse_ref
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import events_table, findings_table
from innkeeper.objects import Event, Finding

audit_app = new_group(no_args_is_help=True, help="Compare ledger, store and host.")
Cleared = Annotated[bool, typer.Option("--cleared", help="Those that are gone, too.")]
MaybeRef = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="Of one claim or instance only.")
]


@audit_app.callback()
def audit() -> None:
    """Compare ledger, store and host."""


@audit_app.command("run")
def audit_run(context: typer.Context, output: ListOutput = "table") -> None:
    """Audit now; exit code 5 when something was found."""
    report = session_of(context).client().audit()
    put(output, _writers(report.findings) | data_writers(report))
    say(f"audited generation {report.generation} in {report.seconds * 1000:.0f} ms")
    if report.findings:
        raise typer.Exit(Exit.FINDINGS)


def findings(
    context: typer.Context, cleared: Cleared = False, output: ListOutput = "table"
) -> None:
    """What audits found; exit code 5 when something is open."""
    found = list(session_of(context).client().findings(cleared=cleared))
    put(output, _writers(found) | data_writers(found))
    if any(one.cleared_at is None for one in found):
        raise typer.Exit(Exit.FINDINGS)


def _writers(found: Sequence[Finding]) -> dict[Form, Callable[[], str]]:
    return {
        Form.TABLE: lambda: _text(found),
        Form.WIDE: lambda: _text(found, wide=True),
        Form.NAME: lambda: names(one.id for one in found),
    }


def _text(found: Sequence[Finding], *, wide: bool = False) -> str:
    return findings_table(found, wide=wide) if found else "nothing differs"


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
