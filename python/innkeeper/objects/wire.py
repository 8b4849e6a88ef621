"""How a class of namespace `nova` is checked, read and written: built once from its declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core import core_schema as cs

from innkeeper.objects.kinds import ANY_TEXT, BOUNDED_TEXT, COERCED, Kind
from innkeeper.objects.lanes import Lane, agreed
from innkeeper.objects.marks import clean, made, mark
from innkeeper.objects.values import (
    MAX_ITEMS,
    OBJECT_CHANGES,
    OBJECT_DATA,
    OBJECT_NAME,
    OBJECT_NAMESPACE,
    OBJECT_VERSION,
    Primitive,
)

if TYPE_CHECKING:
    from innkeeper.objects.nova import NovaObject

NO_DEFAULT: Final = object()


@dataclass(frozen=True, eq=False)
class Unset:
    """Stands in a declaration for the value that a field does not have until it is set."""

    default: Any
    """What `set_defaults`, and null in a field that cannot be null, turn into."""
    read_only: bool


def unset(*, default: Any = NO_DEFAULT, read_only: bool = False) -> Any:
    """A field that is unset until it is given, whatever its default."""
    return Unset(default, read_only)


UNSET: Final[Any] = unset()


@dataclass(frozen=True)
class Declared:
    """One field, as its class declares it."""

    name: str
    kind: Kind | None
    child: type[NovaObject] | None
    """The class of the object, or objects, in it."""
    many: bool
    nullable: bool
    default: Any
    read_only: bool

    @property
    def is_foreign(self) -> bool:
        """Whether it holds an object of a class that innkeeper does not have."""
        return self.kind is not None and self.kind.name.startswith("Object<")

    @property
    def type_name(self) -> str:
        """Nova's name of the type, with `?` when it may be null."""
        if self.kind is not None:
            name = self.kind.name
        else:
            assert self.child is not None
            name = f"{'ListOfObjects' if self.many else 'Object'}<{self.child.__name__}>"
        return name + "?" * self.nullable


def declared(name: str, info: FieldInfo) -> Declared:
    """What a field's annotation says.

    Raises:
        TypeError: it is neither a kind of field nor an object.
    """
    mark = info.default if isinstance(info.default, Unset) else Unset(NO_DEFAULT, read_only=False)
    inner, nullable = _without_null(info.annotation)
    kind = _kind_of(inner) or next((one for one in info.metadata if isinstance(one, Kind)), None)
    child, many = (None, False) if kind else _child_of(inner)
    if kind is None and child is None:
        raise TypeError(f"field {name}: {info.annotation} is not a type of field")
    return Declared(name, kind, child, many, nullable, mark.default, mark.read_only)


