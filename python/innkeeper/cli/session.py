"""What the words before the command say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from innkeeper.cli.client import Client


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command line."""

    socket: Path | None

    def client(self) -> Client:
        """A client of the daemon. Raises Unreachable."""
        from innkeeper.cli.client import Client

        return Client.find(self.socket)


def session_of(context: typer.Context) -> Session:
    """The session of this run."""
    session: Session = context.obj
    return session
