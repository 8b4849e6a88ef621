"""Forgetting, in the owner's transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from innkeeper.store.batch import Position, pass_fence
from innkeeper.store.history import of_live_claim
from innkeeper.store.rows import MICROSECOND, microseconds
from innkeeper.store.tables import batches, claims, events, findings, ledgers
from innkeeper.store.transactions import Transactions

BATCHES_KEPT: Final = timedelta(hours=1)
"""How long `was_applied` can tell."""


def forget_claims(transactions: Transactions, ids: Sequence[str], before: datetime) -> int:
    """Delete those of the claims that ended before then; how many went."""
    statement = delete(claims).where(
        claims.c.node == transactions.owner.node,
        claims.c.id.in_(ids),
        claims.c.live == 0,
        claims.c.updated_us < microseconds(before),
    )
    return _run(transactions, lambda connection: connection.execute(statement).rowcount)


def forget_findings(transactions: Transactions, before: datetime, now_us: int) -> int:
    """Delete findings that were cleared before then, how many went; and batches after their hour."""
    statement = delete(findings).where(
        findings.c.node == transactions.owner.node,
        findings.c.cleared_us < microseconds(before),
    )

    def forget(connection: Connection) -> int:
        _forget_batches(connection, transactions, now_us - BATCHES_KEPT // MICROSECOND)
        return connection.execute(statement).rowcount

    return _run(transactions, forget)


def forget_events(transactions: Transactions, sequences: Sequence[int]) -> int:
    """Delete those of the events that are of no live claim; how many went."""
    node = transactions.owner.node
    going = (events.c.node == node, events.c.sequence.in_(sequences), ~of_live_claim())
    remember = update(ledgers).where(ledgers.c.node == node)

    def forget(connection: Connection) -> int:
        highest = connection.execute(select(func.max(events.c.sequence)).where(*going)).scalar()
        if highest is None:
            return 0
        known = func.coalesce(ledgers.c.forgotten, 0)
        moves_on = remember.where(known < highest).values(forgotten=highest)
        connection.execute(moves_on)
        return connection.execute(delete(events).where(*going)).rowcount

    return _run(transactions, forget)


def _forget_batches(connection: Connection, transactions: Transactions, before_us: int) -> None:
    mine = batches.c.node == transactions.owner.node
    young = select(func.min(batches.c.generation)).where(mine, batches.c.committed_us >= before_us)
    oldest_kept = connection.execute(young).scalar()
    if oldest_kept is None:
        oldest_kept = transactions.position.generation
    connection.execute(delete(batches).where(mine, batches.c.generation < oldest_kept))


def _run(transactions: Transactions, forget: Callable[[Connection], int]) -> int:
    def work(connection: Connection, old: Position) -> tuple[Position, int]:
        new = Position(old.generation + 1, old.sequence)
        pass_fence(connection, transactions.owner, old, new)
        return new, forget(connection)

    return transactions.run(work)
