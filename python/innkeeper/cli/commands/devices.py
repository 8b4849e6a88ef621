"""`devices`, `pools`, `aliases`: what is handed out, and by which names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from innkeeper.api.views import DeviceView
from innkeeper.cli.catalogue import new_group
from innkeeper.cli.commands.cordons import Dirty, Why, lift, order_of, put_cordon
from innkeeper.cli.device_tables import aliases_table, devices_table, pools_table
from innkeeper.cli.device_tree import devices_tree
from innkeeper.cli.flags import takes
from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.local import Local, LocalHost, Root, Simulate, client_unless_local
from innkeeper.cli.refs import parse_address, parse_marked_device, parse_ref
from innkeeper.cli.session import Session, session_of
from innkeeper.errors import BadRequest
from innkeeper.objects import CordonKind

Free = Annotated[bool, typer.Option("--free", help="Only those that could be claimed now.")]
HeldBy = Annotated[
    str | None,
    typer.Option("--held-by", metavar="ID", help="Only those of one claim, or of its instance."),
]
Tree = Annotated[
    bool, typer.Option("--tree", help="VFs below their PFs, cards below their switches.")
]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="Such as 0000:3b:00.1.")]

devices_app = new_group(
    invoke_without_command=True, help="Every PCI function, and whether it may be claimed."
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which devices, and where they are looked for."""

    free: Free = False
    held_by: HeldBy = None
    tree: Tree = False
    local: Local = False
    root: Root = None
    simulate: Simulate = None

    def views(self, session: Session) -> Sequence[DeviceView]:
        """Those that were asked for.

        Raises:
            BadRequest, HostUnreadable, Unreachable, UnknownClaim
        """
        if self.held_by is not None:
            return self._held(session, self.held_by)
        client = client_unless_local(
            session, local=self.local, root=self.root, simulate=self.simulate
        )
        if client is not None:
            return client.devices(free=True if self.free else None).devices
        views = LocalHost.observe(self.root, self.simulate).devices()
        return [view for view in views if view.claimable] if self.free else views

    def _held(self, session: Session, held_by: str) -> Sequence[DeviceView]:
        """Who holds what only a daemon knows."""
        if self.free:
            raise BadRequest("a device is either free or held: give one of --free, --held-by")
        if self.local or self.root is not None or self.simulate is not None:
            raise BadRequest("--held-by asks a daemon: without one nothing is held")
        return session.client().devices(held_by=parse_ref(held_by)).devices


@devices_app.callback()
@takes(Choice, "choice")
def devices(context: typer.Context, choice: Choice, output: ListOutput = "table") -> None:
    """Every PCI function, and whether it may be claimed; `devices cordon ADDRESS` withholds one."""
    if context.invoked_subcommand is None:
        _put(output, choice.views(session_of(context)), tree=choice.tree)


def _put(output: str, views: Sequence[DeviceView], *, tree: bool) -> None:
    table = (lambda: devices_tree(views)) if tree else (lambda: devices_table(views))
    wide = table if tree else (lambda: devices_table(views, wide=True))
    put(
        output,
        {
            Form.TABLE: table,
            Form.WIDE: wide,
            Form.NAME: lambda: names(one.function.address for one in views),
            **data_writers(views),
        },
    )


@devices_app.command("cordon")
def cordon_device(
    context: typer.Context, address: Address, reason: Why, output: ListOutput = "table"
) -> None:
    """Keep new claims off a device, and so off its PF and VFs; the claim that holds it keeps it."""
    order = order_of(CordonKind.DEVICE, parse_address(address), reason)
    put_cordon(output, session_of(context).client().cordon(order))


@devices_app.command("uncordon")
def uncordon_device(
    context: typer.Context, address: Address, dirty: Dirty = False, output: ListOutput = "table"
) -> None:
    """Hand a device out again."""
    subject = parse_marked_device(address)
    lift(session_of(context).client(), CordonKind.DEVICE, subject, output, dirty=dirty)


def pools(
    context: typer.Context,
    output: ListOutput = "table",
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
) -> None:
    """Devices alike that may be claimed, counted."""
    client = client_unless_local(session_of(context), local=local, root=root, simulate=simulate)
    found = client.pools().pools if client else LocalHost.observe(root, simulate).view().pools
    put(
        output,
        {
            Form.TABLE: lambda: pools_table(found),
            Form.WIDE: lambda: pools_table(found, wide=True),
            Form.NAME: lambda: names(f"{pool.vendor_id}:{pool.product_id}" for pool in found),
            **data_writers(found),
        },
    )


def aliases(context: typer.Context, output: ListOutput = "table") -> None:
    """The operator's names for devices, what they stand for, and how many of each would fit now."""
    found = session_of(context).client().aliases().aliases
    put(
        output,
        {
            Form.TABLE: lambda: aliases_table(found),
            Form.WIDE: lambda: aliases_table(found),
            Form.NAME: lambda: names(one.name for one in found),
            **data_writers(found),
        },
    )
