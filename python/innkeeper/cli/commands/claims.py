"""`claim`, `claims`, `confirm`, `renew`, `release`, `fit`: the life of a claim."""

from __future__ import annotations

from typing import Annotated

import typer

from innkeeper.api.views import FitAnswer, RenewOrder
from innkeeper.cli import words
from innkeeper.cli.client import parse_ref
from innkeeper.cli.exits import say
from innkeeper.cli.forms import Form, Output, data_writers, put
from innkeeper.cli.local import Local, LocalHost, Root, Simulate, client_unless_local
from innkeeper.cli.placements import env_text, libvirt_text
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import ago, claim_table, claims_table, placement_table
from innkeeper.cli.words import ClaimWords, takes_claim_words
from innkeeper.objects import Claim, ClaimState
from innkeeper.requests.sizes import parse_duration

Ref = Annotated[
    str, typer.Argument(metavar="ID", help="A claim id, or the instance that holds it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say whether it would fit.")]
All = Annotated[bool, typer.Option("--all", help="Ended claims too.")]

claims_app = typer.Typer(invoke_without_command=True, help="Who holds what.")


@takes_claim_words
def claim(
    context: typer.Context, said: ClaimWords, dry_run: DryRun = False, output: Output = "table"
) -> None:
    """Hold room for an instance; it lapses unless it is confirmed in time."""
    order = said.order()
    client = session_of(context).client()
    if dry_run:
        put_fit(output, client.fit(order.request))
        return
    placed = client.place(order)
    put_claim(output, placed)
    if placed.state is ClaimState.PENDING and placed.expires_at is not None:
        say(
            f"pending: it lapses {ago(placed.expires_at)} unless confirmed with "
            f"`innkeeper confirm {placed.id}`"
        )


@takes_claim_words
def fit(
    context: typer.Context,
    said: ClaimWords,
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
    output: Output = "table",
) -> None:
    """Whether it would fit now, where, and how many of its kind; every reason if not."""
    request = said.order().request
    socket = session_of(context).socket
    client = client_unless_local(socket, local=local, root=root, simulate=simulate)
    answer = client.fit(request) if client else LocalHost.observe(root, simulate).fit(request)
    put_fit(output, answer)


def put_fit(output: str, answer: FitAnswer) -> None:
    """Where it would be placed."""
    times = "once" if answer.count == 1 else f"{answer.count} times"
    put(
        output,
        {
            Form.TABLE: lambda: f"it fits ({times})\n{placement_table(answer.placement)}",
            Form.WIDE: lambda: f"it fits ({times})\n{placement_table(answer.placement)}",
            Form.ENV: lambda: env_text(answer.placement, None),
            Form.LIBVIRT: lambda: libvirt_text(answer.placement, None),
            **data_writers(answer),
        },
    )


def put_claim(output: str, one: Claim) -> None:
    """One claim in any form."""
    put(
        output,
        {
            Form.TABLE: lambda: claim_table(one),
            Form.WIDE: lambda: claim_table(one),
            Form.NAME: lambda: str(one.id),
            Form.ENV: lambda: env_text(one.placement, one.id),
            Form.LIBVIRT: lambda: libvirt_text(one.placement, one.id),
            **data_writers(one),
        },
    )


@claims_app.callback()
def claims(context: typer.Context, every: All = False, output: Output = "table") -> None:
    """Who holds what; `claims show ID` for one claim."""
    if context.invoked_subcommand is not None:
        return
    states = tuple(ClaimState) if every else (ClaimState.PENDING, ClaimState.CONFIRMED)
    found = list(session_of(context).client().claims(states))
    put(
        output,
        {
            Form.TABLE: lambda: claims_table(found),
            Form.WIDE: lambda: claims_table(found, wide=True),
            Form.NAME: lambda: "\n".join(str(one.id) for one in found),
            **data_writers(found),
        },
    )


@claims_app.command("show")
def show_claim(context: typer.Context, ref: Ref, output: Output = "table") -> None:
    """One claim, ended ones included."""
    put_claim(output, session_of(context).client().claim(parse_ref(ref)))


def confirm(context: typer.Context, ref: Ref, output: Output = "table") -> None:
    """The instance was built: keep the claim until it is released."""
    put_claim(output, session_of(context).client().change(parse_ref(ref), "confirm"))


def renew(
    context: typer.Context, ref: Ref, lease: words.Lease = None, output: Output = "table"
) -> None:
    """Start the lease, or the time to confirm, anew."""
    order = RenewOrder(lease_seconds=parse_duration(lease, what="--lease")) if lease else None
    put_claim(output, session_of(context).client().change(parse_ref(ref), "renew", order))


def release(context: typer.Context, ref: Ref, output: Output = "table") -> None:
    """Give back what a claim holds."""
    put_claim(output, session_of(context).client().release(parse_ref(ref)))
