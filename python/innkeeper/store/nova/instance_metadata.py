"""Rows of `instance_system_metadata`, and the flavor that Juno keeps in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from innkeeper.objects import Flavor, Instance
from innkeeper.objects.instance import flavor_metadata
from innkeeper.objects.releases import is_before
from innkeeper.objects.stored_guest import read_flavor_metadata
from innkeeper.store.nova.drafts import Draft
from innkeeper.store.nova.flavors import flavors_of_ids
from innkeeper.store.nova.instance_extra import FLAVORS
from innkeeper.store.nova.pairs import PairTable
from innkeeper.store.nova.shape import Shape
from innkeeper.store.nova.writing import Writing

_PREFIXES: Final = dict(zip(FLAVORS, ("", "old_", "new_"), strict=True))


def system_metadata(shape: Shape) -> PairTable:
    """The system metadata of instances."""
    return PairTable(shape["instance_system_metadata"], "instance_uuid")


def write_system_metadata(writing: Writing, drafts: Sequence[Draft], known: frozenset[str]) -> None:
    """Write it for instances whose rows were `known`, or are new."""
    for draft in drafts:
        fields = draft.part(of_new_row=draft.fields["uuid"] not in known)
        _write(writing, draft.fields["uuid"], fields)


def _write(writing: Writing, uuid: str, fields: dict[str, Any]) -> None:
    """A flavor that is not written keeps its keys, whether or not the object carries them."""
    written = [name for name in FLAVORS if name in fields and _belongs_here(writing)]
    wanted = dict(fields.get("system_metadata", {}))
    for name in written:
        wanted |= _texts(fields[name], _PREFIXES[name])
    replaced = {_PREFIXES[name] for name in written}

    def keeps(key: str) -> bool:
        prefix = _flavor_prefix(key)
        return "system_metadata" not in fields if prefix is None else prefix not in replaced

    if written or "system_metadata" in fields:
        system_metadata(writing.shape).replace(writing, uuid, wanted, keeps)


def _belongs_here(writing: Writing) -> bool:
    """Also in a newer database, when Juno is to read it."""
    return not writing.shape["instance_extra"].has("flavor") or is_before(writing.release, "kilo")


def _texts(flavor: Flavor | None, prefix: str) -> dict[str, str | None]:
    if flavor is None:
        return {}
    return {
        key: None if value is None else str(value)
        for key, value in flavor_metadata(flavor, prefix).items()
    }


def _flavor_prefix(key: str) -> str | None:
    """Which flavor a key belongs to; null for any other key."""
    for prefix in _PREFIXES.values():
        if key.startswith(f"{prefix}instance_type_"):
            return prefix
    return None


def read_metadata(instance: Instance, pairs: dict[str, str | None]) -> None:
    """Set the metadata, and the flavors that are in it unless the object has its own.

    Raises:
        BadPrimitive: a flavor's number is none.
    """
    if not instance.is_set("flavor") and (current := read_flavor_metadata(pairs)) is not None:
        instance.flavor = _completed(current)
        for name, prefix in (("old_flavor", "old_"), ("new_flavor", "new_")):
            other = read_flavor_metadata(pairs, prefix)
            setattr(instance, name, None if other is None else _completed(other))
    rest = {key: value for key, value in pairs.items() if _flavor_prefix(key) is None}
    instance.system_metadata = rest


def _completed(flavor: Flavor) -> Flavor:
    """What is not kept with an instance is as usual."""
    for name, usual in (("disabled", False), ("is_public", True)):
        if not flavor.is_set(name):
            setattr(flavor, name, usual)
    return flavor


def complete_flavors(connection: Connection, shape: Shape, instances: Sequence[Instance]) -> None:
    """From the flavor's row, where it is still there, give instances what their metadata lack."""
    ids = [one.instance_type_id for one in instances if one.instance_type_id is not None]
    found = flavors_of_ids(connection, shape, ids)
    for one in instances:
        flavor = found.get(one.instance_type_id or 0)
        if flavor is not None:
            _complete(one, flavor)


def _complete(instance: Instance, flavor: Flavor) -> None:
    if not instance.is_set("flavor"):
        instance.flavor = flavor
    elif instance.flavor.flavorid == flavor.flavorid:
        kept = instance.flavor.extra_specs if instance.flavor.is_set("extra_specs") else {}
        instance.flavor.extra_specs = {**flavor.extra_specs, **kept}
