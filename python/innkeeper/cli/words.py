"""The flags of the command line, and the claim that they ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

import typer
from pydantic import ValidationError

from innkeeper.api.orders import ClaimOrder
from innkeeper.api.wrong_words import refusal_of
from innkeeper.cli.flags import takes
from innkeeper.cli.move_words import move_of
from innkeeper.cli.refs import parse_uuid
from innkeeper.cli.request_words import RequestWords, given, said
from innkeeper.cli.spec_file import read_spec
from innkeeper.config.nearest import quoted
from innkeeper.errors import BadRequest
from innkeeper.objects import Request
from innkeeper.requests.sizes import parse_duration

Spec = Annotated[
    str | None,
    typer.Option(
        "--spec",
        metavar="FILE",
        help="A claim, or a request alone, as JSON, YAML or TOML; - is stdin. Flags override.",
    ),
]
ClaimId = Annotated[
    str | None, typer.Option("--claim-id", metavar="ID", help="Makes it idempotent.")
]
Instance = Annotated[str | None, typer.Option("--instance", metavar="UUID", help="Whose it is.")]
Name = Annotated[str | None, typer.Option("--name", metavar="N", help="A name for people.")]
Project = Annotated[str | None, typer.Option("--project", metavar="P", help="Holder's project.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="What for.")]
Lease = Annotated[
    str | None, typer.Option("--lease", metavar="10m", help="Ends unless it is renewed in time.")
]
Wait = Annotated[str | None, typer.Option("--wait", metavar="30s", help="Wait so long for room.")]
MoveFlag = Annotated[
    str | None,
    typer.Option(
        "--move",
        metavar="KIND",
        help="The instance moves here: resize, migration, live-migration or evacuation.",
    ),
]
MoveId = Annotated[
    str | None,
    typer.Option("--move-id", metavar="UUID", help="The move's, the same on both hosts; else new."),
]
Source = Annotated[
    str | None, typer.Option("--from", metavar="NODE", help="Where it comes from; else this host.")
]
OriginFile = Annotated[
    str | None,
    typer.Option(
        "--origin", metavar="FILE", help="Its claim there, as `claims show ID -o json` prints it."
    ),
]


@dataclass(frozen=True, slots=True)
class ClaimWords(RequestWords):
    """What the flags of a claim say, still as text; each field is one flag."""

    claim_id: ClaimId = None
    instance: Instance = None
    name: Name = None
    project: Project = None
    reason: Reason = None
    lease: Lease = None
    wait: Wait = None
    spec: Spec = None
    move: MoveFlag = None
    move_id: MoveId = None
    source: Source = None
    origin: OriginFile = None

    def order(self, *, pid: int | None = None) -> ClaimOrder:
        """The claim: the spec file, then each flag over it; it has an id in any case.

        Raises:
            BadRequest: a word is wrong, or nothing is asked for.
        """
        words = _claim_of(read_spec(self.spec)) if self.spec is not None else {}
        request = self.over(_section(words, "request"))
        holder = _section(words, "holder") | given(project=self.project, reason=self.reason)
        parts = given(request=request, holder=holder or None, pid=pid)
        order = _validated({"claim_id": str(uuid4()), **words, **parts, **self._claim()})
        if order.request == Request():
            raise BadRequest(
                "nothing is asked for; name at least one of --vcpus, --memory, --disk, --device, "
                "--counter, or a --spec with a request"
            )
        return order

    def _claim(self) -> dict[str, Any]:
        return given(
            claim_id=said(self.claim_id, parse_uuid, "--claim-id"),
            instance_uuid=said(self.instance, parse_uuid, "--instance"),
            name=self.name,
            lease_seconds=said(self.lease, parse_duration, "--lease"),
            wait_seconds=said(self.wait, parse_duration, "--wait"),
            move=move_of(self.move, self.move_id, self.source, self.origin),
        )


takes_claim_words = takes(ClaimWords, "said")
"""Gives a command every flag of a claim."""


def _claim_of(words: dict[str, Any]) -> dict[str, Any]:
    """A spec may hold the request alone, as `nearest` of a refusal does."""
    alone = bool(words) and words.keys() <= Request.model_fields.keys()
    return {"request": words} if alone else words


def _section(words: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = words.get(name, {})
    if not isinstance(section, dict):
        raise BadRequest(f"`{name}` in the spec should be a table, not {quoted(section)}")
    return section


def _validated(words: Mapping[str, Any]) -> ClaimOrder:
    try:
        # What JSON does not have, such as a date of TOML, is refused as the text that it is.
        return ClaimOrder.model_validate_json(json.dumps(words, default=str))
    except ValidationError as error:
        raise refusal_of(error.errors(include_url=False), ClaimOrder) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"the spec is no claim: {error}") from None
