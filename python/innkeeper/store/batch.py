"""One transaction: the fence, then every row of the change sets that share it.

The statements are built once and run with executemany, one per table and kind; no upsert, since
the engines spell it differently and old schemas lack the keys that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Connection, Table, bindparam, insert, select, update

from innkeeper.errors import StoreFenced
from innkeeper.store.base import Commit
from innkeeper.store.host_rows import replace_cordons, replace_devices
from innkeeper.store.many import Many
from innkeeper.store.nova.projection import Projection
from innkeeper.store.rows import EPOCH, MICROSECOND, EncodedChangeSet, Row
from innkeeper.store.tables import batches, claims, events, findings, ledgers

LOOK_UP: Final = 500
"""Ids in one look-up; engines limit the parameters of a statement."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose ledger it is: a node, under the epoch that its opening took."""

    node: str
    epoch: int
    ledger: UUID
    """What no other ledger has, also when it is of the same node."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a ledger stands on disk."""

    generation: int
    sequence: int
    """Of its last event."""


class KeyedTable:
    """A table whose rows are replaced by node and id: what is there is updated, the rest inserted."""

    def __init__(self, table: Table) -> None:
        key = [table.c.node == bindparam("key_node"), table.c.id == bindparam("key_id")]
        changed: dict[str, Any] = {
            c.name: bindparam(c.name) for c in table.c if c.name not in ("node", "id")
        }
        self._insert = Many(insert(table))
        self._update = Many(update(table).where(*key).values(changed))
        self._known = select(table.c.id).where(
            table.c.node == bindparam("key_node"), table.c.id.in_(bindparam("ids", expanding=True))
        )

    def replace(self, connection: Connection, node: str, rows: Iterable[Row]) -> None:
        """Write rows; of several with one id the last counts."""
        latest = {row["id"]: row for row in rows}
        known = set(self._find_known(connection, node, list(latest)))
        changed = [
            {**row, "key_node": node, "key_id": row_id}
            for row_id, row in latest.items()
            if row_id in known
        ]
        self._update.run(connection, changed)
        added = [row for row_id, row in latest.items() if row_id not in known]
        self._insert.run(connection, added)

    def _find_known(self, connection: Connection, node: str, ids: list[str]) -> Iterator[str]:
        for start in range(0, len(ids), LOOK_UP):
            asked = {"key_node": node, "ids": ids[start : start + LOOK_UP]}
            yield from connection.execute(self._known, asked).scalars()


CLAIMS: Final = KeyedTable(claims)
FINDINGS: Final = KeyedTable(findings)

_INSERT_EVENTS = Many(insert(events))
_INSERT_BATCH = insert(batches)
_PASS_FENCE = (
    update(ledgers)
    .where(
        ledgers.c.node == bindparam("key_node"),
        ledgers.c.epoch == bindparam("my_epoch"),
        ledgers.c.generation == bindparam("old_generation"),
    )
    .values(generation=bindparam("new_generation"), sequence=bindparam("new_sequence"))
)


def pass_fence(connection: Connection, owner: Owner, old: Position, new: Position) -> None:
    """Move the ledger on, which only its owner can.

    Raises:
        StoreFenced: another owner has it.
    """
    moved = connection.execute(
        _PASS_FENCE,
        {
            "key_node": owner.node,
            "my_epoch": owner.epoch,
            "old_generation": old.generation,
            "new_generation": new.generation,
            "new_sequence": new.sequence,
        },
    )
    if moved.rowcount != 1:
        raise fenced(owner)


def fenced(owner: Owner) -> StoreFenced:
    """What the former owner of a ledger is told."""
    return StoreFenced(
        f"Another process took over the ledger of {owner.node}; this one must stop claiming",
        node=owner.node,
        epoch=owner.epoch,
    )


@dataclass(frozen=True, slots=True)
class Batcher:
    """Writes what change sets hold into our tables and, of their records, into Nova's."""

    owner: Owner
    projection: Projection

    def write(
        self,
        connection: Connection,
        old: Position,
        change_sets: Sequence[EncodedChangeSet],
        now_us: int,
    ) -> tuple[Position, list[Commit]]:
        """Write everything; the caller commits.

        Raises:
            StoreFenced: another owner has the ledger.
            UnknownInstance: a record is of an instance that a shared database does not have.
            BadRequest: a record lacks what its row is found by.
        """
        new, commits = write_batch(connection, self.owner, old, change_sets, now_us)
        drafts = [draft for change_set in change_sets for draft in change_set.records]
        if not drafts:
            return new, commits
        now = EPOCH + now_us * MICROSECOND
        overflows = self.projection.write(
            connection, self.owner.node, drafts, now, _offered(change_sets)
        )
        findings = tuple(overflow.finding(now) for overflow in overflows)
        return new, [replace(commit, findings=findings) for commit in commits]


def _offered(change_sets: Sequence[EncodedChangeSet]) -> frozenset[str] | None:
    """Addresses of all devices, when a change set tells them; of several the last counts."""
    rows = _last_devices(change_sets)
    return None if rows is None else frozenset(row["address"] for row in rows)


def _last_devices(change_sets: Sequence[EncodedChangeSet]) -> Sequence[Row] | None:
    given = [change_set.devices for change_set in change_sets if change_set.devices is not None]
    return given[-1] if given else None


def write_batch(
    connection: Connection,
    owner: Owner,
    old: Position,
    change_sets: Sequence[EncodedChangeSet],
    now_us: int,
) -> tuple[Position, list[Commit]]:
    """Write our own rows of the change sets; the caller commits.

    Raises:
        StoreFenced: another owner has the ledger.
    """
    numbered, commits = _number(change_sets, old)
    new = Position(old.generation + 1, old.sequence + len(numbered))
    pass_fence(connection, owner, old, new)
    CLAIMS.replace(connection, owner.node, chain.from_iterable(s.claims for s in change_sets))
    FINDINGS.replace(connection, owner.node, chain.from_iterable(s.findings for s in change_sets))
    _INSERT_EVENTS.run(connection, numbered)
    if (rows := _last_devices(change_sets)) is not None:
        replace_devices(connection, owner.node, rows)
    replace_cordons(connection, owner.node, chain.from_iterable(s.cordons for s in change_sets))
    ids = orjson.dumps([str(change_set.id) for change_set in change_sets]).decode()
    row = {"node": owner.node, "generation": new.generation}
    connection.execute(_INSERT_BATCH, {**row, "committed_us": now_us, "change_sets": ids})
    return new, commits


def _number(
    change_sets: Sequence[EncodedChangeSet], old: Position
) -> tuple[list[Row], list[Commit]]:
    """Events with their sequence, in the order of the change sets."""
    numbered: list[Row] = []
    commits = []
    generation = old.generation + 1
    for change_set in change_sets:
        for row in change_set.events:
            sequence = old.sequence + len(numbered) + 1
            numbered.append({**row, "sequence": sequence, "generation": generation})
        last = old.sequence + len(numbered) if change_set.events else 0
        commits.append(Commit(generation=generation, sequence=last))
    return numbered, commits
