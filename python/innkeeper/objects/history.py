"""The versions that a class has had, and what each of them could hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from innkeeper.errors import BadVersion

VersionNumber = tuple[int, int]

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?", re.ASCII)


def parse_version(text: str) -> VersionNumber:
    """MAJOR.MINOR as numbers, so that 1.10 comes after 1.9.

    A third number, which stable branches add, is cut off: it never changes the shape.

    Raises:
        BadVersion: not of the form X.Y or X.Y.Z.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise BadVersion(f"{text[:40]!r} is not a version such as 1.19", version=text[:40])
    return int(match[1]), int(match[2])


def format_version(number: VersionNumber) -> str:
    """The text of a version, as it is written on the wire."""
    return f"{number[0]}.{number[1]}"


@dataclass(frozen=True)
class Added:
    """New fields; `child` is the version of the objects in them."""

    names: tuple[str, ...]
    child: str | None

    def __init__(self, *names: str, child: str | None = None) -> None:
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "child", child)

    def __str__(self) -> str:
        return "+ " + ", ".join(self.names)


@dataclass(frozen=True)
class Removed:
    """Fields that this and later versions no longer have."""

    names: tuple[str, ...]

    def __init__(self, *names: str) -> None:
        object.__setattr__(self, "names", names)

    def __str__(self) -> str:
        return "- " + ", ".join(self.names)


@dataclass(frozen=True)
class Changed:
    """A field whose meaning or type changed, in words."""

    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.name} {self.how}"


@dataclass(frozen=True)
class NewValues:
    """Values of a field that readers of older versions refuse."""

    name: str
    values: tuple[str, ...]

    def __init__(self, name: str, *values: str) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "values", values)

    def __str__(self) -> str:
        return f"{self.name} may be {', '.join(self.values)}"


@dataclass(frozen=True)
class Children:
    """The versions of the objects in fields, from here on."""

    versions: Mapping[str, str]

    def __init__(self, **versions: str) -> None:
        object.__setattr__(self, "versions", versions)

    def __str__(self) -> str:
        return ", ".join(f"{name} {version}" for name, version in self.versions.items())


Step = Added | Removed | Changed | NewValues | Children | str
Table = dict[str, Step | tuple[Step, ...]]
"""version -> what it brought; a text says in words what no field shows."""


@dataclass(frozen=True)
class Shape:
    """What one version of a class can hold."""

    fields: frozenset[str]
    children: Mapping[str, str]
    """field -> version of the objects in it, where that is known."""
    refused: Mapping[str, frozenset[str]]
    """field -> values that only later versions know."""


@dataclass(frozen=True)
class History:
    """Every version of one class, ascending."""

    shapes: Mapping[VersionNumber, Shape]
    steps: Mapping[VersionNumber, tuple[Step, ...]]
    newest: Mapping[int, VersionNumber] = field(default_factory=dict)
    """major -> its last version."""

    @classmethod
    def of(cls, table: Table, declared: Iterable[str], latest: str) -> History:
        """Derive what each version holds from what each version brought.

        Raises:
            ValueError: the table does not end at `latest`, is not ascending, or speaks of fields
                that are not declared.
        """
        steps = {
            parse_version(version): step if isinstance(step, tuple) else (step,)
            for version, step in table.items()
        }
        _check(steps, frozenset(declared), parse_version(latest))
        shapes = dict(_shapes(steps, frozenset(declared)))
        return cls(shapes, steps, {number[0]: number for number in shapes})

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version, oldest first."""
        return tuple(format_version(number) for number in self.shapes)

    @property
    def latest(self) -> Shape:
        """The shape of the newest version."""
        return self.shapes[max(self.shapes)]

    def at(self, number: VersionNumber) -> Shape:
        """The shape of a version; one between two known versions has the older one's.

        Raises:
            BadVersion: older than the first, or newer than the last of its major.
        """
        shape = self.shapes.get(number)
        if shape is not None:
            return shape
        newest = self.newest.get(number[0])
        known = [other for other in self.shapes if other[0] == number[0] and other < number]
        if newest is None or number > newest or not known:
            text = format_version(number)
            raise BadVersion(f"there is no version {text}", version=text, known=self.versions)
        return self.shapes[known[-1]]


def _check(
    steps: Mapping[VersionNumber, tuple[Step, ...]],
    declared: frozenset[str],
    latest: VersionNumber,
) -> None:
    numbers = list(steps)
    if numbers != sorted(numbers) or not numbers or numbers[-1] != latest:
        raise ValueError(f"the history must ascend and end at {format_version(latest)}")
    unknown = {name for step in _flat(steps) for name in _names(step)} - declared
    if unknown:
        raise ValueError(f"the history speaks of unknown fields: {', '.join(sorted(unknown))}")


def _flat(steps: Mapping[VersionNumber, tuple[Step, ...]]) -> Iterator[Step]:
    for brought in steps.values():
        yield from brought


def _names(step: Step) -> tuple[str, ...]:
    match step:
        case Added(names=names) | Removed(names=names):
            return names
        case Changed(name=name) | NewValues(name=name):
            return (name,)
        case Children(versions=versions):
            return tuple(versions)
        case _:
            return ()


def _shapes(
    steps: Mapping[VersionNumber, tuple[Step, ...]], declared: frozenset[str]
) -> Iterator[tuple[VersionNumber, Shape]]:
    fields = set(declared) - {
        name for step in _flat(steps) if isinstance(step, Added) for name in step.names
    }
    children: dict[str, str] = {}
    refused: dict[str, frozenset[str]] = {}
    for step in _flat(steps):
        if isinstance(step, NewValues):
            refused[step.name] = refused.get(step.name, frozenset()) | set(step.values)
    for number, brought in steps.items():
        for step in brought:
            _apply(step, fields, children, refused)
        yield number, Shape(frozenset(fields), dict(children), dict(refused))


def _apply(
    step: Step,
    fields: set[str],
    children: dict[str, str],
    refused: dict[str, frozenset[str]],
) -> None:
    match step:
        case Added(names=names, child=child):
            fields.update(names)
            if child is not None:
                children.update(dict.fromkeys(names, child))
        case Removed(names=names):
            fields.difference_update(names)
        case NewValues(name=name, values=values):
            refused[name] = refused[name] - set(values)
            if not refused[name]:
                del refused[name]
        case Children(versions=versions):
            children.update(versions)
        case _:
            pass
