"""The flags of the command line, and the claim that they ask for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import ValidationError

from innkeeper.api.views import ClaimOrder
from innkeeper.api.wrong_words import refusal_of
from innkeeper.errors import BadRequest
from innkeeper.requests.sizes import (
    parse_count,
    parse_counter,
    parse_device,
    parse_disk,
    parse_duration,
    parse_memory,
)

SPEC_LIMIT = 2**20
"""Bytes that a spec file may have."""

VCpus = Annotated[str | None, typer.Option("--vcpus", metavar="N", help="vCPUs.")]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="SIZE", help="512MiB, 8GiB, or MiB as a number.")
]
Disk = Annotated[
    str | None, typer.Option("--disk", metavar="SIZE", help="40GiB; a unit is needed.")
]
Devices = Annotated[
    list[str] | None,
    typer.Option("--device", metavar="VENDOR:PRODUCT=N", help="PCI devices; may be repeated."),
]
Counters = Annotated[
    list[str] | None,
    typer.Option("--counter", metavar="NAME=N", help="The operator's counters; may be repeated."),
]
Spec = Annotated[
    str | None,
    typer.Option(
        "--spec", metavar="FILE", help="A claim as JSON, YAML or TOML; - is stdin. Flags override."
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


@dataclass(frozen=True, slots=True)
class ClaimWords:
    """What the flags of a claim say, still as text; each field is one flag."""

    claim_id: ClaimId = None
    instance: Instance = None
    name: Name = None
    vcpus: VCpus = None
    memory: Memory = None
    disk: Disk = None
    devices: Devices = None
    counters: Counters = None
    project: Project = None
    reason: Reason = None
    lease: Lease = None
    wait: Wait = None
    spec: Spec = None

    def order(self, *, pid: int | None = None) -> ClaimOrder:
        """The claim: the spec file, then each flag over it.

        Raises:
            BadRequest: a word is wrong, or nothing is asked for.
        """
        words = _read_spec(self.spec) if self.spec is not None else {}
        request = _section(words, "request")
        request |= self._request()
        holder = _section(words, "holder") | _given(project=self.project, reason=self.reason)
        words |= {"request": request} | self._claim()
        if holder:
            words["holder"] = holder
        if pid is not None:
            words["pid"] = pid
        if not request:
            raise BadRequest(
                "nothing is asked for; name at least one of --vcpus, --memory, --disk, --device, "
                "--counter, or a --spec"
            )
        return _validated(words)

    def _request(self) -> dict[str, Any]:
        return _given(
            vcpus=self.vcpus and parse_count(self.vcpus, what="--vcpus"),
            memory_mib=self.memory and parse_memory(self.memory, what="--memory"),
            disk_mib=self.disk and parse_disk(self.disk, what="--disk"),
            devices=[parse_device(one, what="--device").model_dump() for one in self.devices or ()]
            or None,
            counters=_counters(self.counters or ()) or None,
        )

    def _claim(self) -> dict[str, Any]:
        return _given(
            claim_id=self.claim_id,
            instance_uuid=self.instance,
            name=self.name,
            lease_seconds=self.lease and parse_duration(self.lease, what="--lease"),
            wait_seconds=self.wait and parse_duration(self.wait, what="--wait"),
        )


def takes_claim_words(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every flag of a claim; it gets them as one `ClaimWords` named `said`."""
    flags = get_type_hints(ClaimWords, include_extras=True)
    own = dict(signature(command).parameters)
    del own["said"]

    @wraps(command)
    def with_flags(**given: Any) -> None:
        said = ClaimWords(**{name: given.pop(name) for name in flags})
        command(said=said, **given)

    hints = get_type_hints(command, include_extras=True)
    added = {name: Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in flags}
    every = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (own | added).values()]
    with_flags.__annotations__ = {name: hints[name] for name in own} | flags
    with_flags.__signature__ = Signature(  # type: ignore[attr-defined]
        [one.replace(annotation=with_flags.__annotations__[one.name]) for one in every]
    )
    return with_flags


def _given(**words: Any) -> dict[str, Any]:
    return {key: value for key, value in words.items() if value is not None}


def _counters(texts: Iterable[str]) -> dict[str, int]:
    counters: dict[str, int] = {}
    for text in texts:
        name, count = parse_counter(text, what="--counter")
        if name in counters:
            raise BadRequest(f"--counter {name} is given twice")
        counters[name] = count
    return counters


def _section(words: dict[str, Any], name: str) -> dict[str, Any]:
    section = words.get(name) or {}
    if not isinstance(section, dict):
        raise BadRequest(f"{name} in the spec should be a table, not {section!r}")
    return dict(section)


def _read_spec(name: str) -> dict[str, Any]:
    """A spec file of any of the three forms; JSON is YAML, and TOML is told by its ending."""
    text = _spec_text(name)
    try:
        words = _parse(text, toml=name.endswith(".toml"))
    except ValueError as error:
        raise BadRequest(f"spec {name} cannot be read: {error}") from None
    if not isinstance(words, dict):
        raise BadRequest(f"spec {name} should hold one claim, a table of its words")
    return words


def _spec_text(name: str) -> str:
    try:
        if name == "-":
            data = sys.stdin.buffer.read(SPEC_LIMIT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(SPEC_LIMIT + 1)
        if len(data) > SPEC_LIMIT:
            raise BadRequest(f"spec {name} has more than {SPEC_LIMIT} bytes")
        return data.decode()
    except OSError as error:
        raise BadRequest(f"spec {name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"spec {name} is not UTF-8 text") from None


def _parse(text: str, *, toml: bool) -> Any:
    if toml:
        import tomllib

        return tomllib.loads(text)
    try:
        return json.loads(text)
    except ValueError:
        import yaml

        try:
            # As JSON again: YAML's own dates and the like are no words of a claim.
            return json.loads(json.dumps(yaml.safe_load(text)))
        except (yaml.YAMLError, TypeError, RecursionError) as error:
            raise ValueError(str(error).replace("\n", " ")) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _validated(words: dict[str, Any]) -> ClaimOrder:
    try:
        return ClaimOrder.model_validate_json(json.dumps(words))
    except ValidationError as error:
        raise refusal_of(error.errors(), ClaimOrder) from None
