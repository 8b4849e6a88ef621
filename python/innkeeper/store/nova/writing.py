"""Rows changed, added and marked deleted, alike on every engine: first a look at which are there.

No upsert: the engines spell it differently, and old schemas lack the keys that it needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import uuid4

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    insert,
    select,
    update,
)

from innkeeper.errors import BadRequest
from innkeeper.store.many import Many
from innkeeper.store.nova.capacity import Capacity
from innkeeper.store.nova.overflow import Overflow
from innkeeper.store.nova.shape import NovaTable, Shape

LOOK_UP: Final = 500
"""Keys in one look-up; engines limit the parameters of a statement."""

KEPT: Final = frozenset({"id", "created_at", "updated_at", "deleted_at", "deleted"})
"""Columns that objects carry and only the writer of rows decides about."""

#: No column has a default of its own: what a release writes when it is told nothing.
_USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "services": {"report_count": 0, "disabled": False, "forced_down": False, "version": 0},
    "compute_nodes": {
        **dict.fromkeys(("vcpus", "memory_mb", "local_gb"), 0),
        **dict.fromkeys(("vcpus_used", "memory_mb_used", "local_gb_used"), 0),
        **dict.fromkeys(("hypervisor_type", "cpu_info"), ""),
        "hypervisor_version": 0,
        "stats": "{}",
        "mapped": 0,
    },
    "instances": {"cleaned": 0, "hidden": False, "locked": False},
    "instance_types": {"swap": 0, "rxtx_factor": 1.0, "disabled": False, "is_public": True},
    "migrations": {"hidden": False, "cross_cell_move": False},
    "pci_devices": {"extra_info": "{}"},
}
_WITH_UUID: Final = frozenset({"services", "compute_nodes", "migrations", "pci_devices"})


class Database(StrEnum):
    """Whose rows they are."""

    EMBEDDED = "embedded"
    """innkeeper's own: it makes the rows of instances, and gives the ids that objects carry."""
    SHARED = "shared"
    """Nova's: an instance that has no row there is refused, and ids are given by the database."""


class RowChange(NamedTuple):
    """The next values of one row."""

    row_id: int | None
    """Null for a row that is not there yet."""
    subject: str
    """What people call it: a host, an instance, an address."""
    values: Mapping[str, Any]
    """By column; those that the table lacks are done without."""


@dataclass(slots=True)
class Writing:
    """One pass over the tables inside a transaction of the caller's."""

    connection: Connection
    shape: Shape
    database: Database
    release: str
    """What is written must be readable by this release."""
    node: str
    now: datetime
    host: str | None = None
    """Of the node that is written for, once an object said it."""
    offered: Collection[str] | None = None
    """Addresses of all devices of the node; null when that is not told."""
    overflows: list[Overflow] = field(default_factory=list)

    def find_ids(
        self,
        table: NovaTable,
        key: str,
        values: Iterable[Any],
        within: tuple[str, Any] | None = None,
    ) -> dict[Any, int]:
        """Ids of live rows by their key, which may be unique only `within` a column's value.

        Of several with one key the first counts.
        """
        scope, scoped = within or (None, None)
        query = table.statement(("ids", key, scope), lambda made: _select_ids(made, key, scope))
        found: dict[Any, int] = {}
        for some in sliced(list(values)):
            for row in self.connection.execute(query, {"some": some, "within": scoped}):
                found.setdefault(row.key, row.id)
        return found

    def write(self, table: NovaTable, changes: Iterable[RowChange]) -> None:
        """Change the rows that are there, then add the others.

        Raises:
            BadRequest: a new row lacks what may not be null.
        """
        fresh: list[dict[str, Any]] = []
        known: list[dict[str, Any]] = []
        for change in changes:
            values = self._fitting(table, change)
            if change.row_id is not None:
                known.append({**values, "row_id": change.row_id})
            elif (row := self._new_row(table, change, values)) is not None:
                fresh.append(row)
        self._update(table, known)
        for names, rows in _alike(fresh).items():
            table.statement(("add", names), partial(_insert, names)).run(self.connection, rows)

    def mark_deleted(self, table: NovaTable, where: Sequence[ColumnElement[bool]]) -> None:
        """Mark live rows as Nova does: `deleted` becomes the row's own id."""
        c = table.table.c
        gone = update(table.table).where(c.deleted == 0, *where)
        self.connection.execute(gone.values(deleted=c.id, deleted_at=self.now, updated_at=self.now))

    def _update(self, table: NovaTable, rows: Iterable[dict[str, Any]]) -> None:
        for names, alike in _alike(rows).items():
            statement = table.statement(("change", names), partial(_update, names))
            statement.run(self.connection, [{**row, "updated_at": self.now} for row in alike])

    def _fitting(self, table: NovaTable, change: RowChange) -> dict[str, Any]:
        """The values that the table has columns for and that fit into them."""
        form = table.statement(
            ("form", names := frozenset(change.values)), partial(_form, table, names)
        )
        fitting = {name: change.values[name] for name in form.kept}
        for name in form.integers:
            # PostgreSQL takes no boolean for an integer, and MariaDB gives none back.
            if isinstance(fitting[name], bool):
                fitting[name] = int(fitting[name])
        for name, capacity in form.limited:
            value = fitting[name]
            if isinstance(value, str) and (why := capacity.obstacle(value)):
                self.overflows.append(Overflow(table.name, name, change.subject, value, why))
                del fitting[name]
        return fitting

    def _new_row(
        self, table: NovaTable, change: RowChange, values: dict[str, Any]
    ) -> dict[str, Any] | None:
        """Null when a column that may not be null cannot hold its text: such a row cannot be."""
        if len(values) < len(change.values):
            refused = change.values.keys() - values.keys()
            if any(table.requires(name) for name in refused - KEPT):
                return None
        for name, value in table.statement("usual", partial(_usual, table)).items():
            if values.get(name) is None:
                values[name] = value
        if table.name in _WITH_UUID and values.get("uuid") is None and table.has("uuid"):
            values["uuid"] = str(uuid4())
        if self.database is Database.EMBEDDED and change.values.get("id") is not None:
            values["id"] = change.values["id"]
        _require_whole(table, change.subject, values)
        values["created_at"], values["deleted"] = self.now, 0
        return values