def _without_null(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    others = [one for one in get_args(annotation) if one is not type(None)]
    return others[0], True


def _kind_of(annotation: Any) -> Kind | None:
    if get_origin(annotation) is not Annotated:
        return None
    return next((one for one in get_args(annotation) if isinstance(one, Kind)), None)


def _child_of(annotation: Any) -> tuple[Any, bool]:
    many = get_origin(annotation) is tuple
    child = get_args(annotation)[0] if many else annotation
    return (child, many) if hasattr(child, "LAYOUT") else (None, False)


class Layout:
    """Everything about one class that reading and writing need; the schemas are built when used."""

    def __init__(self, kind: type[NovaObject]) -> None:
        self.kind = kind
        self.fields = {name: declared(name, info) for name, info in kind.model_fields.items()}
        self.writers = tuple(self._writers())
        self.children = tuple(one for one in self.fields.values() if one.child is not None)
        self.foreign = tuple(name for name, one in self.fields.items() if one.is_foreign)
        watched = [one.name for one in self.children if not one.many or kind.IS_LIST]
        self.inner = (*watched, *self.foreign)
        """Fields whose objects, when they are changed, make this one changed."""
        self.nested = bool(self.children or self.foreign)
        self.names = frozenset(self.fields)
        self.fresh = clean(kind.VERSION)
        """The mark of clean objects of the newest version."""
        self.enveloped = _enveloper(kind)
        """The primitive around the data of such an object."""
        self.gone = frozenset(self.names - kind.SHAPES.latest.fields)
        """Fields that only older versions have."""

    def _writers(self) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        for name, one in self.fields.items():
            if one.kind is not None and one.kind.write is not None:
                yield name, one.kind.write

    @cached_property
    def checker(self) -> SchemaValidator:
        """Checks field values given in Python, strictly."""
        fields = {
            name: cs.typed_dict_field(_strict_schema(one), required=False)
            for name, one in self.fields.items()
            if name not in self.gone
        }
        schema = cs.typed_dict_schema(fields, extra_behavior="forbid", cls_name=self.kind.__name__)
        return SchemaValidator(schema, {"title": self.kind.__name__})

    @cached_property
    def lane(self) -> Lane:
        """Reads primitives whose values need no coercion."""
        return Lane(self.kind, BOUNDED_TEXT, [one.LAYOUT.lane for one in self.child_classes()])

    @cached_property
    def text_lane(self) -> Lane:
        """As `lane`, for primitives from a text whose length was checked."""
        return Lane(self.kind, ANY_TEXT, [one.LAYOUT.text_lane for one in self.child_classes()])

    @cached_property
    def reader(self) -> SchemaValidator:
        """Reads the wire form, coercing as Nova does."""
        kinds = {self.kind.__name__: self.kind}
        schemas: dict[str, CoreSchema] = {}
        while kinds:
            name, kind = kinds.popitem()
            schemas[name] = kind.LAYOUT.envelope_schema()
            inner = {one.__name__: one for one in kind.LAYOUT.child_classes()}
            kinds.update({name: one for name, one in inner.items() if name not in schemas})
        root = cs.definition_reference_schema(self.kind.__name__)
        return SchemaValidator(cs.definitions_schema(root, list(schemas.values())))

    def child_classes(self) -> Iterator[type[NovaObject]]:
        """The classes of the objects in its fields."""
        for one in self.children:
            assert one.child is not None
            yield one.child

    def envelope_schema(self) -> CoreSchema:
        """The schema of one primitive of the class."""
        data = {
            name: cs.typed_dict_field(_wire_schema(one), required=False)
            for name, one in self.fields.items()
        }
        changes = cs.list_schema(cs.str_schema(strict=True), max_length=MAX_ITEMS, fail_fast=True)
        envelope = cs.typed_dict_schema(
            {
                OBJECT_NAME: _required(cs.literal_schema([self.kind.__name__])),
                OBJECT_NAMESPACE: _required(cs.literal_schema([self.kind.NAMESPACE])),
                OBJECT_VERSION: _required(cs.str_schema(strict=True, max_length=40)),
                OBJECT_DATA: _required(cs.typed_dict_schema(data, extra_behavior="ignore")),
                OBJECT_CHANGES: cs.typed_dict_field(changes, required=False),
            },
            extra_behavior="ignore",
        )
        return cs.no_info_after_validator_function(
            _builder(self.kind), envelope, ref=self.kind.__name__
        )


def _required(schema: CoreSchema) -> cs.TypedDictField:
    return cs.typed_dict_field(schema, required=True)


def _strict_schema(field: Declared) -> CoreSchema:
    if field.kind is not None:
        schema = field.kind.strict
    else:
        schema = cs.is_instance_schema(field.child)
        if field.many:
            schema = _tuple_of(schema)
    return cs.nullable_schema(schema) if field.nullable else schema


def _wire_schema(field: Declared) -> CoreSchema:
    if field.kind is not None:
        schema = field.kind.wire
    else:
        assert field.child is not None
        schema = cs.definition_reference_schema(field.child.__name__)
        if field.many:
            schema = _tuple_of(schema)
    if field.nullable:
        return cs.nullable_schema(schema)
    return schema if field.default is NO_DEFAULT else _null_is(field.default, schema)


def _tuple_of(schema: CoreSchema) -> CoreSchema:
    return cs.tuple_schema(
        [schema], variadic_item_index=0, max_length=MAX_ITEMS, fail_fast=True, strict=False
    )


def _null_is(default: Any, schema: CoreSchema) -> CoreSchema:
    null = cs.no_info_after_validator_function(lambda _null: default, cs.none_schema())
    return cs.union_schema([(null, COERCED), (schema, COERCED)], mode="left_to_right")


def _builder(kind: type[NovaObject]) -> Callable[[dict[str, Any]], Any]:
    """What makes an object of a primitive that was checked."""
    latest, names, gone = kind.VERSION, kind.LAYOUT.names, kind.LAYOUT.gone

    def build(primitive: dict[str, Any]) -> Any:
        data, version = primitive[OBJECT_DATA], primitive[OBJECT_VERSION]
        if version != latest:
            version = agreed(kind, version)
        elif gone:
            data = {name: value for name, value in data.items() if name not in gone}
        if kind.IS_LIST:
            data.setdefault("objects", ())
        changes = names.intersection(primitive.get(OBJECT_CHANGES, ()))
        return made(kind, data, mark(version, changes))

    return build


def _enveloper(kind: type[NovaObject]) -> Callable[[dict[str, Any]], Primitive]:
    name, namespace, version = kind.__name__, kind.NAMESPACE, kind.VERSION

    def enveloped(data: dict[str, Any]) -> Primitive:
        return {
            OBJECT_NAME: name,
            OBJECT_NAMESPACE: namespace,
            OBJECT_VERSION: version,
            OBJECT_DATA: data,
        }

    return enveloped
