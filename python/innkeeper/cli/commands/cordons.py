"""`cordon`, `uncordon`, `cordons`: the operator's hand on what takes no new claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from pydantic import ValidationError

from innkeeper.api.cordon_words import cordoned_words, place_words
from innkeeper.api.orders import CordonOrder
from innkeeper.api.wrong_words import refusal_of
from innkeeper.cli.client import Client
from innkeeper.cli.device_tables import cordons_table
from innkeeper.cli.exits import say
from innkeeper.cli.forms import Form, ListOutput, data_writers, names, put
from innkeeper.cli.refs import parse_address, parse_marked_device
from innkeeper.cli.session import session_of
from innkeeper.errors import BadRequest
from innkeeper.objects import Cordon, CordonCause, CordonKind

What = Annotated[CordonKind, typer.Argument(metavar="WHAT", help="host, cell, cpu or device.")]
Which = Annotated[
    str | None,
    typer.Argument(metavar="WHICH", help="The cell's id, the CPU's number, a PCI address."),
]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="What others are told.")]
Dirty = Annotated[
    bool, typer.Option("--dirty", help="Give a dirty device out though it was not cleaned.")
]


def cordon(
    context: typer.Context,
    what: What,
    reason: Why,
    which: Which = None,
    output: ListOutput = "table",
) -> None:
    """Keep new claims off the host, a cell, a CPU or a device; claims that hold it keep it."""
    order = order_of(what, _subject(what, which, parse_address), reason)
    client = session_of(context).client()
    put_cordon(output, client.cordon(order))


def uncordon(
    context: typer.Context,
    what: What,
    which: Which = None,
    dirty: Dirty = False,
    output: ListOutput = "table",
) -> None:
    """Let new claims come again."""
    subject = _subject(what, which, parse_marked_device)
    client = session_of(context).client()
    lift(client, what, subject or client.about().node, output, dirty=dirty)


def order_of(kind: CordonKind, subject: str | None, reason: str) -> CordonOrder:
    """What is asked of the daemon. Raises BadRequest."""
    try:
        return CordonOrder(kind=kind, subject=subject, reason=reason)
    except ValidationError as error:
        raise refusal_of(error.errors(include_url=False), CordonOrder) from None


def lift(client: Client, kind: CordonKind, subject: str, output: str, *, dirty: bool) -> None:
    """Lift one cordon, and say so."""
    lifted = client.uncordon(kind, subject, CordonCause.DIRTY if dirty else None)
    put_cordon(output, lifted)


def _subject(what: CordonKind, which: str | None, parse_device: Callable[[str], str]) -> str | None:
    """What is named; of the host nothing is, since it is the daemon's.

    Raises:
        BadRequest: there is a name too many, or none.
    """
    if what is CordonKind.HOST:
        if which is not None:
            raise BadRequest("a host needs no name here: it is the one that the daemon runs on")
        return None
    if which is None:
        raise BadRequest(f"which {what}? write `{what} {_EXAMPLES[what]}`")
    return parse_device(which) if what is CordonKind.DEVICE else which


_EXAMPLES = {CordonKind.CELL: "1", CordonKind.CPU: "4", CordonKind.DEVICE: "0000:3b:00.1"}


def put_cordon(output: str, one: Cordon) -> None:
    """One cordon that was placed or lifted."""
    words = _placed_words if one.lifted_at is None else _lifted_words
    put(
        output,
        {
            Form.TABLE: lambda: words(one),
            Form.WIDE: lambda: cordons_table([one], wide=True),
            Form.NAME: lambda: f"{one.kind}/{one.subject}",
            **data_writers(one),
        },
    )


def _placed_words(one: Cordon) -> str:
    where = f"{place_words(one)} " if one.kind is CordonKind.DEVICE else ""
    return f"{where}{cordoned_words(one)}"


def _lifted_words(one: Cordon) -> str:
    """Not that it takes claims again: something else may stand against that."""
    was = "dirty" if one.cause is CordonCause.DIRTY else "cordoned"
    return f"{place_words(one)} is no longer {was}; the reason was: {one.reason}"


def cordons(context: typer.Context, output: ListOutput = "table") -> None:
    """What takes no new claims: who said so, when and why."""
    found = session_of(context).client().cordons().cordons
    put(
        output,
        {
            Form.TABLE: lambda: cordons_table(found),
            Form.WIDE: lambda: cordons_table(found, wide=True),
            Form.NAME: lambda: names(f"{one.kind}/{one.subject}" for one in found),
            **data_writers(found),
        },
    )
    if not found:
        say("nothing is cordoned, and nothing is dirty")
