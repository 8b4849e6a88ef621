"""What happens to a captured host under a daemon, from empty to full and back, written down as it happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from tests.daemon import client_of
from tests.scenario.captured_files import CapturedFiles, OneRule
from tests.unit.cli.program import PATIENCE, Outcome, Serving, serve

from innkeeper.api.views import ClaimList, HostView
from innkeeper.objects import Claim, Placement, Request


@dataclass(frozen=True)
class Asked:
    """One claim, as it was answered."""

    shape: str
    request: Request
    before: tuple[Placement, ...]
    """What was held then."""
    claim: Claim | None
    problem: Mapping[str, Any] | None
    nearest_fits: bool | None
    """Whether what the refusal offers instead would have fitted then; null: it offers nothing."""


@dataclass(frozen=True)
class Sight:
    """What a daemon shows at one moment."""

    view: HostView
    claims: tuple[Claim, ...]
    pictures: tuple[Outcome, ...]
    """Of `show` in every form."""


@dataclass
class Story:
    """Steps in order; what was placed is checked afterwards."""

    rule: OneRule
    empty: Sight
    asked: list[Asked] = field(default_factory=list)
    full: Sight | None = None
    restarted: Sight | None = None
    emptied: Sight | None = None
    again: list[Asked] = field(default_factory=list)
    """The first round once more, after everything was given back."""

    @property
    def files(self) -> CapturedFiles:
        """Of the host."""
        return self.rule.files

    @cached_property
    def placed(self) -> list[tuple[Asked, Placement]]:
        """Those that fitted."""
        return [(one, one.claim.placement) for one in self.asked if one.claim is not None]

    @cached_property
    def refused(self) -> list[tuple[Asked, Mapping[str, Any]]]:
        """Those that did not."""
        return [(one, one.problem) for one in self.asked if one.problem is not None]


def play(rule: OneRule, shapes: Mapping[str, Request]) -> Story:
    """Fill the host, kill the daemon, start it again, give everything back, and begin anew."""
    folder = Path(tempfile.mkdtemp(prefix="ik-"))
    try:
        with _daemon(folder, rule) as (serving, client):
            story = Story(rule, _look(serving, client))
            story.asked = list(_fill(client, shapes))
            story.full = _look(serving, client)
            serving.process.send_signal(signal.SIGKILL)
            serving.process.wait(PATIENCE)
        with _daemon(folder, rule) as (serving, client):
            story.restarted = _look(serving, client)
            _give_back(client, story.restarted.claims)
            story.emptied = _look(serving, client)
            story.again = list(_round(client, shapes, held=[]))
        return story
    finally:
        shutil.rmtree(folder)


@contextmanager
def _daemon(folder: Path, rule: OneRule) -> Iterator[tuple[Serving, httpx.Client]]:
    with (
        serve(folder, root=rule.files.root, config=rule.config()) as serving,
        client_of(serving.socket) as client,
    ):
        yield serving, client


def _look(serving: Serving, client: httpx.Client) -> Sight:
    run = serving.command_line
    listed = ClaimList.model_validate_json(client.get("/v1/claims", params={"limit": 1000}).text)
    return Sight(
        HostView.model_validate_json(client.get("/v1/host").text),
        listed.claims,
        tuple(run("show", "-o", form) for form in ("table", "wide", "json", "yaml", "name")),
    )


def _fill(client: httpx.Client, shapes: Mapping[str, Request]) -> Iterator[Asked]:
    """Round after round of those that fitted before, and of all when nothing does."""
    held: list[Placement] = []
    left = shapes
    while left:
        answers = list(_round(client, left, held))
        left = {one.shape: one.request for one in answers if one.claim is not None}
        yield from answers
    yield from _round(client, shapes, held)


def _round(
    client: httpx.Client, shapes: Mapping[str, Request], held: list[Placement]
) -> Iterator[Asked]:
    for shape, request in shapes.items():
        one = _ask(client, shape, request, tuple(held))
        if one.claim is not None:
            held.append(one.claim.placement)
        yield one


def _ask(
    client: httpx.Client, shape: str, request: Request, before: tuple[Placement, ...]
) -> Asked:
    answer = client.post("/v1/claims", json={"request": request.model_dump(mode="json")})
    if answer.status_code == 201:
        return Asked(shape, request, before, Claim.model_validate_json(answer.text), None, None)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "no_fit"), problem
    return Asked(shape, request, before, None, problem, _fits(client, problem["nearest"]))


def _fits(client: httpx.Client, nearest: object) -> bool | None:
    if nearest is None:
        return None
    return client.post("/v1/fit", json=nearest).status_code == 200


def _give_back(client: httpx.Client, claims: tuple[Claim, ...]) -> None:
    """Every second one first."""
    for claim in (*claims[::2], *claims[1::2]):
        client.delete(f"/v1/claims/{claim.id}").raise_for_status()
