"""`findings`: what audits found, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from innkeeper.api.views import RepairView
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.client import Client
from innkeeper.cli.exits import Exit, exit_code, say, tell
from innkeeper.cli.finding_tables import (
    finding_text,
    finding_writers,
    findings_table,
    repairs_table,
)
from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.session import session_of
from innkeeper.errors import BadRequest, InnkeeperError, Unreachable
from innkeeper.objects.finding_kinds import FINDING_KINDS

Cleared = Annotated[bool, typer.Option("--cleared", help="Those that are gone, too.")]
FindingId = Annotated[str, typer.Argument(metavar="ID", help="As `innkeeper findings` lists it.")]
FindingIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="As `innkeeper findings` lists them.")
]
All = Annotated[
    bool, typer.Option("--all", help="Every one that innkeeper can mend without a person's word.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

findings_app = new_group(invoke_without_command=True, help="What audits found, and what mends it.")


@findings_app.callback()
def findings(
    context: typer.Context, cleared: Cleared = False, output: ListOutput = "table"
) -> None:
    """What audits found; exit code 5 when something is open."""
    if context.invoked_subcommand is not None:
        return
    found = list(session_of(context).client().findings(cleared=cleared))
    put(output, finding_writers(found) | data_writers(found))
    if any(one.cleared_at is None for one in found):
        raise typer.Exit(Exit.FINDINGS)


@findings_app.command("show")
def show(context: typer.Context, finding: FindingId, output: ListOutput = "table") -> None:
    """One finding with its numbers; exit code 5 when it is open."""
    one = session_of(context).client().finding(finding)
    put(
        output,
        {
            Form.TABLE: lambda: finding_text(one),
            Form.WIDE: lambda: findings_table([one], wide=True),
            Form.NAME: lambda: one.id,
            **data_writers(one),
        },
    )
    if one.cleared_at is None:
        raise typer.Exit(Exit.FINDINGS)


@findings_app.command("repair")
def repair(
    context: typer.Context,
    ids: FindingIds = None,
    every: All = False,
    dry_run: DryRun = False,
    output: ListOutput = "table",
) -> None:
    """Mend what is named, or --all; exit code 5 when something is open after."""
    if bool(ids) is every:
        raise BadRequest("which findings? name them by their ids, or say --all")
    client = session_of(context).client()
    repaired, refusal = _repair_each(client, ids or _repairable(client), dry_run=dry_run)
    _put_repairs(output, repaired)
    if any(client.findings(cleared=False)):
        raise typer.Exit(Exit.FINDINGS)
    if refusal is not None:
        raise typer.Exit(exit_code(refusal))


def _repairable(client: Client) -> list[str]:
    """Those that ask for no person; of a newer daemon's kinds that cannot be known."""
    unasked = {kind.name for kind in FINDING_KINDS.values() if kind.repairs_itself}
    return [one.id for one in client.findings(cleared=False) if one.kind in unasked]


def _repair_each(
    client: Client, ids: Sequence[str], *, dry_run: bool
) -> tuple[list[RepairView], InnkeeperError | None]:
    """What was mended, and the first refusal: one that cannot be mended keeps no other from it.

    Raises:
        Unreachable: the daemon is gone.
    """
    repaired: list[RepairView] = []
    first: InnkeeperError | None = None
    for finding_id in dict.fromkeys(ids):
        try:
            repaired.append(client.repair(finding_id, dry_run=dry_run))
        except Unreachable:
            raise
        except InnkeeperError as refusal:
            tell(refusal)
            first = first or refusal
    return repaired, first


def _put_repairs(output: str, repaired: Sequence[RepairView]) -> None:
    put(
        output,
        {
            Form.TABLE: lambda: repairs_table(repaired) if repaired else "",
            Form.WIDE: lambda: repairs_table(repaired) if repaired else "",
            Form.NAME: lambda: names(one.finding.id for one in repaired),
            **data_writers(repaired),
        },
    )
    if not repaired:
        say("nothing was repaired")
    elif repaired[0].dry_run:
        say("nothing was changed: this is what a repair would do")
