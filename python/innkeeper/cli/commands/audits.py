"""`audit run`, `findings`, `history`: what differs, and what happened."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.cli.client import parse_ref
from innkeeper.cli.exits import Exit, say
from innkeeper.cli.forms import Form, Output, data_writers, put
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import duration, events_table, findings_table
from innkeeper.objects import Finding

audit_app = typer.Typer(no_args_is_help=True, help="Compare ledger, store and host.")
Cleared = Annotated[bool, typer.Option("--cleared", help="Those that are gone, too.")]
MaybeRef = Annotated[str | None, typer.Argument(metavar="[ID]", help="Of one claim only.")]


@audit_app.callback()
def audit() -> None:
    """Compare ledger, store and host."""


@audit_app.command("run")
def audit_run(context: typer.Context, output: Output = "table") -> None:
    """Audit now; exit code 5 when something was found."""
    report = session_of(context).client().audit()
    writers = {
        Form.TABLE: lambda: _findings_text(report.findings),
        Form.WIDE: lambda: _findings_text(report.findings, wide=True),
        Form.NAME: lambda: "\n".join(one.id for one in report.findings),
        **data_writers(report),
    }
    put(output, writers)
    say(f"audited in {duration(report.seconds) if report.seconds >= 1 else _ms(report.seconds)}")
    _exit_with(bool(report.findings))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def findings(context: typer.Context, cleared: Cleared = False, output: Output = "table") -> None:
    """What audits found; exit code 5 when something is open."""
    found = list(session_of(context).client().findings(cleared=cleared))
    put(
        output,
        {
            Form.TABLE: lambda: _findings_text(found),
            Form.WIDE: lambda: _findings_text(found, wide=True),
            Form.NAME: lambda: "\n".join(one.id for one in found),
            **data_writers(found),
        },
    )
    _exit_with(any(one.cleared_at is None for one in found))


def _findings_text(found: list[Finding] | tuple[Finding, ...], *, wide: bool = False) -> str:
    return findings_table(found, wide=wide) if found else "nothing differs"


def _exit_with(found: bool) -> None:  # noqa: FBT001
    if found:
        raise typer.Exit(Exit.FINDINGS)


def history(context: typer.Context, ref: MaybeRef = None, output: Output = "table") -> None:
    """What happened, in the order in which it became durable."""
    client = session_of(context).client()
    claim_id = client.claim(parse_ref(ref)).id if ref else None
    events = list(client.events(claim_id))
    put(
        output,
        {
            Form.TABLE: lambda: events_table(events),
            Form.WIDE: lambda: events_table(events),
            Form.NAME: lambda: "\n".join(str(one.sequence) for one in events),
            **data_writers(events),
        },
    )
