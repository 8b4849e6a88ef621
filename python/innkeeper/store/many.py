"""One statement run for many rows: compiled once for an engine, its rows bound column by column.

SQLAlchemy binds them one by one, which takes longer than the engine then takes to write them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Update


class Many:
    """A statement that changes rows and gives none back.

    Each of its parameters is in it once, and every row has all of them.
    """

    def __init__(self, statement: Insert | Update | Delete) -> None:
        # An INSERT of several rows gives no ids back, and this is one even when it gets one row.
        self._statement = statement.inline() if isinstance(statement, Insert) else statement
        self._compiled: dict[tuple[str, str], _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Executemany, and nothing for nothing."""
        if not rows:
            return
        dialect = connection.dialect
        key = dialect.name, dialect.driver
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _Compiled.of(self._statement, dialect)
        connection.exec_driver_sql(compiled.text, compiled.bind(rows))


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as one engine's driver takes it."""

    text: str
    parameters: Mapping[str, Callable[[Any], Any] | None]
    """In their order, each with what makes the driver's value of one; null where that is the same."""
    positional: bool
    """Whether the text has places for parameters, or their names."""

    @classmethod
    def of(cls, statement: Insert | Update | Delete, dialect: Dialect) -> _Compiled:
        compiled: Any = statement.compile(dialect=dialect)
        kinds = {name: compiled.binds[name].type for name in compiled.positiontup or compiled.binds}
        binds = {
            name: kind.dialect_impl(dialect).bind_processor(dialect) for name, kind in kinds.items()
        }
        return cls(str(compiled), binds, positional=compiled.positional)

    def bind(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        columns: list[Iterable[Any]] = []
        for name, process in self.parameters.items():
            values = map(itemgetter(name), rows)
            columns.append(values if process is None else _processed(values, process))
        bound = zip(*columns, strict=True)
        if self.positional:
            return list(bound)
        return [dict(zip(self.parameters, values, strict=True)) for values in bound]


def _processed(values: Iterable[Any], process: Callable[[Any], Any]) -> Iterator[Any]:
    """What all rows have, such as the moment of the transaction, is made once."""
    last: Any = values
    result: Any = None
    for value in values:
        if value is not last:
            last, result = value, process(value)
        yield result