def _require_whole(table: NovaTable, subject: str, values: Mapping[str, Any]) -> None:
    needed = table.statement("needed", _needed)
    missing = [name for name in needed if values.get(name) is None]
    if missing:
        raise BadRequest(
            f"{subject} has no row in {table.name} yet, and a new one needs {', '.join(missing)}",
            table=table.name,
            missing=missing,
        )


def _needed(table: Table) -> list[str]:
    return sorted(c.name for c in table.c if not c.nullable and c.name not in KEPT)


@dataclass(frozen=True, slots=True)
class _Form:
    """Where values of these names go in a table: looked up once for all rows that have the same."""

    kept: Sequence[str]
    """Columns that are there and that objects decide about."""
    integers: Sequence[str]
    """Of these the ones that take whole numbers only."""
    limited: Sequence[tuple[str, Capacity]]
    """The ones that may be too small for a text."""


def _form(table: NovaTable, names: frozenset[str], _made: Table) -> _Form:
    kept = sorted(name for name in names - KEPT if table.has(name))
    integers = [name for name in kept if isinstance(table.table.c[name].type, Integer)]
    limited = [(name, table.capacities[name]) for name in kept if name in table.capacities]
    return _Form(kept, integers, limited)


def _usual(table: NovaTable, _made: Table) -> dict[str, Any]:
    """What a new row of it has where it is told nothing."""
    usual = _USUAL.get(table.name, {})
    return {name: _typed(table, name, value) for name, value in usual.items() if table.has(name)}


def sliced(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Slices that fit into one look-up."""
    for start in range(0, len(values), LOOK_UP):
        yield values[start : start + LOOK_UP]


def _alike(rows: Iterable[dict[str, Any]]) -> dict[frozenset[str], list[dict[str, Any]]]:
    """Rows by the columns that they give, so that each kind is one statement."""
    found: defaultdict[frozenset[str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[frozenset(row)].append(row)
    return found


def _select_ids(table: Table, key: str, scope: str | None) -> Select[Any]:
    c = table.c
    some: BindParameter[Any] = bindparam("some", expanding=True)
    query = select(c.id, c[key].label("key")).where(c.deleted == 0, c[key].in_(some))
    if scope is not None:
        query = query.where(c[scope] == bindparam("within"))
    return query.order_by(c.id)


def _insert(names: frozenset[str], table: Table) -> Many:
    return Many(insert(table).values({name: bindparam(name) for name in sorted(names)}))


def _update(names: frozenset[str], table: Table) -> Many:
    given = sorted({*names, "updated_at"} - {"row_id"})
    values: dict[str, Any] = {name: bindparam(name) for name in given}
    return Many(update(table).where(table.c.id == bindparam("row_id")).values(values))


def _typed(table: NovaTable, name: str, value: Any) -> Any:
    """PostgreSQL takes no boolean for an integer, and MariaDB gives none back."""
    if isinstance(value, bool) and isinstance(table.table.c[name].type, Integer):
        return int(value)
    return value
