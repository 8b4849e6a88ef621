"""Addresses of database servers, whose passwords are nobody's business."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

KINDS: Final = ("postgresql", "mariadb", "mysql")
_DRIVERS: Final = {
    *KINDS,
    *("postgresql+psycopg", "mariadb+pymysql", "mysql+pymysql"),
}
FORM: Final = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or mariadb:// likewise"

#: Between "://" and the last "@" before a blank, a quote or the path; and words of a query that say secrets.
_USER_AND_PASSWORD: Final = re.compile(r"(?<=://)([^\s\"'/:@]*):([^\s\"']*)@")
_SECRET_WORD: Final = re.compile(
    r"(?i)([?&][^=&\s\"']*(?:pass|secret|token)[^=&\s\"']*=)[^&\s\"']*"
)


def require_store_url(url: str) -> None:
    """Raises ValueError, with words that follow the key's name and repeat nothing of it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"is no URL: write {FORM}") from None
    if parts.scheme not in _DRIVERS:
        raise ValueError(f"is of no database that a store can be in: write {FORM}")
    if not parts.hostname:
        raise ValueError(f"names no host: write {FORM}")
    if not parts.path.strip("/"):
        raise ValueError(f"names no database: write {FORM}")


def without_secrets(text: str) -> str:
    """The same text with every password in a URL replaced by `***`."""
    return _SECRET_WORD.sub(r"\1***", _USER_AND_PASSWORD.sub(r"\1:***@", text))
