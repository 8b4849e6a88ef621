"""Values inside objects: they never change, so a change of an object is always an assignment."""

from __future__ import annotations

from typing import Any, Final, NoReturn, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MAX_TEXT: Final = 16 * 2**20
"""Characters of one text value."""
MAX_ITEMS: Final = 100_000
"""Elements of one list, set or mapping."""
MAX_DEPTH: Final = 64
"""Levels of an object of a foreign class."""

OBJECT_NAME: Final = "nova_object.name"
OBJECT_NAMESPACE: Final = "nova_object.namespace"
OBJECT_VERSION: Final = "nova_object.version"
OBJECT_DATA: Final = "nova_object.data"
OBJECT_CHANGES: Final = "nova_object.changes"

Primitive = dict[str, Any]
"""An object in its wire form: name, namespace, version, data, and changes if there are any."""


class FrozenDict(dict[K, V]):
    """A mapping that cannot be edited in place: assign a new one to the field instead.

    In-place edits would escape change tracking, and so never be sent or stored.
    """

    __slots__ = ()

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("this mapping is part of an object: assign a new one to the field instead")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> FrozenDict[K, V]:
        return self

    def __deepcopy__(self, _memo: Any) -> FrozenDict[K, V]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


class Foreign:
    """An object of a class that innkeeper does not have; it goes out as it came in."""

    __slots__ = ("primitive",)

    def __init__(self, primitive: Primitive) -> None:
        """Take over a primitive.

        Raises:
            ValueError: it is not one, or it is nested deeper than `MAX_DEPTH`.
        """
        if not _is_primitive(primitive):
            raise ValueError("not an object with name, namespace, version and data")
        if _deeper_than(primitive, MAX_DEPTH):
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        self.primitive = primitive

    @property
    def name(self) -> str:
        """The name of its class."""
        return str(self.primitive[OBJECT_NAME])

    @property
    def changed(self) -> bool:
        """Whether it says that fields of it are changed."""
        return bool(self.primitive.get(OBJECT_CHANGES))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Foreign) and other.primitive == self.primitive

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Foreign({self.name} {self.primitive[OBJECT_VERSION]})"

    def __deepcopy__(self, _memo: Any) -> Foreign:
        return self


def _is_primitive(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get(OBJECT_NAME), str)
        and isinstance(value.get(OBJECT_NAMESPACE), str)
        and isinstance(value.get(OBJECT_VERSION), str)
        and isinstance(value.get(OBJECT_DATA), dict)
    )


def _deeper_than(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return False
    return True


def _inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return [item for item in value.values() if isinstance(item, dict | list | tuple)]
    if isinstance(value, list | tuple):
        return [item for item in value if isinstance(item, dict | list | tuple)]
    return []
