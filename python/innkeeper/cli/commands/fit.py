"""`fit`, which is also `explain`: whether it would fit, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from innkeeper.cli.commands.answers import put_count, put_fit, put_refusal
from innkeeper.cli.flags import takes
from innkeeper.cli.forms import FitOutput
from innkeeper.cli.local import Local, LocalHost, Root, Simulate, client_unless_local
from innkeeper.cli.session import session_of
from innkeeper.cli.words import ClaimWords
from innkeeper.errors import NoFit

Count = Annotated[
    bool, typer.Option("--count", help="Only how many more would fit, and what runs out then.")
]


@dataclass(frozen=True, slots=True)
class FitWords(ClaimWords):
    """What the flags of a dry run say."""

    count: Count = False


@takes(FitWords, "said")
def fit(
    context: typer.Context,
    said: FitWords,
    local: Local = False,
    root: Root = None,
    simulate: Simulate = None,
    output: FitOutput = "table",
) -> None:
    """Whether it would fit now, where, and how often; every reason if not. Changes nothing."""
    request = said.order().request
    client = client_unless_local(session_of(context), local=local, root=root, simulate=simulate)
    try:
        answer = client.fit(request) if client else LocalHost.observe(root, simulate).fit(request)
    except NoFit as refusal:
        put_refusal(output, refusal)
        raise
    (put_count if said.count else put_fit)(output, answer)
