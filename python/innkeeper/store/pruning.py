"""Forgetting, in the owner's transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, func, select

from innkeeper.store.batch import Position, pass_fence
from innkeeper.store.rows import MICROSECOND, microseconds
from innkeeper.store.tables import batches, claims, findings
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
