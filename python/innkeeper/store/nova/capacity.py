"""What a column can hold. A text that it cannot is kept out of it whole: nothing is truncated.

Limits are those that the engine enforces; SQLite enforces none. MySQL counts TEXT in bytes and
VARCHAR in characters, and its `utf8` has no characters beyond U+FFFF:
https://mariadb.com/kb/en/string-data-types/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Enum, String, bindparam, text
from sqlalchemy.types import TypeEngine

_BYTES: Final = {"TINYTEXT": 2**8 - 1, "TEXT": 2**16 - 1, "MEDIUMTEXT": 2**24 - 1}

_CHARSETS: Final = text(
    "SELECT table_name AS of_table, column_name AS of_column, character_set_name AS charset "
    "FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name IN :names AND character_set_name IS NOT NULL"
).bindparams(bindparam("names", expanding=True))


@dataclass(frozen=True, slots=True)
class Capacity:
    """The limits of one column; null is none."""

    most_bytes: int | None = None
    most_characters: int | None = None
    words: frozenset[str] | None = None
    """The only texts that it takes."""
    encoding: str = "utf-8"
    within_bmp: bool = False
    """Whether characters beyond U+FFFF are refused."""
    refuses_nul: bool = False

    def obstacle(self, value: str) -> str | None:
        """Why the text does not go in, in words that follow "the column"; null when it does."""
        if self.words is not None and value not in self.words:
            return f"takes only {', '.join(sorted(self.words))}"
        if self.most_characters is not None and len(value) > self.most_characters:
            return f"holds {self.most_characters:,} characters"
        return self._obstacle_of_bytes(value)

    def _obstacle_of_bytes(self, value: str) -> str | None:
        if self.refuses_nul and "\0" in value:
            return "holds no NUL characters"
        if self.within_bmp and not value.isascii() and max(value) > "\uffff":
            return "holds no characters beyond U+FFFF"
        try:
            size = len(value) if value.isascii() else len(value.encode(self.encoding))
        except UnicodeEncodeError:
            return f"holds only characters of {self.encoding}"
        if self.most_bytes is not None and size > self.most_bytes:
            return f"holds {self.most_bytes:,} bytes"
        return None


_CODECS: Final = {
    "utf8mb4": Capacity(),
    "utf8mb3": Capacity(within_bmp=True),
    "utf8": Capacity(within_bmp=True),
    "latin1": Capacity(encoding="cp1252"),
    "ascii": Capacity(encoding="ascii"),
}


def capacity_of(kind: TypeEngine[Any], dialect: str, charset: str | None) -> Capacity | None:
    """The limits of a column of that type; null for none, and for what is no text."""
    if dialect == "sqlite" or not isinstance(kind, String):
        return None
    codec = _CODECS.get(charset or "", Capacity())
    words = frozenset(kind.enums) if isinstance(kind, Enum) else None
    return Capacity(
        most_bytes=_BYTES.get(type(kind).__name__) if dialect != "postgresql" else None,
        most_characters=kind.length if words is None else None,
        words=words,
        encoding=codec.encoding,
        within_bmp=codec.within_bmp,
        refuses_nul=dialect == "postgresql",
    )


def read_charsets(connection: Connection, tables: Iterable[str]) -> Mapping[tuple[str, str], str]:
    """Character sets by table and column, on the engines whose columns have one."""
    if connection.dialect.name not in ("mysql", "mariadb"):
        return {}
    found = connection.execute(_CHARSETS, {"names": list(tables)})
    return {(row.of_table, row.of_column): row.charset for row in found}
