"""`run`: hold room for as long as a command runs, however it ends."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from innkeeper.cli.client import Client
from innkeeper.cli.exits import Exit, say
from innkeeper.cli.placements import cpu_ids, environment
from innkeeper.cli.session import session_of
from innkeeper.cli.words import ClaimWords, takes_claim_words
from innkeeper.errors import InnkeeperError
from innkeeper.objects import Claim

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""As shells say it (POSIX, Exit Status for Commands)."""

_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""A process that is executed inherits what is ignored, and CMD expects to be ended by these."""

Command = Annotated[list[str], typer.Argument(metavar="-- CMD...", help="What to run.")]


@takes_claim_words
def run(context: typer.Context, command: Command, said: ClaimWords) -> None:
    """Claim, run CMD on the claim's CPUs with INNKEEPER_* set, release when CMD ends.

    This process becomes CMD, so its exit code is CMD's; the daemon watches the process.
    """
    order = said.order(pid=os.getpid())
    program = _program(command[0])
    client = session_of(context).client()
    _become(program, command, client.place(order), client)


def _program(name: str) -> str:
    """The file to run; a command that cannot run claims nothing."""
    path = shutil.which(name)
    if path is not None:
        return path
    if os.path.exists(name) and os.sep in name:  # noqa: PTH110 - a name, not a path of ours
        say(f"innkeeper: {name}: not executable; nothing was claimed")
        raise typer.Exit(_NOT_EXECUTABLE)
    say(f"innkeeper: {name}: command not found; nothing was claimed")
    raise typer.Exit(_NOT_FOUND)


def _become(program: str, command: list[str], claim: Claim, client: Client) -> NoReturn:
    _bind(claim, client)
    for one in _IGNORED_BY_PYTHON:
        signal.signal(one, signal.SIG_DFL)
    words = environment(claim.placement, claim.id)
    try:
        os.execve(program, command, {**os.environ, **words})
    except OSError as error:
        missing = error.errno == errno.ENOENT
        _give_back(claim, client, f"{program}: {error.strerror}")
        raise typer.Exit(_NOT_FOUND if missing else _NOT_EXECUTABLE) from error


def _bind(claim: Claim, client: Client) -> None:
    """Run on the claim's CPUs only; a placement without vCPUs binds nothing."""
    cpus = cpu_ids(claim.placement.cpus)
    try:
        if cpus:
            os.sched_setaffinity(0, cpus)
    except OSError as error:
        problem = f"cannot run on CPUs {claim.placement.cpus}: {error.strerror}"
        _give_back(claim, client, problem)
        raise typer.Exit(Exit.ERROR) from error


def _give_back(claim: Claim, client: Client, problem: str) -> None:
    """At once; if the daemon cannot be told, it sees that this process ends."""
    with suppress(InnkeeperError):
        client.release(claim.id)
    say(f"innkeeper: {problem}; the claim is released")
