"""`innkeeper`: every command, and how a run ends."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from innkeeper.cli.commands import audits, claims, look, run, setup
from innkeeper.cli.exits import exit_code, tell
from innkeeper.cli.session import Session
from innkeeper.errors import InnkeeperError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Knows what this host has, who holds it, and whether the next guest fits.",
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        from innkeeper import __version__

        sys.stdout.write(f"innkeeper {__version__}\n")
        raise typer.Exit


@app.callback()
def begin(
    context: typer.Context,
    socket: Annotated[
        Path | None, typer.Option("--socket", metavar="P", help="The daemon's socket.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    """Words that stand before every command."""
    context.obj = Session(socket)


app.command()(setup.serve)
app.command()(look.show)
app.command()(look.devices)
app.command()(look.pools)
app.add_typer(claims.claims_app, name="claims")
app.command()(claims.claim)
app.command()(claims.confirm)
app.command()(claims.renew)
app.command()(claims.release)
app.command()(claims.fit)
app.command("explain", help="Another name of `fit`.")(claims.fit)
app.command(context_settings={"ignore_unknown_options": False})(run.run)
app.add_typer(audits.audit_app, name="audit")
app.command()(audits.findings)
app.command()(audits.history)
app.command()(setup.capture)
app.add_typer(setup.config_app, name="config")


def main() -> None:
    """Run one command; a refusal is told on stderr and is an exit code, never a traceback."""
    # A reader that went away, as in `innkeeper claims | head`, ends us quietly.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        app()
    except InnkeeperError as error:
        tell(error)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
