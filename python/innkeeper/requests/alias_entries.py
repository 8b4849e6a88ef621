"""The entries of the configuration that name devices, each checked and joined with its namesakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from innkeeper.config import AliasMember, AliasSpec
from innkeeper.config.nearest import quoted
from innkeeper.objects.request import DevicePattern, DeviceUnit, NumaPolicy, UnitMember
from innkeeper.requests.nova_aliases import read_nova_alias

#: As `DeviceRequest.alternatives`.
_MOST_ALTERNATIVES = 64

_DEV_TYPES = {"pci": "type-PCI", "pf": "type-PF", "vf": "type-VF"}
"""Ours to Nova's; Nova's stand for themselves."""

_NEVER_MATCHED = (
    "count",
    "devices",
    "numa_node",
    "resource_class",
    "traits",
    "rp_uuid",
    "rp_uuids",
)
_KEYS_OF_THEIR_OWN = ("vendor_id", "product_id", "dev_type", "live_migratable")


@dataclass(frozen=True, slots=True)
class Alias:
    """What one name stands for."""

    name: str
    alternatives: tuple[DevicePattern, ...]
    numa_policy: NumaPolicy
    unit: DeviceUnit | None = None
    words: str = ""
    """Names the entry that it comes from, such as `aliases[2]`."""

    @property
    def patterns(self) -> Iterator[DevicePattern]:
        """Every kind of device that it may take."""
        yield from self.alternatives
        for member in self.unit.members if self.unit else ():
            yield from member.alternatives


class Entries:
    """Names as they are read, one entry after another."""

    def __init__(self) -> None:
        self.aliases: dict[str, Alias] = {}
        self.errors: list[dict[str, str]] = []

    def take(self, words: str, read: Callable[[], Alias]) -> None:
        """Add what one entry says, or what is wrong with it."""
        try:
            alias = replace(read(), words=words)
            known = self.aliases.get(alias.name)
            self.aliases[alias.name] = _joined(known, alias) if known else alias
        except ValueError as error:
            self.errors.append({"path": words, "message": f"`{words}`: {error}"})


def _joined(known: Alias, again: Alias) -> Alias:
    """The same name again is an alternative, if the two agree in all that an alias has once."""
    name = quoted(known.name)
    if known.unit or again.unit:
        raise ValueError(
            f"alias {name} of a unit stands there more than once, also in `{known.words}`"
        )
    if known.numa_policy != again.numa_policy:
        raise ValueError(
            f"alias {name} has numa_policy {again.numa_policy} here "
            f"and {known.numa_policy} in `{known.words}`"
        )
    here, there = (one.alternatives[0].get("dev_type") for one in (again, known))
    if here != there:
        raise ValueError(
            f"alias {name} has device_type {here or 'not set'} here "
            f"and {there or 'not set'} in `{known.words}`"
        )
    both = known.alternatives + again.alternatives
    if len(both) > _MOST_ALTERNATIVES:
        raise ValueError(f"alias {name} has more than {_MOST_ALTERNATIVES} alternatives")
    return replace(known, alternatives=both)


def read_entry(entry: AliasSpec) -> Alias:
    """What one `[[aliases]]` entry names; ValueError in words for the operator."""
    unit = None
    if entry.unit is not None:
        members = (
            UnitMember(alternatives=(_pattern(one),), count=one.count) for one in entry.members
        )
        unit = DeviceUnit(place=entry.unit, members=tuple(members))
    alternatives = () if entry.members else (_pattern(entry),)
    return Alias(entry.name, alternatives, entry.numa_policy, unit)


def _pattern(entry: AliasSpec | AliasMember) -> DevicePattern:
    live_migratable = entry.live_migratable if isinstance(entry, AliasSpec) else None
    for tag in entry.tags:
        if tag in _NEVER_MATCHED:
            raise ValueError(f"`tags.{tag}`: no device is asked for by its {tag}")
        if tag in _KEYS_OF_THEIR_OWN:
            raise ValueError(f"`tags.{tag}`: {tag} is no tag, the entry has a key for it")
    kind = entry.device_type and _DEV_TYPES.get(entry.device_type, entry.device_type)
    named = {
        "vendor_id": entry.vendor_id and entry.vendor_id.lower(),
        "product_id": entry.product_id and entry.product_id.lower(),
        "dev_type": kind,
        "live_migratable": None if live_migratable is None else str(live_migratable).lower(),
    }
    given: DevicePattern = {key: value for key, value in named.items() if value is not None}
    return {**given, **entry.tags}


def read_text(text: str) -> Alias:
    """What one text of `[nova] alias` names; ValueError in words for the operator."""
    alias = read_nova_alias(text)
    named = {
        "vendor_id": alias.vendor_id.lower(),
        "product_id": alias.product_id.lower(),
        "dev_type": alias.device_type,
        "resource_class": alias.resource_class,
        "traits": alias.traits,
        "live_migratable": alias.live_migratable,
    }
    pattern: DevicePattern = {key: value for key, value in named.items() if value is not None}
    return Alias(alias.name, (pattern,), alias.numa_policy)
