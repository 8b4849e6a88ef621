"""The root of the objects that are exchanged with Nova: fields may be unset, changes are tracked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import orjson
from pydantic import ConfigDict, ValidationError

from innkeeper.errors import BadPrimitive, ReadOnlyField, UnknownObject, UnsetField
from innkeeper.objects import texts, writing
from innkeeper.objects.base import VersionedObject
from innkeeper.objects.history import VersionNumber, parse_version
from innkeeper.objects.lanes import GIVES_UP
from innkeeper.objects.marks import made, mark, set_dict, set_mark
from innkeeper.objects.plain import dump, envelope
from innkeeper.objects.reader import NOTHING_KNOWN, Lookup, Manifest, Reader
from innkeeper.objects.reading import MAX_JSON, check_size, refusal
from innkeeper.objects.registry import class_of
from innkeeper.objects.values import (
    OBJECT_CHANGES,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    Foreign,
    Primitive,
)
from innkeeper.objects.wire import NO_DEFAULT, Layout


class NovaObject(VersionedObject):
    """Data of one of Nova's objects.

    A field is unset until it is given; unset, null and default are three different things. Python
    code sets fields strictly, reading the wire coerces as Nova does. An assignment is a change,
    even of an equal value; values themselves cannot be edited in place.
    """

    __slots__ = ()

    NAMESPACE: ClassVar[str] = "nova"
    IS_LIST: ClassVar[bool] = False
    LAYOUT: ClassVar[Layout]

    model_config = ConfigDict(frozen=False, defer_build=True, protected_namespaces=())

    @classmethod
    def travels(cls) -> bool:
        """A class that says its own version; it can then not be derived from.

        Raises:
            TypeError: a class above it is of that kind.
        """
        if any("LAYOUT" in base.__dict__ for base in cls.__mro__[1:]):
            raise TypeError(f"{cls.__name__}: classes of objects that travel have no subclasses")
        return "VERSION" in cls.__dict__

    @classmethod
    def prepare(cls) -> None:
        """Build what reading and writing need."""
        cls.LAYOUT = Layout(cls)

    def __init__(self, /, **fields: Any) -> None:
        """Set the fields given; each of them counts as changed.

        Raises:
            ValidationError: a value of another type, or a field that the class does not have.
        """
        data = self.LAYOUT.checker.validate_python(fields)
        set_dict(self, data)
        set_mark(self, mark(self.VERSION, set(data)))

    # Fields

    def is_set(self, name: str) -> bool:
        """Whether the object carries the field, null included."""
        return name in self.__dict__

    def set_defaults(self, *names: str) -> None:
        """Set the named fields, or all unset ones, to their default where they have one."""
        for name in names or [one for one in self.LAYOUT.fields if one not in self.__dict__]:
            default = self.LAYOUT.fields[name].default
            if default is not NO_DEFAULT:
                setattr(self, name, default)
            elif names:
                raise UnsetField(f"{type(self).__name__}.{name} has no default", field=name)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                kind = type(self).__name__
                raise UnsetField(f"{kind}.{name} is not set", name=kind, field=name)
            if name == "__pydantic_fields_set__":
                return set(self.__dict__)
            if name in ("__pydantic_extra__", "__pydantic_private__"):
                return None
            return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        layout = self.LAYOUT
        checked = layout.checker.validate_python({name: value})[name]
        if layout.fields[name].read_only and name in self.__dict__:
            if self.__dict__[name] != checked:
                kind = type(self).__name__
                raise ReadOnlyField(f"{kind}.{name} cannot be changed", name=kind, field=name)
            return
        self.__dict__[name] = checked
        version, changes, _ = self.mark
        set_mark(self, mark(version, changes | {name}))

    def __delattr__(self, name: str) -> None:
        if name not in self.__dict__:
            raise UnsetField(f"{type(self).__name__}.{name} is not set", field=name)
        del self.__dict__[name]
        version, changes, _ = self.mark
        set_mark(self, mark(version, changes))

    # Changes

    def changed_fields(self) -> frozenset[str]:
        """Fields assigned since the object was read or reset, and those whose object is changed.

        In a list object a changed element counts; elsewhere objects in lists do not, as in Nova.
        """
        inside = [name for name in self.LAYOUT.inner if _is_changed(self.__dict__.get(name))]
        return self.mark[1].union(inside) if inside else self.mark[1]

    def changes(self) -> dict[str, Any]:
        """The value of each changed field that is set."""
        return {name: self.__dict__[name] for name in self.changed_fields() if self.is_set(name)}

    def reset_changes(
        self, fields: Iterable[str] | None = None, *, recursive: bool = False
    ) -> None:
        """Count the named fields, or all, as unchanged; recursively also the objects in them."""
        names = self.changed_fields() if fields is None else frozenset(fields)
        if recursive:
            for name in names:
                for inner in _objects_in(self.__dict__.get(name)):
                    inner.reset_changes(recursive=True)
        version, changes, _ = self.mark
        set_mark(self, mark(version, changes - names))

    def clone(self) -> Self:
        """A copy with copies of the objects inside, and the same changes."""
        data = {name: _cloned(value) for name, value in self.__dict__.items()}
        return cast("Self", made(type(self), data, self.mark))

    def __eq__(self, other: object) -> bool:
        """Same class, version and set fields; changes do not count."""
        return (
            isinstance(other, NovaObject)
            and type(other) is type(self)
            and other.mark[0] == self.mark[0]
            and other.__dict__ == self.__dict__
        )

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Self:
        return cast("Self", made(type(self), dict(self.__dict__), self.mark))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.clone()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), dict(self.__dict__), *self.mark[:2])

    # Wire

    def to_primitive(
        self,
        version: str | None = None,
        manifest: Manifest | None = None,
        lookup: Lookup = NOTHING_KNOWN,
    ) -> Primitive:
        """The wire form; see `VersionedObject.to_primitive`."""
        if version is None and manifest is None:
            return writing.write_own(self)
        return super().to_primitive(version, manifest, lookup)

    def to_json(
        self,
        version: str | None = None,
        manifest: Manifest | None = None,
        lookup: Lookup = NOTHING_KNOWN,
    ) -> bytes:
        """The wire form as JSON text; at its own version nothing is copied on the way."""
        if version is None and manifest is None:
            return texts.write_text(self)
        return dump(self.to_primitive(version, manifest, lookup))

    def write_at(self, target: VersionNumber, reader: Reader) -> Primitive:
        """The wire form at a version that was checked.

        Fields that the version does not know are left out, unless the object itself claims to be
        of that version. An object inside never claims to be newer than it is.
        """
        if reader.manifest is None and target == parse_version(self.mark[0]):
            return writing.write_own(self)
        return writing.write_at(self, target, reader)

    def substitute(self, data: dict[str, Any], target: VersionNumber, reader: Reader) -> None:
        """Put in the values that readers of an older version need; a class's own steps go here."""

    @classmethod
    def from_primitive(cls, primitive: Any) -> Self:
        """Read a wire form; see `VersionedObject.from_primitive`."""
        try:
            kind = class_of(primitive[OBJECT_NAMESPACE], primitive[OBJECT_NAME])
            if issubclass(kind, cls):
                result: Self = kind.LAYOUT.lane.read(primitive)
                return result
        except (*GIVES_UP, UnknownObject):
            pass
        return super().from_primitive(primitive)

    @classmethod
    def read(cls, primitive: Any) -> Self:
        """Read the wire form of this very class."""
        try:
            result: Self = cls.LAYOUT.lane.read(primitive)
        except GIVES_UP:
            return cls._read_fully(primitive)
        return result

    @classmethod
    def _read_fully(cls, primitive: Any) -> Self:
        try:
            result: Self = cls.LAYOUT.reader.validate_python(primitive)
        except ValidationError as error:
            raise refusal(error, cls) from None
        return result

    @classmethod
    def of_data(cls, data: Mapping[str, Any], needed: Iterable[str] = ()) -> Self:
        """An object of values that are coerced as those of the wire are; all of them are changes.

        Raises:
            BadPrimitive: a value of the wrong kind, or one of the `needed` fields is missing.
        """
        for name in needed:
            if name not in data:
                raise BadPrimitive(f"{cls.__name__}.{name} is missing", path=name)
        primitive = envelope(cls, cls.VERSION, dict(data))
        return cls.read(primitive | {OBJECT_CHANGES: list(data)})

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Read JSON text of the wire form."""
        if len(text) <= MAX_JSON:
            try:
                return cls.LAYOUT.text_lane.read(orjson.loads(text))  # type: ignore[no-any-return]
            except GIVES_UP:
                pass
        return cls._read_text_fully(text)

    @classmethod
    def _read_text_fully(cls, text: bytes | str) -> Self:
        if not cls.travels():
            return super().from_json(text)
        check_size(text)
        try:
            result: Self = cls.LAYOUT.reader.validate_json(text)
        except ValidationError as error:
            raise refusal(error, cls) from None
        return result


def _unpickled(
    kind: type[NovaObject], data: dict[str, Any], version: str, changes: frozenset[str]
) -> Any:
    return made(kind, data, mark(version, changes))


def _is_changed(value: Any) -> bool:
    if value is None:
        return False
    if isinstance(value, tuple):
        return any(one.changed_fields() for one in value)
    return value.changed if isinstance(value, Foreign) else bool(value.changed_fields())


def _objects_in(value: object) -> tuple[NovaObject, ...]:
    if isinstance(value, NovaObject):
        return (value,)
    if isinstance(value, tuple):
        return tuple(one for one in value if isinstance(one, NovaObject))
    return ()


def _cloned(value: Any) -> Any:
    if isinstance(value, NovaObject):
        return value.clone()
    if isinstance(value, tuple) and value and isinstance(value[0], NovaObject):
        return tuple(one.clone() for one in value)
    return value
