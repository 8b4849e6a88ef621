"""`run`: hold room for as long as a command runs, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
from typing import Annotated

import typer

from innkeeper.cli.client import Client
from innkeeper.cli.exits import say
from innkeeper.cli.placements import environment
from innkeeper.cli.session import session_of
from innkeeper.cli.words import ClaimWords, takes_claim_words
from innkeeper.objects import Claim

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""As shells say it (POSIX, Exit Status for Commands)."""

Command = Annotated[list[str], typer.Argument(metavar="-- CMD...", help="What to run.")]


@takes_claim_words
def run(context: typer.Context, command: Command, said: ClaimWords) -> None:
    """Claim, run CMD on the claim's CPUs with INNKEEPER_* set, release when CMD ends.

    This process becomes CMD, so its exit code is CMD's; the daemon watches the process.
    """
    program = _program(command[0])
    order = said.order(pid=os.getpid())
    client = session_of(context).client()
    _become(client, client.place(order), program, command)


def _program(name: str) -> str:
    """The file to run; a command that cannot run claims nothing."""
    path = shutil.which(name)
    if path is not None:
        return path
    exists = os.path.exists(name)  # noqa: PTH110 - a name, not a path of ours
    say(f"innkeeper: {name}: {'not executable' if exists else 'command not found'}")
    raise typer.Exit(NOT_EXECUTABLE if exists else NOT_FOUND)


def _become(client: Client, claim: Claim, program: str, command: list[str]) -> None:
    words = environment(claim.placement, claim.id)
    try:
        _bind(claim.placement.cpus)
        # Python ignores SIGPIPE, and what is ignored stays so in CMD.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execve(program, command, {**os.environ, **words})
    except OSError as error:
        client.release(claim.id)
        say(f"innkeeper: {program}: {error.strerror}; the claim was released")
        raise typer.Exit(NOT_EXECUTABLE) from None


def _bind(cpus: str) -> None:
    """Run on these CPUs only; a placement without vCPUs binds nothing."""
    if cpus:
        from innkeeper.drivers.sysfs.parse import parse_ids

        os.sched_setaffinity(0, parse_ids(cpus))
