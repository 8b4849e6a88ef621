"""From text or a primitive to something that can be checked; from a failed check to an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from innkeeper.errors import BadPrimitive, IncompatibleObject
from innkeeper.objects.kinds import COERCED
from innkeeper.objects.values import OBJECT_DATA, OBJECT_NAME, OBJECT_NAMESPACE, OBJECT_VERSION

if TYPE_CHECKING:
    from innkeeper.objects.base import VersionedObject

MAX_JSON: Final = 32 * 2**20
"""Bytes of one JSON text."""
TOO_NEW: Final = "incompatible_object"
BAD_VERSION: Final = "bad_version"
_MAX_ERRORS = 20


def check_size(text: bytes | str) -> None:
    """Refuse a text before anything of it is parsed.

    Raises:
        BadPrimitive: longer than `MAX_JSON`.
    """
    if len(text) > MAX_JSON:
        raise BadPrimitive(
            f"a text of {len(text)} bytes; at most {MAX_JSON} are read", path="", limit=MAX_JSON
        )


def parsed(text: bytes | str) -> Any:
    """The value of JSON text.

    Raises:
        BadPrimitive: too long, too deep, or not JSON.
    """
    check_size(text)
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise BadPrimitive(f"not JSON: {error}", path="") from None


def opened(primitive: object) -> tuple[str, str]:
    """Name and namespace of a primitive.

    Raises:
        BadPrimitive: it has none.
    """
    if not isinstance(primitive, dict):
        raise BadPrimitive(f"not an object but {type(primitive).__name__}", path="")
    name, namespace = primitive.get(OBJECT_NAME), primitive.get(OBJECT_NAMESPACE)
    if not isinstance(name, str) or not isinstance(namespace, str):
        path = OBJECT_NAMESPACE if isinstance(name, str) else OBJECT_NAME
        raise BadPrimitive(f"{path} is missing or not text", path=path)
    if not isinstance(primitive.get(OBJECT_VERSION), str):
        raise BadPrimitive(f"{OBJECT_VERSION} is missing or not text", path=OBJECT_VERSION)
    return name, namespace


def incompatible(
    outermost: type[VersionedObject], name: str, version: str, supported: str, path: str = ""
) -> IncompatibleObject:
    """The error that says what to ask the writer for."""
    return IncompatibleObject(
        f"{name} {version} is newer than {supported}, which is read here",
        name=name,
        version=version,
        supported=supported,
        path=path,
        manifest=outermost.object_manifest(),
    )


def refusal(
    error: ValidationError, kind: type[VersionedObject]
) -> BadPrimitive | IncompatibleObject:
    """What a failed check means, with the paths of the fields."""
    found: dict[str, str] = {}
    for one in error.errors(include_url=False):
        path = path_of(one["loc"])
        if one["type"] == TOO_NEW:
            told = one["ctx"]
            return incompatible(kind, told["name"], told["version"], told["supported"], path)
        if one["type"] == BAD_VERSION:
            path = f"{path}.{OBJECT_VERSION}".removeprefix(".")
        if len(found) < _MAX_ERRORS or path in found:
            found[path] = _message(one)
    path, message = next(iter(found.items()))
    where = f"{kind.__name__}.{path}" if path else kind.__name__
    errors = [{"path": path, "message": message} for path, message in found.items()]
    return BadPrimitive(f"{where}: {message}", path=path, name=kind.__name__, errors=errors)


def path_of(location: tuple[int | str, ...]) -> str:
    """Such as `pci_device_pools.objects[3].count`."""
    return "".join(_steps(location)).removeprefix(".")


def _steps(location: tuple[int | str, ...]) -> Iterator[str]:
    for step in location:
        if isinstance(step, int):
            yield f"[{step}]"
        elif step not in (OBJECT_DATA, COERCED):
            yield f".{step[:100]}"


def _message(one: Mapping[str, Any]) -> str:
    value = one["input"]
    if one["type"] == BAD_VERSION:
        return str(one["msg"])
    if value is None:
        return "may not be null"
    message = str(one["msg"]).removeprefix("Value error, ")
    return f"{message}, got {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        return repr(value) if len(value) < 80 else f"a text of {len(value)} characters"
    if isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**128):
        return repr(value)
    return type(value).__name__
