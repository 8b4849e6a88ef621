"""Forgetting that the host started anew, in the owner's transactions."""

from __future__ import annotations

from sqlalchemy import Connection, update

from innkeeper.store.batch import Position, pass_fence
from innkeeper.store.tables import ledgers
from innkeeper.store.transactions import Transactions


def accept_boot(transactions: Transactions) -> None:
    """No claim of the owner is of an earlier boot from now on."""
    mine = ledgers.c.node == transactions.owner.node

    def work(connection: Connection, old: Position) -> tuple[Position, None]:
        new = Position(old.generation + 1, old.sequence)
        pass_fence(connection, transactions.owner, old, new)
        connection.execute(update(ledgers).where(mine).values(booted_us=None))
        return new, None

    transactions.run(work)
