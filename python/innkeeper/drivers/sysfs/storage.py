"""Block devices that the host itself needs: mounted, swapped to, or held by another one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from innkeeper.drivers.sysfs.location import functions_on
from innkeeper.drivers.sysfs.notes import printable
from innkeeper.drivers.sysfs.tree import TABLE_LIMIT, Tree

BLOCKS = "sys/class/block"

_NUMBERS = re.compile(r"[1-9]\d{0,3}:\d{1,7}", re.ASCII)
_ESCAPE = re.compile(r"\\([0-7]{3})")
_CONTROLLER = re.compile(r"nvme\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Mount:
    point: str
    numbers: str
    """major:minor; major 0 stands for a file system that hides its devices."""
    source: str
    kind: str


class Storage:
    """Block devices of one tree, and the functions behind them."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def mounts(self) -> Iterator[tuple[str, str]]:
        """Functions behind mounted file systems, each with the reason."""
        for mount in self._read_mounts():
            yield from self._behind(self._path_of(mount), f"mounted at {printable(mount.point)}")
        for system in self._tree.names("sys/fs/btrfs"):
            devices = f"sys/fs/btrfs/{system}/devices"
            for name in self._tree.names(devices):
                path = self._tree.real(f"{devices}/{name}")
                yield from self._behind(path, "part of a mounted btrfs")

    def swaps(self) -> Iterator[tuple[str, str]]:
        """Functions behind swap areas."""
        lines = (self._tree.text("proc/swaps", limit=TABLE_LIMIT) or "").splitlines()[1:]
        for line in lines:
            source = _unescaped(line.split()[0]) if line.split() else ""
            yield from self._behind(self._path_of_source(source), "swap")

    def held(self) -> Iterator[tuple[str, str]]:
        """Functions behind block devices that dm, md, bcache or the like have open."""
        for name in self._tree.names(BLOCKS):
            holders = self._tree.names(f"{BLOCKS}/{name}/holders")
            if holders:
                reason = f"held by {printable(holders[0])}"
                yield from self._behind(self._tree.real(f"{BLOCKS}/{name}"), reason)

    def _read_mounts(self) -> list[_Mount]:
        text = self._tree.text("proc/self/mountinfo", limit=TABLE_LIMIT)
        if text:
            parsed = [_parse_mountinfo(line) for line in text.splitlines()]
        else:
            text = self._tree.text("proc/mounts", limit=TABLE_LIMIT)
            text = text or self._tree.text("proc/self/mounts", limit=TABLE_LIMIT) or ""
            parsed = [_parse_mounts(line) for line in text.splitlines()]
        return [mount for mount in parsed if mount]

    def _path_of(self, mount: _Mount) -> str | None:
        path = self._path_of_source(mount.source)
        if mount.kind == "zfs":
            self._tree.notes.add(_table(mount), "zfs does not tell which devices its pools are on")
        if mount.numbers.startswith("0:"):
            return path
        if _NUMBERS.fullmatch(mount.numbers):
            path = self._tree.real(f"sys/dev/block/{mount.numbers}")
        if path is None and mount.source.startswith("/dev/"):
            self._tree.notes.add(_table(mount), f"which device {mount.source} is cannot be told")
        return path

    def _path_of_source(self, source: str) -> str | None:
        if not source.startswith("/dev/"):
            return None
        name = source.removeprefix("/dev/")
        if name.startswith("mapper/"):
            return self._path_of_mapped(name.removeprefix("mapper/"))
        # Slashes of names are exclamation marks in /sys.
        return self._tree.real(f"{BLOCKS}/{name.replace('/', '!')}")

    def _path_of_mapped(self, wanted: str) -> str | None:
        for name in self._tree.names(BLOCKS):
            path = f"{BLOCKS}/{name}"
            if name.startswith("dm-") and self._tree.text(f"{path}/dm/name") == wanted:
                return self._tree.real(path)
        return None

    def _behind(self, path: str | None, reason: str) -> Iterator[tuple[str, str]]:
        if path is None:
            return
        name = printable(path.rpartition("/")[2])
        for function in self._functions(path):
            yield function, f"{reason} ({name})"

    def _functions(self, path: str) -> Iterator[str]:
        """Functions that a block device stands on, through as many layers as there are."""
        seen = {path}
        waiting = [path]
        while waiting:
            path = waiting.pop()
            on_path = functions_on(path)
            if on_path:
                yield on_path[-1]
                continue
            new = [below for below in self._below(path) if below not in seen]
            seen.update(new)
            waiting += new

    def _below(self, path: str) -> Iterator[str]:
        disk = path
        if self._tree.text(f"{path}/partition") is not None:
            disk = path.rpartition("/")[0]
        for name in self._tree.names(f"{disk}/slaves"):
            below = self._tree.real(f"{disk}/slaves/{name}")
            if below:
                yield below
        yield from self._controllers(disk)

    def _controllers(self, disk: str) -> Iterator[str]:
        """A multipath NVMe disk is virtual; its subsystem links to the controllers."""
        subsystem = disk.rpartition("/")[0]
        if "/nvme-subsystem/" not in subsystem:
            return
        for name in self._tree.names(subsystem):
            if _CONTROLLER.fullmatch(name):
                controller = self._tree.real(f"{subsystem}/{name}")
                if controller:
                    yield controller


def _parse_mountinfo(line: str) -> _Mount | None:
    # id parent major:minor root point options [tags]... - type source options
    fields = line.split(" ")
    if len(fields) < 9 or "-" not in fields[6:-2]:
        return None
    kind, source = fields[fields.index("-", 6) + 1 :][:2]
    return _Mount(_unescaped(fields[4]), fields[2], _unescaped(source), kind)


def _parse_mounts(line: str) -> _Mount | None:
    # source point type options dump pass
    fields = line.split(" ")
    if len(fields) < 3:
        return None
    return _Mount(_unescaped(fields[1]), "", _unescaped(fields[0]), fields[2])


def _table(mount: _Mount) -> str:
    return "proc/self/mountinfo" if mount.numbers else "proc/mounts"


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), word)
