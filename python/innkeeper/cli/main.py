"""`innkeeper`: finds the command, and says how it ended."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from innkeeper.cli.catalogue import Commands
from innkeeper.cli.exits import exit_code, tell
from innkeeper.cli.session import Session
from innkeeper.errors import InnkeeperError

app = typer.Typer(
    cls=Commands,
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
        Path | None,
        typer.Option("--socket", metavar="P", help="The daemon's socket; else $INNKEEPER_SOCKET."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    """Words that stand before every command."""
    context.obj = Session(socket)


def main() -> None:
    """Run one command; a refusal is told on stderr and is an exit code, never a traceback."""
    # Objects of a short run are not worth looking for garbage in; `serve` turns it on again.
    gc.disable()
    _steady_streams()
    try:
        app()
    except InnkeeperError as error:
        tell(error)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _steady_streams() -> None:
    """A stream that was closed takes everything, and none breaks on characters it does not have."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open to the end
        getattr(sys, name).reconfigure(errors="backslashreplace")
