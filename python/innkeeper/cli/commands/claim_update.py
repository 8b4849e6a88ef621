"""`claims update`: a claim that runs gets more or less."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from innkeeper.cli.commands.answers import put_claim
from innkeeper.cli.forms import ClaimOutput
from innkeeper.cli.refs import Ref, parse_ref
from innkeeper.cli.session import session_of
from innkeeper.errors import BadRequest
from innkeeper.objects import ClaimUpdate
from innkeeper.requests.sizes import parse_count, parse_disk, parse_memory

VCpus = Annotated[
    str | None,
    typer.Option("--vcpus", metavar="N", help="vCPUs, an equal part for each guest cell."),
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="512MiB, 8GiB, or MiB as a number.")
]
Disk = Annotated[
    str | None, typer.Option("--disk", metavar="SIZE", help="40GiB; a unit is needed.")
]


def update_claim(
    context: typer.Context,
    ref: Ref,
    vcpus: VCpus = None,
    memory: Memory = None,
    disk: Disk = None,
    output: ClaimOutput = "table",
) -> None:
    """Give a claim more or less, where it is; what is not named stays, devices too."""
    change = _change(vcpus, memory, disk)
    put_claim(output, session_of(context).client().update(parse_ref(ref), change))


def _change(vcpus: str | None, memory: str | None, disk: str | None) -> ClaimUpdate:
    said: dict[str, Any] = {}
    if vcpus is not None:
        said["vcpus"] = parse_count(vcpus, what="--vcpus")
    if memory is not None:
        said["memory_mib"] = parse_memory(memory, what="--memory")
    if disk is not None:
        said["disk_mib"] = parse_disk(disk, what="--disk")
    if not said:
        raise BadRequest("nothing is to change; name at least one of --vcpus, --memory, --disk")
    return ClaimUpdate(**said)
