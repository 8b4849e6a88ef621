"""Every class whose objects travel, by namespace and name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from innkeeper.errors import UnknownObject
from innkeeper.objects.homes import load_all

if TYPE_CHECKING:
    from innkeeper.objects.base import VersionedObject

_CLASSES: dict[tuple[str, str], type[VersionedObject]] = {}


def register(kind: type[VersionedObject]) -> None:
    """Make a class known under its name.

    Raises:
        TypeError: another class has the name.
    """
    key = (kind.NAMESPACE, kind.__name__)
    known = _CLASSES.setdefault(key, kind)
    if (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise TypeError(f"{known.__module__} already has a class {kind.__name__} in {key[0]}")
    _CLASSES[key] = kind


def class_of(namespace: str, name: str) -> type[VersionedObject]:
    """The class of that name.

    Raises:
        UnknownObject: this side has none.
    """
    key = (namespace, name)
    if key not in _CLASSES:
        # Classes are loaded when they are needed, and now somebody needs one by its name.
        load_all()
    kind = _CLASSES.get(key)
    if kind is None:
        raise UnknownObject(
            f"objects {namespace[:100]}.{name[:100]} are not known here",
            name=name[:100],
            namespace=namespace[:100],
            path="",
        )
    return kind


def classes() -> Iterator[type[VersionedObject]]:
    """Every class, by namespace and name."""
    load_all()
    for _, kind in sorted(_CLASSES.items()):
        yield kind
