"""Where a store's database is, and what messages call it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from innkeeper.config.store_url import require_store_url
from innkeeper.errors import BadConfig

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "mariadb": "mysql+pymysql",
    "mysql": "mysql+pymysql",
}
"""One driver for each kind of server, whichever the words name."""


@dataclass(frozen=True, slots=True)
class Address:
    """A database on a server."""

    url: URL = field(repr=False)
    """With what it takes to get in: never part of a message."""

    @classmethod
    def parse(cls, words: str) -> Address:
        """The address of a URL such as `postgresql://innkeeper:secret@db.example/innkeeper`.

        Raises:
            BadConfig: it is none.
        """
        try:
            require_store_url(words)
            url = make_url(words)
        except ArgumentError as error:
            raise BadConfig("the store's address is no URL") from error
        except ValueError as error:
            raise BadConfig(f"the store's address {error}") from None
        return cls(url.set(drivername=_DRIVERS[url.get_backend_name()]))

    def __str__(self) -> str:
        kind = "postgresql" if self.url.get_backend_name() == "postgresql" else "mariadb"
        port = f":{self.url.port}" if self.url.port else ""
        return f"{kind}://{self.url.host}{port}/{self.url.database}"


Place: TypeAlias = Path | Address
"""A file, or a database on a server."""
