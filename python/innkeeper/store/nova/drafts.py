"""What is to be written of one object, taken down when it is handed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from innkeeper.objects import (
    ComputeNode,
    Flavor,
    Instance,
    Migration,
    PciDevice,
    Service,
    VersionedObject,
)
from innkeeper.objects.records import Persistent

PROJECTED: Final = (Service, ComputeNode, PciDevice, Flavor, Instance, Migration)
"""Classes of objects that have rows here, in the order in which rows refer to each other."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Values of one object; later edits of the object do not change it, as its values are frozen.

    Objects inside must not be edited until it is written.
    """

    kind: type[Persistent]
    fields: Mapping[str, Any]
    """All that the object carries: what a new row is made of."""
    changed: frozenset[str]
    """What of it is written to a row that is there."""

    @classmethod
    def of(cls, record: Persistent) -> Self:
        """Take down what the object holds now."""
        return cls(type(record), dict(record.__dict__), record.changed_fields())

    def followed_by(self, later: Draft) -> Draft:
        """Both in one, where the later one counts."""
        fields = {**self.fields, **later.fields}
        return Draft(self.kind, fields, self.changed | later.changed)

    @property
    def is_gone(self) -> bool:
        """Whether its row is to be marked deleted."""
        return bool(self.fields.get("deleted")) and "deleted" in self.changed

    def part(self, *, of_new_row: bool) -> dict[str, Any]:
        """The fields to write."""
        if of_new_row:
            return dict(self.fields)
        return {name: self.fields[name] for name in self.changed if name in self.fields}

    def named(self, *names: str) -> tuple[Any, ...]:
        """Values of fields, null where they are not set."""
        return tuple(map(self.fields.get, names))


def take_down(records: Iterable[VersionedObject]) -> tuple[Draft, ...]:
    """Drafts of objects of the projected classes; others are left out."""
    return tuple(Draft.of(one) for one in records if isinstance(one, PROJECTED))


def unprojected(records: Iterable[VersionedObject]) -> list[str]:
    """Names of classes that have no rows here."""
    return sorted({type(one).__name__ for one in records if not isinstance(one, PROJECTED)})


def merged(drafts: Iterable[Draft], *keys: tuple[str, ...]) -> list[Draft]:
    """One draft for each key; the first of the keys that an object carries whole identifies it."""
    found: dict[Any, Draft] = {}
    for draft in drafts:
        key = _key(draft, keys)
        before = found.get(key)
        found[key] = draft if before is None else before.followed_by(draft)
    return list(found.values())


def _key(draft: Draft, keys: tuple[tuple[str, ...], ...]) -> object:
    for names in keys:
        values = draft.named(*names)
        if None not in values:
            return names, values
    return id(draft)
