"""Rows of key and value that belong to another row: system metadata, extra specs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from innkeeper.store.nova.shape import NovaTable
from innkeeper.store.nova.writing import RowChange, Writing, sliced

Pairs = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class PairTable:
    """A table of pairs and the column that names the row they belong to."""

    table: NovaTable
    owner: str

    def read(
        self, connection: Connection, owners: Iterable[Any], *, deleted_too: bool = False
    ) -> dict[Any, dict[str, str | None]]:
        """The pairs of each owner; with deleted ones, a live one counts more."""
        c = self.table.table.c
        query = select(c[self.owner].label("owner"), c.key, c.value).order_by(c.deleted.desc())
        if not deleted_too:
            query = query.where(c.deleted == 0)
        found: defaultdict[Any, dict[str, str | None]] = defaultdict(dict)
        for some in sliced(list(owners)):
            for row in connection.execute(query.where(c[self.owner].in_(some))):
                found[row.owner][row.key] = row.value
        return found

    def replace(
        self, writing: Writing, owner: Any, wanted: Pairs, keeps: Callable[[str], bool]
    ) -> None:
        """Make the pairs those wanted, and leave alone others that are to be kept."""
        c = self.table.table.c
        query = select(c.id, c.key, c.value).where(c[self.owner] == owner, c.deleted == 0)
        there = {row.key: row for row in writing.connection.execute(query)}
        gone = [row.id for key, row in there.items() if key not in wanted and not keeps(key)]
        if gone:
            writing.mark_deleted(self.table, [c.id.in_(gone)])
        writing.write(
            self.table,
            [
                RowChange(
                    row_id=there[key].id if key in there else None,
                    subject=f"{owner} ({key})",
                    values={"value": value} if key in there else self._row(owner, key, value),
                )
                for key, value in wanted.items()
                if key not in there or there[key].value != value
            ],
        )

    def _row(self, owner: Any, key: str, value: str | None) -> dict[str, Any]:
        return {self.owner: owner, "key": key, "value": value}
