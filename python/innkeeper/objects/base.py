"""The root of everything that travels or is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, Field, ValidationError

from innkeeper.errors import BadPrimitive, BadVersion, IncompatibleObject
from innkeeper.objects.history import (
    History,
    Table,
    VersionNumber,
    format_version,
    parse_version,
)
from innkeeper.objects.marks import Mark, Marked, clean, set_mark
from innkeeper.objects.plain import (
    child_target,
    classes_in,
    dump,
    envelope,
    refuse_new_values,
    revived_at,
    written,
)
from innkeeper.objects.reader import NOTHING_KNOWN, Lookup, Manifest, Reader
from innkeeper.objects.reading import incompatible, opened, parsed, refusal
from innkeeper.objects.registry import class_of, register
from innkeeper.objects.values import (
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_VERSION,
    Primitive,
)


class VersionedObject(Marked):
    """Immutable, typed data with a version of its shape; it does no I/O and does not save itself.

    Its wire form is `{name, namespace, version, data}`, objects inside it likewise. Every class has
    a `HISTORY` from which each older form is derived; an object read at an older version stays at it.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        mark: ClassVar[Mark]

    NAMESPACE: ClassVar[str] = "innkeeper"
    VERSION: ClassVar[str] = "1.0"
    HISTORY: ClassVar[Table] = {"1.0": "first"}
    SHAPES: ClassVar[History]
    """The compiled history."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_timedelta="float")

    @classmethod
    def __pydantic_init_subclass__(cls, **_kwargs: Any) -> None:
        if cls.travels():
            cls.SHAPES = History.of(cls.HISTORY, cls.model_fields, cls.VERSION)
            cls.prepare()
            register(cls)

    @classmethod
    def travels(cls) -> bool:
        """Whether there are objects of this very class, and not only of classes below it."""
        return True

    @classmethod
    def prepare(cls) -> None:
        """What a class needs before it is known; raises TypeError when its declaration is wrong."""

    @property
    def object_version(self) -> str:
        """The version of this object's shape: older than the class's when it was read so."""
        try:
            return self.mark[0]
        except AttributeError:
            return self.VERSION

    def to_primitive(
        self,
        version: str | None = None,
        manifest: Manifest | None = None,
        lookup: Lookup = NOTHING_KNOWN,
    ) -> Primitive:
        """The wire form, at the object's own version or for an older reader.

        Args:
            version: of this object; null is its own.
            manifest: versions of the classes that the reader knows; it decides about the objects
                inside, and about this one when `version` is null.
            lookup: for values that only older readers need.

        Raises:
            BadVersion: newer than the object, or a version that the class never had.
            NoBackport: a value that a reader of that version would refuse.
        """
        return self.write_at(self.target_of(version, manifest), Reader(manifest, lookup))

    def to_json(
        self,
        version: str | None = None,
        manifest: Manifest | None = None,
        lookup: Lookup = NOTHING_KNOWN,
    ) -> bytes:
        """The wire form as JSON text; see `to_primitive`."""
        return dump(self.to_primitive(version, manifest, lookup))

    def target_of(self, version: str | None, manifest: Manifest | None) -> VersionNumber:
        """The version to write at, checked against this object's own."""
        own = parse_version(self.object_version)
        if version is None:
            wanted = (manifest or {}).get(type(self).__name__)
            return own if wanted is None else min(own, parse_version(wanted))
        target = parse_version(version)
        if target > own:
            name = type(self).__name__
            raise BadVersion(
                f"this {name} is of version {self.object_version}: it cannot become {version}",
                name=name,
                version=version,
                own=self.object_version,
            )
        return target

    def write_at(self, target: VersionNumber, reader: Reader) -> Primitive:
        """The wire form at a version that was checked."""
        own = parse_version(self.object_version)
        shape = self.SHAPES.at(min(target, own))
        data = {
            name: written(value, child_target(value, name, shape, reader.manifest), reader)
            for name, value in self.__dict__.items()
            if name in shape.fields
        }
        refuse_new_values(self, data, shape, target)
        return envelope(type(self), format_version(min(target, own)), data)

    @classmethod
    def from_primitive(cls, primitive: object) -> Self:
        """Read a wire form, coercing values as Nova does; fields that this side lacks are ignored.

        On the root any registered class is read, on a class only that one.

        Raises:
            IncompatibleObject: newer than this side, with what to ask for instead.
            UnknownObject: of a class or namespace that this side does not have.
            BadPrimitive: anything else, with the path of the field.
        """
        name, namespace = opened(primitive)
        kind = class_of(namespace, name)
        if not issubclass(kind, cls):
            raise BadPrimitive(f"expected {cls.__name__}, not {name}", path=OBJECT_NAME)
        return kind.read(primitive)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Read JSON text of the wire form; see `from_primitive`."""
        return cls.from_primitive(parsed(text))

    @classmethod
    def read(cls, primitive: Any) -> Self:
        """Read the wire form of this very class."""
        try:
            return cls.read_at_depth(primitive, 0)
        except IncompatibleObject as error:
            error.details["manifest"] = cls.object_manifest()
            raise

    @classmethod
    def read_at_depth(cls, primitive: Any, depth: int) -> Self:
        """Read the wire form of this very class, found so many levels deep inside another."""
        opened(primitive)
        version = cls.accepted(primitive[OBJECT_VERSION])
        data = primitive.get(OBJECT_DATA)
        if not isinstance(data, dict):
            raise BadPrimitive(f"{OBJECT_DATA} is missing or no object", path=OBJECT_DATA)
        try:
            result = cls.model_validate(
                {n: revived_at(n, data[n], depth) for n in cls.model_fields if n in data}
            )
        except ValidationError as error:
            raise refusal(error, cls) from None
        set_mark(result, clean(version))
        return result

    @classmethod
    def accepted(cls, text: str) -> str:
        """The version that an object with this label takes on.

        Raises:
            IncompatibleObject: newer than this side can read.
            BadPrimitive: not a version.
        """
        try:
            number = parse_version(text)
        except BadVersion as error:
            raise BadPrimitive(error.message, path=OBJECT_VERSION) from None
        if number > cls.SHAPES.newest.get(number[0], (0, 0)):
            raise incompatible(cls, cls.__name__, text, cls.VERSION)
        return format_version(number)

    @classmethod
    def object_manifest(cls) -> dict[str, str]:
        """The versions that this side reads, of this class and of every class inside it."""
        found: dict[str, str] = {}
        waiting: list[type[VersionedObject]] = [cls]
        while waiting:
            kind = waiting.pop()
            if kind.__name__ not in found:
                found[kind.__name__] = kind.VERSION
                waiting.extend(kind.inner_classes())
        return dict(sorted(found.items()))

    @classmethod
    def inner_classes(cls) -> Iterator[type[VersionedObject]]:
        """The classes of the objects that fields of this class hold."""
        for info in cls.model_fields.values():
            yield from classes_in(info.annotation)

    def __copy__(self) -> Self:
        return self._with_version_of(super().__copy__())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self._with_version_of(super().__deepcopy__(memo))

    def _with_version_of(self, copy: Self) -> Self:
        set_mark(copy, clean(self.object_version))
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        return super().__getstate__() | {"version": self.object_version}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        set_mark(self, clean(state.pop("version")))
        super().__setstate__(state)


#: 2^53: the largest whole number that every JSON reader keeps exactly.
MAX_AMOUNT = 2**53

Amount = Annotated[int, Field(strict=True, ge=0, le=MAX_AMOUNT)]
"""A whole number of something, zero included."""

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name of the caller's own: one line, printable."""

CounterName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,62}$")]
"""The operator's name for a counter, such as `slots` or `sev_asids`."""

PciAddress = Annotated[str, Field(pattern=r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]$")]
"""domain:bus:slot.function in lower-case hex, such as `0000:41:10.2`; the domain has 4 to 8 digits."""

PciId = Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
"""A vendor or product id: four lower-case hex digits without `0x`."""

CpuList = Annotated[str, Field(pattern=r"^(\d+(-\d+)?(,\d+(-\d+)?)*)?$")]
"""CPUs in the kernel's list format: `0-3,8`; empty for none."""
