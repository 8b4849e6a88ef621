"""Findings, and what mends them, for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from innkeeper.api.views import RepairView
from innkeeper.cli.forms import Form, names
from innkeeper.cli.quantities import ago, printable
from innkeeper.cli.tables import columns
from innkeeper.objects import Finding


def finding_writers(found: Sequence[Finding]) -> dict[Form, Callable[[], str]]:
    """The forms of a list that are for people, and its names."""
    return {
        Form.TABLE: lambda: findings_table(found) if found else "nothing differs",
        Form.WIDE: lambda: findings_table(found, wide=True) if found else "nothing differs",
        Form.NAME: lambda: names(one.id for one in found),
    }


def findings_table(findings: Iterable[Finding], *, wide: bool = False) -> str:
    """One line a finding; those that are gone say since when."""
    found = list(findings)
    head = ["FINDING", "SEVERITY", "KIND", "MESSAGE", "SINCE"]
    any_cleared = any(one.cleared_at for one in found)
    cleared_head = ["CLEARED"] if any_cleared else []
    wide_head = ["CLAIM", "LAST SEEN", "SUGGESTED", "REPAIR"] if wide else []
    rows = [
        [
            *(one.id, one.severity, one.kind, one.message, ago(one.first_seen)),
            *([_cleared(one)] if any_cleared else []),
            *(_wide_cells(one) if wide else []),
        ]
        for one in found
    ]
    return columns([*head, *cleared_head, *wide_head], rows)


def _cleared(one: Finding) -> str:
    return ago(one.cleared_at) if one.cleared_at else ""


def _wide_cells(one: Finding) -> list[str]:
    claim_id = str(one.claim_id or "")
    return [claim_id, ago(one.last_seen), one.suggested_repair or "", one.taken_repair or ""]


def finding_text(one: Finding) -> str:
    """One finding with all that is known of it."""
    facts = [
        ("subject", one.subject),
        ("message", one.message),
        ("booked", one.booked),
        ("observed", one.observed),
        ("claim", one.claim_id),
        ("suggested", one.suggested_repair),
        ("repair", one.taken_repair),
        ("first seen", f"{one.first_seen:%Y-%m-%d %H:%M:%S} UTC, {ago(one.first_seen)} ago"),
        ("last seen", f"{one.last_seen:%Y-%m-%d %H:%M:%S} UTC, {ago(one.last_seen)} ago"),
        ("cleared", one.cleared_at and f"{one.cleared_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    lines = [f"  {name:<10} {printable(str(value))}" for name, value in facts if value]
    return "\n".join([f"finding {one.id}  {one.severity}  {one.kind}", *lines])


def repairs_table(repairs: Iterable[RepairView]) -> str:
    """One line for each, with what was done or would be."""
    rows = [[one.finding.id, one.finding.kind, one.repair or "gone by itself"] for one in repairs]
    return columns(["FINDING", "KIND", "REPAIR"], rows)
