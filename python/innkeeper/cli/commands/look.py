"""`show`: what the host has, and who holds it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from innkeeper.api.views import HostView
from innkeeper.cli.forms import Form, ListOutput, data_writers, put
from innkeeper.cli.local import Local, LocalHost, Root, Simulate, client_unless_local
from innkeeper.cli.picture import ink_and_width, picture
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import claims_table
from innkeeper.objects import Claim, ClaimState

LIVE = (ClaimState.PENDING, ClaimState.CONFIRMED)


def show(
    context: typer.Context,
    output: ListOutput = "table",
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
) -> None:
    """The host as a picture: what it has and who holds it."""
    client = client_unless_local(session_of(context), local=local, root=root, simulate=simulate)
    view = client.host() if client else LocalHost.observe(root, simulate).view()
    pictured = output in (Form.TABLE, Form.WIDE)
    claims = list(client.claims(LIVE)) if client and pictured else []
    put(
        output,
        {
            Form.TABLE: lambda: _picture(view, claims),
            Form.WIDE: lambda: (
                f"{_picture(view, claims)}\n{claims_table(claims, view.booted_at, wide=True)}"
            ),
            Form.NAME: lambda: view.node,
            **data_writers(view),
        },
    )


def _picture(view: HostView, claims: Sequence[Claim]) -> str:
    return picture(view, claims, *ink_and_width())
