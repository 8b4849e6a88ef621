"""`claim`, `claims`, `confirm`, `renew`, `release`: the life of a claim."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.api.orders import RenewOrder
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.commands.answers import put_claim, put_fit
from innkeeper.cli.commands.claim_update import update_claim
from innkeeper.cli.exits import say
from innkeeper.cli.forms import ClaimOutput, Form, ListOutput, data_writers, names, put
from innkeeper.cli.move_words import how_to_go_on
from innkeeper.cli.quantities import until
from innkeeper.cli.refs import Ref, parse_ref
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import claims_table
from innkeeper.cli.words import ClaimWords, Lease, takes_claim_words
from innkeeper.objects import Claim, ClaimState
from innkeeper.requests.sizes import parse_duration

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say whether it would fit.")]
All = Annotated[bool, typer.Option("--all", help="Ended claims too.")]

claims_app = new_group(invoke_without_command=True, help="Who holds what.")


@takes_claim_words
def claim(
    context: typer.Context, said: ClaimWords, dry_run: DryRun = False, output: ClaimOutput = "table"
) -> None:
    """Hold room for an instance; it lapses unless it is confirmed in time."""
    order = said.order()
    client = session_of(context).client()
    if dry_run:
        put_fit(output, client.fit(order.request))
        return
    placed = client.place(order)
    put_claim(output, placed)
    _say_how_to_confirm(placed)


def _say_how_to_confirm(placed: Claim) -> None:
    if placed.move is not None:
        say(how_to_go_on(placed, placed.move))
    if placed.state is ClaimState.PENDING and placed.expires_at is not None:
        say(
            f"pending: it lapses {until(placed.expires_at)}, at {placed.expires_at:%H:%M:%S} UTC, "
            f"unless it is confirmed: innkeeper confirm {placed.id}"
        )


@claims_app.callback()
def claims(context: typer.Context, every: All = False, output: ListOutput = "table") -> None:
    """Who holds what; `claims show ID` for one claim."""
    if context.invoked_subcommand is not None:
        return
    states = tuple(ClaimState) if every else (ClaimState.PENDING, ClaimState.CONFIRMED)
    pages = tuple(session_of(context).client().claim_pages(states))
    found = [claim for page in pages for claim in page.claims]
    booted_at = pages[0].booted_at
    put(
        output,
        {
            Form.TABLE: lambda: claims_table(found, booted_at),
            Form.WIDE: lambda: claims_table(found, booted_at, wide=True),
            Form.NAME: lambda: names(one.id for one in found),
            **data_writers(found),
        },
    )


@claims_app.command("show")
def show_claim(context: typer.Context, ref: Ref, output: ClaimOutput = "table") -> None:
    """One claim, ended ones included."""
    named = parse_ref(ref)
    put_claim(output, session_of(context).client().claim(named))


claims_app.command("update")(update_claim)


def confirm(context: typer.Context, ref: Ref, output: ClaimOutput = "table") -> None:
    """The instance was built, or arrived: keep the claim until it is released, or its lease ends."""
    named = parse_ref(ref)
    put_claim(output, session_of(context).client().change(named, "confirm"))


def renew(
    context: typer.Context, ref: Ref, lease: Lease = None, output: ClaimOutput = "table"
) -> None:
    """Start the lease, or the time to confirm, anew."""
    named = parse_ref(ref)
    seconds = None if lease is None else parse_duration(lease, what="--lease")
    order = RenewOrder(lease_seconds=seconds)
    put_claim(output, session_of(context).client().change(named, "renew", order))


def release(context: typer.Context, ref: Ref, output: ClaimOutput = "table") -> None:
    """Give back what a claim holds; a pending one is aborted."""
    named = parse_ref(ref)
    put_claim(output, session_of(context).client().release(named))
