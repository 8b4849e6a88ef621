"""Objects as rows: what is queried as columns, the whole as JSON text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from innkeeper.errors import BadRequest
from innkeeper.objects import (
    ChangeSet,
    Claim,
    Cordon,
    CordonKind,
    Device,
    Event,
    Finding,
    VersionedObject,
)
from innkeeper.store.nova.drafts import Draft, take_down, unprojected

Row = dict[str, Any]
"""The parameters of one execution of a statement, by column name."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAMAGED: Final = "its record is damaged: lift it once what it is around was looked at"
"""The reason of a cordon of which only the name could be read."""
DRAFT_BYTES: Final = 2048
"""What a record of the projection counts as, about, among the bytes of a batch."""

T = TypeVar("T", bound=VersionedObject)


@dataclass(frozen=True, slots=True)
class CordonChange:
    """The next form of one cordon."""

    row: Row
    lifted: bool
    """Its row goes."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What names it within its node."""
        return self.row["kind"], self.row["subject"], self.row["cause"]


@dataclass(frozen=True, slots=True)
class EncodedChangeSet:
    """A change set ready to be written; encoding is done, and has failed, before a batch begins."""

    id: UUID
    claims: tuple[Row, ...]
    events: tuple[Row, ...]
    """Without their sequence, which is given at commit."""
    findings: tuple[Row, ...]
    devices: tuple[Row, ...] | None
    cordons: tuple[CordonChange, ...]
    records: tuple[Draft, ...]
    """For the projection, which makes rows of them when it sees which are there."""
    size: int
    """Bytes of JSON, about."""


def encode_change_set(change_set: ChangeSet, node: str) -> EncodedChangeSet:
    """The rows of a change set.

    Raises:
        BadRequest: it is another node's, holds records that no table takes, or text that is no JSON.
    """
    _require_writable(change_set, node)
    try:
        parts = (
            tuple(map(claim_row, change_set.claims)),
            tuple(map(partial(event_row, node), change_set.events)),
            tuple(map(partial(_finding_row, node), change_set.findings)),
            _device_rows(node, change_set.devices),
            tuple(map(partial(cordon_change, node), change_set.cordons)),
        )
    except (PydanticSerializationError, UnicodeError, TypeError, ValueError) as error:
        message = f"The change set {change_set.id} cannot be stored as JSON: {error}"
        raise BadRequest(message) from error
    *tables, changes = parts
    size = sum(len(row["body"]) for rows in tables if rows for row in rows)
    size += sum(len(change.row["body"]) for change in changes)
    drafts = take_down(change_set.records)
    return EncodedChangeSet(change_set.id, *parts, drafts, size + len(drafts) * DRAFT_BYTES)


def _require_writable(change_set: ChangeSet, node: str) -> None:
    strangers = {claim.node for claim in change_set.claims} | {change_set.node}
    if strangers != {node}:
        other = ", ".join(sorted(strangers - {node}))
        raise BadRequest(f"This store keeps the ledger of {node}, not of {other}", node=node)
    if kinds := unprojected(change_set.records):
        message = f"This store has no rows for records of {', '.join(kinds)}"
        raise BadRequest(message, kinds=kinds)


def claim_row(claim: Claim) -> Row:
    """The row of a claim's next form."""
    return {
        "node": claim.node,
        "id": str(claim.id),
        "live": int(claim.state.live),
        "state": claim.state.value,
        "instance_uuid": _text(claim.instance_uuid),
        "updated_us": microseconds(claim.updated_at),
        "body": claim.model_dump_json(),
    }


def event_row(node: str, event: Event) -> Row:
    """The row of an event, but for its sequence."""
    return {
        "node": node,
        "kind": event.kind.value,
        "claim_id": _text(event.claim_id),
        "instance_uuid": _text(event.instance_uuid),
        "at_us": microseconds(event.at),
        "body": event.model_dump_json(exclude={"sequence"}),
    }


def _finding_row(node: str, finding: Finding) -> Row:
    return {
        "node": node,
        "id": finding.id,
        "kind": finding.kind,
        "cleared_us": None if finding.cleared_at is None else microseconds(finding.cleared_at),
        "body": finding.model_dump_json(),
    }


def cordon_change(node: str, cordon: Cordon) -> CordonChange:
    """The row of a cordon's next form."""
    row = {
        "node": node,
        "kind": cordon.kind.value,
        "subject": cordon.subject,
        "cause": cordon.cause.value,
        "body": cordon.model_dump_json(),
    }
    return CordonChange(row, lifted=cordon.lifted_at is not None)


def read_cordon(row: Mapping[str, Any]) -> Cordon | None:
    """The cordon of a row by its columns; None when these say none.

    Where only its text is damaged it stays in force: what names it stands in columns of its own.
    """
    found = parse_body(Cordon, row["body"])
    if found is not None:
        return found
    named = {name: row[name] for name in ("kind", "subject", "cause")}
    try:
        cordon = Cordon.model_validate({**named, "reason": DAMAGED, "at": EPOCH})
    except (ValidationError, UnicodeError):
        return None
    is_number = cordon.kind in (CordonKind.CELL, CordonKind.CPU)
    return None if is_number and not cordon.subject.isdecimal() else cordon


def is_damaged(cordon: Cordon) -> bool:
    """Whether nothing but its name could be read."""
    return cordon.reason == DAMAGED and cordon.at == EPOCH


def _device_rows(node: str, devices: Iterable[Device] | None) -> tuple[Row, ...] | None:
    if devices is None:
        return None
    return tuple(
        {
            "node": node,
            "address": device.address,
            "vendor_id": device.vendor_id,
            "product_id": device.product_id,
            "body": device.model_dump_json(),
        }
        for device in devices
    )


def parse_body(kind: type[T], body: object) -> T | None:
    """The object of a row, or None when its text is not one: such a row must not stop a list."""
    try:
        return kind.model_validate_json(body)  # type: ignore[arg-type]  # damaged rows hold anything
    except (ValidationError, TypeError, UnicodeError):
        return None


def microseconds(moment: datetime) -> int:
    """Microseconds after 1970; a moment without a zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // MICROSECOND


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
