"""`show`, `devices`, `pools`: what the host has."""

from __future__ import annotations

import typer

from innkeeper.cli.forms import Form, Output, data_writers, put
from innkeeper.cli.local import Local, LocalHost, Root, Simulate, client_unless_local
from innkeeper.cli.session import session_of
from innkeeper.cli.tables import claims_table, devices_table, pools_table
from innkeeper.objects import ClaimState

LIVE = (ClaimState.PENDING, ClaimState.CONFIRMED)


def show(
    context: typer.Context,
    output: Output = "table",
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
) -> None:
    """The host as a picture: what it has and who holds it."""
    from innkeeper.cli.picture import show_host

    client = client_unless_local(
        session_of(context).socket, local=local, root=root, simulate=simulate
    )
    view = client.host() if client else LocalHost.observe(root, simulate).view()
    claims = list(client.claims(LIVE)) if client else []

    def draw() -> None:
        show_host(view, claims)

    def draw_wide() -> str:
        show_host(view, [])
        return claims_table(claims, wide=True) if claims else ""

    put(output, {Form.TABLE: draw, Form.WIDE: draw_wide, **data_writers(view)})


def devices(
    context: typer.Context,
    output: Output = "table",
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
) -> None:
    """Every PCI function, and whether it may be claimed."""
    client = client_unless_local(
        session_of(context).socket, local=local, root=root, simulate=simulate
    )
    views = client.devices().devices if client else LocalHost.observe(root, simulate).devices()
    put(
        output,
        {
            Form.TABLE: lambda: devices_table(views),
            Form.WIDE: lambda: devices_table(views, wide=True),
            Form.NAME: lambda: "\n".join(one.function.address for one in views),
            **data_writers(views),
        },
    )


def pools(context: typer.Context, output: Output = "table") -> None:
    """Devices alike that may be claimed, counted."""
    found = session_of(context).client().pools().pools
    put(
        output,
        {
            Form.TABLE: lambda: pools_table(found),
            Form.WIDE: lambda: pools_table(found),
            Form.NAME: lambda: "\n".join(f"{p.vendor_id}:{p.product_id}" for p in found),
            **data_writers(found),
        },
    )
