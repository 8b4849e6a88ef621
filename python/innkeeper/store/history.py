"""What of history is there, what of it is wanted, and what of it may go."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, exists, func, or_, select

from innkeeper.errors import EventsForgotten
from innkeeper.objects.event import EventFilter
from innkeeper.store.tables import claims, events, ledgers

LAST_SEQUENCE: Final = 2**63 - 1


def standing(node: str) -> Select[Any]:
    """Where a ledger's history ends, and up to where events were deleted."""
    forgotten = func.coalesce(ledgers.c.forgotten, 0).label("forgotten")
    return select(ledgers.c.sequence, forgotten).where(ledgers.c.node == node)


def require_kept(after: int, last: int, forgotten: int) -> None:
    """Raises EventsForgotten unless every event later than `after` is there, and `after` was one."""
    if after > last:
        raise EventsForgotten(
            f"history ends at {last}, and what comes after {after} was asked for: this is not the "
            "history that was followed; take a snapshot and go on from there",
            oldest=forgotten + 1,
            last=last,
        )
    if after < forgotten:
        raise EventsForgotten(
            f"history before {forgotten + 1} is forgotten, and what comes after {after} was asked "
            "for; take a snapshot and go on from there",
            oldest=forgotten + 1,
            last=last,
        )


def of_wanted(query: Select[Any], wanted: EventFilter) -> Select[Any]:
    """Those of a query that are wanted."""
    if wanted.kinds is not None:
        query = query.where(events.c.kind.in_(sorted(wanted.kinds)))
    if wanted.claim_id is not None:
        query = query.where(events.c.claim_id == str(wanted.claim_id))
    if wanted.instance_uuid is not None:
        query = query.where(events.c.instance_uuid == str(wanted.instance_uuid))
    if wanted.ref is not None:
        ref = str(wanted.ref)
        query = query.where(or_(events.c.claim_id == ref, events.c.instance_uuid == ref))
    return query


def of_live_claim() -> ColumnElement[bool]:
    """Of an event: whether its claim still holds something."""
    return exists().where(
        claims.c.node == events.c.node, claims.c.id == events.c.claim_id, claims.c.live == 1
    )


def old_events(node: str, before_us: int, now_us: int) -> Select[Any]:
    """Sequences of events of before then that no live claim needs, ascending.

    The search ends at the first event that has to stay for its age; one from the future does not end
    it, for then the clock was wrong.
    """
    mine = events.c.node == node
    young = select(events.c.sequence).where(mine, events.c.at_us.between(before_us, now_us))
    first_young = young.order_by(events.c.sequence).limit(1).scalar_subquery()
    return (
        select(events.c.sequence)
        .where(
            mine,
            events.c.sequence < func.coalesce(first_young, LAST_SEQUENCE),
            events.c.at_us < before_us,
            ~of_live_claim(),
        )
        .order_by(events.c.sequence)
    )
