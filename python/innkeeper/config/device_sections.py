"""`[[devices]]` and `[[aliases]]`: which PCI functions may be handed out, and what they are called.

Ids and addresses of `[[devices]]` stay as they are written here: `requests.device_specs` reads them,
together with the same words of Nova's, and names the entry and the key of what it refuses.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator

from innkeeper.config.nearest import hint, quoted
from innkeeper.config.section import Period, Section, Words
from innkeeper.objects.base import Name
from innkeeper.objects.request import Count, NumaPolicy, UnitPlace

#: The four parts of an address, each a regular expression in the table form.
ADDRESS_KEYS = ("domain", "bus", "slot", "function")

#: Where the program of a `clean` command is looked for.
CLEAN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_CLEAN_SECONDS = 600.0
_MOST_TAGS = 24
_LONGEST = 255

AliasName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=_LONGEST,
        pattern=r"^[^\x00-\x20\x7f,:=]([^\x00-\x1f\x7f,:=]*[^\x00-\x20\x7f,:=])?$",
    ),
]
"""A name of the operator's; it stands in `NAME:COUNT,NAME:COUNT` and `NAME=COUNT`."""


def _read_address(given: Any) -> str | dict[str, str]:
    if isinstance(given, str):
        return given
    if not isinstance(given, dict):
        raise ValueError(  # noqa: TRY004 - what pydantic takes
            f"{quoted(given)} should be text such as `0000:41:00.0` or `*:41:*.*`, "
            f"or a table of {', '.join(ADDRESS_KEYS)}"
        )
    for key, pattern in given.items():
        if key not in ADDRESS_KEYS:
            raise ValueError(f"unknown key `{key}`; {hint(str(key), ADDRESS_KEYS)}")
        if not isinstance(pattern, str):
            raise ValueError(  # noqa: TRY004
                f"`{key}` = {quoted(pattern)} should be a regular expression as text"
            )
    return dict(given)


def _read_tags(given: Any) -> dict[str, str]:
    if not isinstance(given, dict):
        raise ValueError(f"{quoted(given)} should be a table of texts")  # noqa: TRY004
    if len(given) > _MOST_TAGS:
        raise ValueError(f"has {len(given)} tags, and {_MOST_TAGS} are the most")
    return {_tag_name(name): _tag_text(name, value) for name, value in given.items()}


def _tag_name(name: Any) -> str:
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= _LONGEST:
        raise ValueError(
            f"{quoted(name)} is no name of a tag: 1 to {_LONGEST} printable characters"
        )
    return name


def _tag_text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and value.isprintable() and len(value) <= _LONGEST:
        return value
    raise ValueError(
        f"`{name}` = {quoted(value)} should be text of one line, a number or true/false"
    )


Address = Annotated[str | dict[str, str], PlainValidator(_read_address)]
Tags = Annotated[dict[str, str], PlainValidator(_read_tags)]
"""Properties of the operator's own, all of them texts."""

DeviceType = Literal["pci", "pf", "vf", "type-PCI", "type-PF", "type-VF"]
HexId = Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{4}$")]
HEX_ID = "four hex digits without 0x, such as 8086 or 10de"


class DeviceSpec(Section):
    """Admits PCI functions; every key that is given must match, and the first entry that matches wins."""

    vendor_id: str | None = None
    product_id: str | None = None
    address: Address | None = None
    """Text with `*`, or regular expressions by part; of a PF it admits the VFs too."""
    devname: Words | None = None
    """The function that has this network device; of a PF it admits the VFs too."""
    physical_network: Words | None = None
    trusted: bool | None = Field(default=None, strict=True)
    remote_managed: bool | None = Field(default=None, strict=True)
    managed: bool | None = Field(default=None, strict=True)
    live_migratable: bool | None = Field(default=None, strict=True)
    one_time_use: bool = Field(default=False, strict=True)
    """The device stays out of use after its holder, until an operator says that it is clean."""
    resource_class: Words | None = None
    traits: tuple[Words, ...] = ()
    tags: Tags = Field(default_factory=dict)
    clean: tuple[Words, ...] = ()
    """A command and its arguments, run when a holder is gone; until it succeeds the device is dirty."""
    clean_timeout: Period = _CLEAN_SECONDS

    @model_validator(mode="after")
    def _require_something_to_time(self) -> DeviceSpec:
        if self.clean_timeout != _CLEAN_SECONDS and not self.clean:
            raise ValueError("has clean_timeout but no clean: there is no command that it limits")
        return self


class AliasMember(Section):
    """So many functions of one kind in each unit."""

    vendor_id: HexId | None = Field(default=None, description=HEX_ID)
    product_id: HexId | None = Field(default=None, description=HEX_ID)
    device_type: DeviceType | None = None
    tags: Tags = Field(default_factory=dict)
    count: Count = 1

    @model_validator(mode="after")
    def _require_a_kind(self) -> AliasMember:
        _require_kind(self.vendor_id, self.product_id, self.tags)
        return self


class AliasSpec(Section):
    """The operator's name for devices; the same name again is an alternative."""

    name: AliasName = Field(
        description="one line without , : = and without blanks around it, such as `a10`"
    )
    vendor_id: HexId | None = Field(default=None, description=HEX_ID)
    product_id: HexId | None = Field(default=None, description=HEX_ID)
    device_type: DeviceType | None = None
    numa_policy: NumaPolicy = NumaPolicy.LEGACY
    live_migratable: bool | None = Field(default=None, strict=True)
    tags: Tags = Field(default_factory=dict)
    unit: UnitPlace | None = None
    """What the functions of one unit share; null: the alias stands for single devices."""
    members: Annotated[tuple[AliasMember, ...], Field(max_length=16)] = ()
    """What one unit is made of; empty: all functions of the place, one of which is as said above."""

    @model_validator(mode="after")
    def _require_one_meaning(self) -> AliasSpec:
        if not self.members:
            _require_kind(self.vendor_id, self.product_id, self.tags)
            return self
        if self.unit is None:
            raise ValueError("has members but no unit: say what they share, such as unit = 'slot'")
        own = ("vendor_id", "product_id", "device_type", "live_migratable", "tags")
        told = [key for key in own if getattr(self, key)]
        if told:
            raise ValueError(f"has members: say {', '.join(told)} of each of them")
        return self


def _require_kind(vendor_id: Name | None, product_id: Name | None, tags: dict[str, str]) -> None:
    if vendor_id and product_id:
        return
    if vendor_id or product_id or not tags:
        raise ValueError("needs vendor_id and product_id, or tags: else it stands for any device")
