"""Ids as people give them."""

from __future__ import annotations

from uuid import UUID

from innkeeper.config.sizes import refusal

_EXAMPLE = "6f1c1e5e-3a0e-4c1b-9d55-2f6a0e7c1b11"


def parse_uuid(text: str, *, what: str) -> str:
    """A UUID in its usual form.

    Raises:
        BadRequest: it is none.
    """
    try:
        return str(UUID(text))
    except ValueError:
        raise refusal(what, text, f"is no UUID, such as {_EXAMPLE}") from None


def parse_ref(text: str) -> UUID:
    """A claim id, or the id of the instance that holds a claim.

    Raises:
        BadRequest: it is no UUID.
    """
    try:
        return UUID(text)
    except ValueError:
        problem = f"is no claim or instance id, such as {_EXAMPLE}; `innkeeper claims` lists them"
        raise refusal("ID", text, problem) from None
