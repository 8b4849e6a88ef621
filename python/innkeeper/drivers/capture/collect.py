"""Takes what discovery reads out of a host's tree, in memory."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from innkeeper.drivers.capture.selection import Segment, is_inside, selection
from innkeeper.drivers.sysfs.config_space import PortType
from innkeeper.drivers.sysfs.notes import Notes
from innkeeper.drivers.sysfs.serials import Serial, Serials
from innkeeper.drivers.sysfs.tree import (
    ATTRIBUTE_LIMIT,
    MOST_LINKS,
    TABLE_LIMIT,
    Tree,
    read_regular,
)
from innkeeper.errors import HostUnreadable

#: Bytes of text, and names, that one bundle may have; a host with 4,096 VFs is a tenth of it.
TEXT_LIMIT = 128 * 1024 * 1024
NAMES_LIMIT = 300_000

FUNCTIONS = "sys/bus/pci/devices"
_BRIDGE_CLASS = "0x0604"


@dataclass(slots=True)
class Collected:
    """Part of a host's tree; all paths are relative to the root and lead through no link."""

    texts: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    """Where each link leads, seen from the root."""
    folders: set[str] = field(default_factory=set)
    serials: dict[str, str] = field(default_factory=dict)
    """Serial number of each function that has one, by the function's folder."""
    port_types: dict[str, PortType] = field(default_factory=dict)
    """Of each bridge that says what port it is, by its folder."""
    skipped: tuple[str, ...] = ()


def collect(root: str) -> Collected:
    """All that discovery reads under `root`.

    Raises:
        HostUnreadable: the root cannot be opened, or has more in it than any host.
    """
    notes = Notes()
    try:
        with Tree(root, notes) as tree:
            walk = _Walk(root, notes)
            with walk:
                for selected in selection():
                    walk.take(selected.folder, selected.entries)
            _ask_functions(tree, walk.found)
    except OSError as error:
        message = f"the host's root {root!r} cannot be read: {error.strerror}"
        raise HostUnreadable(message, root=root) from error
    walk.found.skipped = notes.lines()
    return walk.found


def _ask_functions(tree: Tree, found: Collected) -> None:
    """For serial numbers and port types, as discovery does, which leaves out VFs and whatever sleeps."""
    serials = Serials()
    for name in tree.names(FUNCTIONS):
        folder = tree.folder(f"{FUNCTIONS}/{name}")
        if folder is None:
            continue
        with folder:
            is_vf = f"{folder.path}/physfn" in found.links
            serial = Serial() if is_vf else serials.read(folder, name)
            if serial.text is not None:
                found.serials[folder.path] = serial.text
            is_bridge = found.texts.get(f"{folder.path}/class", "").startswith(_BRIDGE_CLASS)
            if serial.port_type and is_bridge:
                found.port_types[folder.path] = serial.port_type


class _Walk:
    """Walks from the root along patterns and keeps what it meets."""

    def __init__(self, root: str, notes: Notes) -> None:
        self.found = Collected()
        self._notes = notes
        self._bytes = 0
        self._listed: dict[str, list[str]] = {}
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *failure: object) -> None:
        os.close(self._root)

    def take(self, folder: tuple[Segment, ...], entries: tuple[Segment, ...]) -> None:
        """Keep these entries of every folder of this form."""
        for place in [*self._folders("", folder, 0)]:
            for entry in entries:
                for name in self._matches(place, entry):
                    self._keep(_join(place, name), links=0)

    def _folders(self, place: str, left: tuple[Segment, ...], links: int) -> Iterable[str]:
        """Places without links of the folders that the pattern leads to."""
        if not left:
            yield place
            return
        for name in self._matches(place, left[0]):
            there = self._keep(_join(place, name), links)
            if there in self.found.folders:
                yield from self._folders(there, left[1:], links)

    def _matches(self, place: str, segment: Segment) -> list[str]:
        if isinstance(segment, str):
            return [segment]
        if place not in self._listed:
            self._listed[place] = self._list(place)
        return [name for name in self._listed[place] if segment.match(name)]

    def _list(self, place: str) -> list[str]:
        try:
            # A path without links: nothing outside the root can be met.
            descriptor = os.open(place or ".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self._root)
        except OSError as error:
            self._skip(place, error)
            return []
        try:
            with os.scandir(descriptor) as entries:
                return sorted(entry.name for entry in entries)
        finally:
            os.close(descriptor)

    def _keep(self, path: str, links: int) -> str:
        """Keep the entry at a path whose folder is without links; returns the place it leads to."""
        if path in self.found.folders or path in self.found.texts:
            return path
        if path in self.found.links:
            place = self.found.links[path]
            return self._follow(place, links + 1) if is_inside(place) else path
        try:
            return self._keep_new(path, links)
        except (OSError, UnicodeDecodeError) as error:
            self._skip(path, error)
            return path

    def _keep_new(self, path: str, links: int) -> str:
        mode = os.stat(path, dir_fd=self._root, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return self._keep_link(path, links)
        self._require_room()
        if stat.S_ISDIR(mode):
            self.found.folders.add(path)
        else:
            self.found.texts[path] = self._read(path)
        return path

    def _keep_link(self, path: str, links: int) -> str:
        target = os.readlink(path, dir_fd=self._root)
        place = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), target)).lstrip("/")
        self._require_room()
        self.found.links[path] = place
        # Of a link that leads out its name may matter, but nothing behind it.
        return self._follow(place, links + 1) if is_inside(place) else path

    def _follow(self, place: str, links: int) -> str:
        """Keep all that a path leads through; returns the place at its end."""
        here = ""
        for name in place.split("/") if links <= MOST_LINKS else ():
            here = self._keep(_join(here, name), links)
        return here or place

    def _read(self, path: str) -> str:
        # /proc/sys refuses to be asked for megabytes.
        is_table = path.startswith("proc/") and not path.startswith("proc/sys/")
        limit = TABLE_LIMIT if is_table else ATTRIBUTE_LIMIT
        data = read_regular(self._root, path, limit)
        self._bytes += len(data)
        return data.decode()

    def _require_room(self) -> None:
        found = self.found
        names = len(found.texts) + len(found.links) + len(found.folders)
        if self._bytes > TEXT_LIMIT or names > NAMES_LIMIT:
            raise HostUnreadable(
                f"there is more to capture than any host has: {names} names, {self._bytes} bytes"
            )

    def _skip(self, path: str, error: OSError | UnicodeDecodeError) -> None:
        if isinstance(error, UnicodeDecodeError):
            self._notes.add(path, "is not UTF-8 text")
        elif error.errno not in (errno.ENOENT, errno.ENOTDIR):
            self._notes.add(path, f"cannot be read: {error.strerror}")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
