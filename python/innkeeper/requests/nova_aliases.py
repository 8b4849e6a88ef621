"""`[nova] alias`: one JSON object for each, as in Nova's `[pci]alias`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from innkeeper.config import Section
from innkeeper.config.device_sections import HEX_ID, AliasName, HexId
from innkeeper.config.nearest import hint, quoted
from innkeeper.objects.request import NumaPolicy
from innkeeper.requests.strict_words import read_boolean, read_json


def _trimmed(given: Any) -> Any:
    return given.strip() if isinstance(given, str) else given


class NovaAlias(Section):
    """The keys of Nova 34; the ids are always needed, since innkeeper does not ask Placement."""

    name: Annotated[AliasName, BeforeValidator(_trimmed)] = Field(
        description="one line without , : and =, such as `a10`"
    )
    vendor_id: HexId = Field(description=HEX_ID)
    product_id: HexId = Field(description=HEX_ID)
    device_type: Literal["type-PCI", "type-PF", "type-VF"] | None = None
    numa_policy: NumaPolicy = NumaPolicy.LEGACY
    resource_class: str | None = None
    traits: str | None = None
    live_migratable: str | None = None
    capability_type: Literal["pci"] | None = None
    """Accepted and dropped: no device has such a property."""

    @field_validator("live_migratable")
    @classmethod
    def _normalise(cls, text: str | None) -> str | None:
        boolean = None if text is None else read_boolean(text)
        if text is not None and boolean is None:
            raise ValueError(f"{quoted(text)} is neither true nor false")
        return boolean


def read_nova_alias(text: str) -> NovaAlias:
    """The alias of one JSON text.

    Raises:
        ValueError: in words for the operator, the key named.
    """
    given = read_json(text)
    if not isinstance(given, dict):
        raise ValueError(f"{quoted(given)} should be a JSON object")  # noqa: TRY004
    nulls = sorted(key for key, value in given.items() if value is None)
    if nulls:
        raise ValueError(f"`{nulls[0]}` is null: leave the key out")
    try:
        return NovaAlias.model_validate(given)
    except ValidationError as error:
        raise ValueError("; ".join(_problem(found) for found in error.errors())) from None


def _problem(found: Any) -> str:
    key = str(found["loc"][0])
    if found["type"] == "extra_forbidden":
        return f"unknown key `{key}`; {hint(key, NovaAlias.model_fields)}"
    if found["type"] == "missing":
        return f"`{key}` is missing"
    if found["type"] == "value_error":
        return f"`{key}`: {found['msg'].removeprefix('Value error, ')}"
    described = NovaAlias.model_fields[key].description
    allowed = f"should be {described}" if described else found["msg"].removeprefix("Input ")
    return f"`{key}` = {quoted(found['input'])}: {allowed}"
