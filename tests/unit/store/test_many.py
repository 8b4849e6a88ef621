"""Rows that are bound column by column are those that SQLAlchemy binds one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)

from innkeeper.store.many import Many
from innkeeper.store.nova.shape import Moment

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False),
    Column("hidden", Boolean),
    Column("ratio", Float),
    Column("at", Moment()),
)
ROWS: list[dict[str, Any]] = [
    {"name": "a", "hidden": None, "ratio": None, "at": None},
    {"name": "100 %", "hidden": True, "ratio": 0.5, "at": NOON},
    {"name": "\N{SNOWMAN} ? :name", "hidden": False, "ratio": 2.0, "at": NOON},
    {"name": "d", "hidden": None, "ratio": None, "at": NOON.replace(hour=13)},
]
_GIVEN: dict[str, Any] = {name: bindparam(name) for name in ROWS[0]}


@pytest.fixture(params=["qmark", "named"])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Drivers take parameters by their place or by their name."""
    engine = create_engine("sqlite://", paramstyle=request.param)
    with engine.connect() as connection:
        things.create(connection)
        yield connection
    engine.dispose()


def written(connection: Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(select(things).order_by(things.c.id))]


def one_by_one(connection: Connection, statement: Insert) -> list[tuple[Any, ...]]:
    connection.execute(statement, ROWS)
    rows = written(connection)
    connection.execute(delete(things))
    return rows


def test_the_same_rows(connection: Connection) -> None:
    statement = insert(things).values(_GIVEN)
    expected = one_by_one(connection, statement)
    Many(statement).run(connection, ROWS)
    assert written(connection) == expected
    assert len(expected) == len(ROWS)


def test_changes_and_deletions(connection: Connection) -> None:
    Many(insert(things).values(_GIVEN)).run(connection, ROWS)
    renamed = update(things).where(things.c.id == bindparam("of_id"))
    change = Many(renamed.values(name=bindparam("name"), at=bindparam("at")))
    change.run(
        connection, [{"of_id": 1, "name": "x", "at": None}, {"of_id": 4, "name": "y", "at": NOON}]
    )
    Many(delete(things).where(things.c.id == bindparam("of_id"))).run(connection, [{"of_id": 2}])
    assert [(row[0], row[1]) for row in written(connection)] == [
        (1, "x"),
        (3, ROWS[2]["name"]),
        (4, "y"),
    ]
    assert [row[4] for row in written(connection)][::2] == [None, "2026-03-01 12:00:00.000000"]


def test_nothing_for_nothing(connection: Connection) -> None:
    statements: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
    add = Many(insert(things).values(_GIVEN))
    add.run(connection, [])
    assert statements == []
    add.run(connection, ROWS)
    add.run(connection, ROWS[:1])
    assert len(statements) == 2


def test_a_row_without_a_parameter_is_no_row(connection: Connection) -> None:
    with pytest.raises(KeyError):
        Many(insert(things).values(_GIVEN)).run(connection, [ROWS[0], {"name": "b"}])
    assert written(connection) == []
