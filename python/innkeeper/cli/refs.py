"""Ids as people give them."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

import typer

from innkeeper.config.sizes import refusal

Ref = Annotated[
    str, typer.Argument(metavar="ID", help="A claim id, or the instance that holds it.")
]

_ADDRESS = re.compile(
    r"(?:0*([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([01]?[0-9a-f])\.([0-7])", re.IGNORECASE
)
_IDENTITY = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}:[^/].*/[0-9a-f]+(/vf/[0-9]+)?")
"""As listings print what a card is that has no address here: product, serial number, function."""
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


def parse_address(text: str) -> str:
    """The address of a PCI function; as `lspci` has it, domain 0 may be left out.

    Raises:
        BadRequest: it is none.
    """
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise refusal("ADDRESS", text, "is no PCI address, such as 0000:3b:00.1 or 3b:00.1")
    domain, bus, slot, function = (int(part or "0", 16) for part in found.groups())
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function}"


def parse_marked_device(text: str) -> str:
    """The address of a device that is cordoned or dirty, or the identity that `innkeeper cordons` prints.

    A card that was pulled may have left its address to another one.

    Raises:
        BadRequest: it is neither.
    """
    given = text.strip()
    return given if _IDENTITY.fullmatch(given) else parse_address(text)
