"""Values of the wire that are not of the type of their field, coerced as Nova does.

Each raises ValueError with what is wrong, for pydantic to collect.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_address
from typing import Any

from innkeeper.objects.values import MAX_TEXT


def to_integer(value: Any) -> int:
    """What int() makes of it."""
    if not isinstance(value, bool | int | float | str):
        raise ValueError("not an integer")  # noqa: TRY004
    try:
        return int(value)
    except (ValueError, OverflowError):
        raise ValueError("not an integer") from None


def to_float(value: Any) -> float:
    """What float() makes of it, when it is finite."""
    if not isinstance(value, bool | int | float | str):
        raise ValueError("not a number")  # noqa: TRY004
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise ValueError("not a number") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("not a finite number")
    return number


def to_boolean(value: Any) -> bool:
    """What bool() makes of it: any text but the empty one is true."""
    if value is None:
        raise ValueError("may not be null")
    return bool(value)


def to_flexible_boolean(value: Any) -> bool:
    """Whether a text is one of the words for yes."""
    if isinstance(value, str):
        return value.strip().lower() in ("1", "t", "true", "on", "y", "yes")
    return to_boolean(value)


def to_string(value: Any) -> str:
    """Numbers, booleans and times as Python prints them."""
    if isinstance(value, bool | int | float | datetime):
        return str(value)
    if isinstance(value, str):
        raise ValueError(f"not Unicode text of at most {MAX_TEXT} characters")  # noqa: TRY004
    raise ValueError("not a string")


def to_datetime(value: Any) -> datetime:
    """A moment in UTC; without a zone it is UTC already."""
    if isinstance(value, str) and 8 <= len(value) <= 40:
        value = _parsed(value)
    if not isinstance(value, datetime):
        raise ValueError("not a time such as 2015-10-16T19:00:13Z")  # noqa: TRY004
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def write_datetime(value: datetime) -> str:
    """The text of a moment, without fractions of a second."""
    return value.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def to_address(value: Any, kinds: type | tuple[type, ...]) -> str:
    """The canonical text of an address of the given kinds."""
    try:
        address = ip_address(value if isinstance(value, int) else str(value))
    except ValueError:
        raise ValueError("not an IP address") from None
    if not isinstance(address, kinds) or isinstance(value, bool) or "%" in str(value):
        raise ValueError("not an IP address of this family")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(address) if mapped is None else f"::ffff:{mapped}"
