"""What a process did to its files, and what a power cut may have left of it.

A file is what its last sync made durable, plus writes that are still pending. Of those a power cut
keeps any part, sector by sector (512 bytes, whole or not at all) and in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR = 512
ANSWERS = ".answers"


@dataclass(frozen=True, slots=True)
class Operation:
    kind: str
    name: str
    offset: int
    data: bytes


def read_recording(path: Path) -> list[Operation]:
    """The operations in the order of their effects."""
    operations = []
    with path.open("rb") as recording:
        while head := recording.readline():
            kind, name, offset, size = head.decode().split()
            data = recording.read(int(size)) if kind == "write" else b""
            operations.append(Operation(kind, name, int(offset), data))
    return operations


@dataclass
class File:
    """One file on a disk with a volatile cache."""

    durable: bytes | None = None
    pending: list[Operation] = field(default_factory=list)

    def take(self, operation: Operation) -> None:
        if operation.kind == "sync":
            self.durable, self.pending = self.after(self.pending), []
        elif operation.kind == "remove":
            self.durable, self.pending = None, []
        else:
            self.pending.append(operation)

    def after(self, kept: list[Operation]) -> bytes:
        content = bytearray(self.durable or b"")
        for operation in kept:
            end = operation.offset + len(operation.data)
            if operation.kind == "cut":
                del content[operation.offset :]
            content.extend(bytes(max(0, end - len(content))))
            content[operation.offset : end] = operation.data
        return bytes(content)

    def sectors(self) -> list[Operation]:
        """The pending writes, cut where one sector ends and the next begins."""
        return [piece for operation in self.pending for piece in _split(operation)]


def _split(operation: Operation) -> Iterator[Operation]:
    if operation.kind != "write":
        yield operation
        return
    at, end = operation.offset, operation.offset + len(operation.data)
    while at < end:
        upto = min(end, (at // SECTOR + 1) * SECTOR)
        data = operation.data[at - operation.offset : upto - operation.offset]
        yield Operation("write", operation.name, at, data)
        at = upto


Choice = Callable[[list[Operation], Random], list[Operation]]


def _none(_sectors: list[Operation], _chance: Random) -> list[Operation]:
    return []


def _all(sectors: list[Operation], _chance: Random) -> list[Operation]:
    return sectors


def _but_the_last(sectors: list[Operation], _chance: Random) -> list[Operation]:
    return sectors[:-1]


def _the_later_half(sectors: list[Operation], _chance: Random) -> list[Operation]:
    return sectors[len(sectors) // 2 :]


def _half_by_chance(sectors: list[Operation], chance: Random) -> list[Operation]:
    return [sector for sector in sectors if chance.random() < 0.5]


def _most_by_chance(sectors: list[Operation], chance: Random) -> list[Operation]:
    return [sector for sector in sectors if chance.random() < 0.95]


CHOICES: tuple[Choice, ...] = (
    _none,
    _all,
    _but_the_last,
    _the_later_half,
    _half_by_chance,
    _most_by_chance,
)


@dataclass(frozen=True, slots=True)
class Remains:
    """What a power cut left of every file, and what had been answered before it."""

    files: dict[str, bytes]
    answers: tuple[str, ...]
    origin: str
    """Which point and choice, to find it again."""


def cut_power(
    operations: list[Operation], points: set[int], choices: tuple[Choice, ...] = CHOICES
) -> Iterator[Remains]:
    """What may be left when the power goes before the operation of each point; no state twice."""
    files: dict[str, File] = {}
    answers: list[str] = []
    seen: set[int] = set()
    for point, operation in enumerate([*operations, None]):
        for choice in choices if point in points else ():
            chance = Random(f"{point} {choice.__name__}")
            left = {n: f.after(choice(f.sectors(), chance)) for n, f in files.items() if _is(f)}
            key = hash((frozenset(left.items()), len(answers)))
            if key not in seen:
                seen.add(key)
                yield Remains(left, tuple(answers), f"{choice.__name__} at {point}")
        if operation is not None and operation.name.endswith(ANSWERS):
            answers += operation.data.decode().splitlines()
        elif operation is not None:
            files.setdefault(operation.name, File()).take(operation)


def _is(file: File) -> bool:
    return file.durable is not None or bool(file.pending)


def telling_points(operations: list[Operation]) -> set[int]:
    """Just before and after each sync, cut and removal, and after each answer."""
    points = {len(operations)}
    for index, operation in enumerate(operations):
        if operation.kind != "write":
            points |= {index, index + 1}
        elif operation.name.endswith(ANSWERS):
            points.add(index + 1)
    return points
