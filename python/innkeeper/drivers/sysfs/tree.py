"""Read-only access to /sys and /proc under any root, safe on trees that nobody vouches for.

Every path is resolved component by component inside the root: an absolute link starts at the root
again and `..` never climbs above it. Only regular files are opened, so that a FIFO cannot block and a
device node is never touched, and never more than a limit is read of one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from innkeeper.drivers.sysfs.notes import Notes

T = TypeVar("T")

#: Bytes that one attribute may have; the kernel's own are below 4 KiB, CPU lists aside.
ATTRIBUTE_LIMIT = 64 * 1024
#: Bytes that one table of /proc may have, such as mountinfo.
TABLE_LIMIT = 4 * 1024 * 1024

#: The kernel hands out an attribute of /sys in pieces of one page.
_PIECE = 4096

#: As many links as the kernel itself follows in one path.
MOST_LINKS = 40

_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MISSING = (FileNotFoundError, NotADirectoryError)
#: Old kernels end some lists with a NUL.
_BLANKS = " \t\r\n\0"
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device node",
    stat.S_IFBLK: "a device node",
}


def read_regular(directory: int, name: str, limit: int) -> bytes:
    """All bytes of a regular file in an open directory.

    Raises:
        OSError: it is missing, unreadable, no regular file, or larger than `limit`.
    """
    size = _size_of_regular(directory, name)
    descriptor = os.open(name, _OPEN_FILE, dir_fd=directory)
    try:
        data = os.read(descriptor, limit + 1)
        # Where a size is stated, as in /sys, a short piece is the last one; in /proc it is not.
        if len(data) >= _PIECE or not size:
            data += _rest(descriptor, limit + 1 - len(data))
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes")
    return data


def open_regular(directory: int, name: str) -> int:
    """A descriptor of a regular file; nothing else is ever opened, not even for a moment.

    Raises:
        OSError: it is missing, unreadable or no regular file.
    """
    _size_of_regular(directory, name)
    return os.open(name, _OPEN_FILE, dir_fd=directory)


def _size_of_regular(directory: int, name: str) -> int:
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISREG(status.st_mode):
        return status.st_size
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a link")
    code = errno.ELOOP if stat.S_ISLNK(status.st_mode) else errno.EINVAL
    raise OSError(code, f"{kind}, not a file")


def _rest(descriptor: int, most: int) -> bytes:
    pieces = []
    while most > 0 and (piece := os.read(descriptor, most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


class Tree:
    """One root with sys/ and proc/ in it. All paths are relative to the root, without a leading slash."""

    def __init__(self, root: str, notes: Notes) -> None:
        self.notes = notes
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folders: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._root)

    def resolve(self, path: str) -> str:
        """The same place without links, still inside the root.

        Raises:
            OSError: it does not exist, or its links go round in a circle.
        """
        left = path.split("/")[::-1]
        done = ""
        links = 0
        while left:
            name = left.pop()
            if name in ("", "."):
                continue
            if name == "..":
                done = done.rpartition("/")[0]
                continue
            here = f"{done}/{name}" if done else name
            if here not in self._folders:
                target = self._target(here)
                if target is not None:
                    links += 1
                    if links > MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    done = "" if target.startswith("/") else done
                    left.extend(target.split("/")[::-1])
                    continue
            done = here
        return done

    def _target(self, path: str) -> str | None:
        mode = os.stat(path, dir_fd=self._root, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return os.readlink(path, dir_fd=self._root)
        if stat.S_ISDIR(mode):
            self._folders.add(path)
        return None

    def real(self, path: str) -> str | None:
        """The place that a path leads to, or None when there is none."""
        try:
            return self.resolve(path)
        except (OSError, ValueError):
            return None

    def folder(self, path: str) -> Folder | None:
        """The directory at `path`, open; None when there is none, with a warning if it is unreadable."""
        try:
            place = self.resolve(path)
            descriptor = os.open(place or ".", _OPEN_FOLDER, dir_fd=self._root)
        except _MISSING:
            return None
        except (OSError, ValueError) as error:
            self.note(path, error)
            return None
        return Folder(self, place, descriptor)

    def names(self, path: str) -> list[str]:
        """Names in a directory, sorted; none when it is missing."""
        folder = self.folder(path)
        if folder is None:
            return []
        with folder:
            return folder.names()

    def text(self, path: str, limit: int = ATTRIBUTE_LIMIT) -> str | None:
        """The words of a file without blanks around; None when it is missing or, with a warning, bad."""
        try:
            place = self.resolve(path)
            return read_regular(self._root, place or ".", limit).decode().strip(_BLANKS)
        except _MISSING:
            return None
        except (OSError, ValueError) as error:
            self.note(path, error)
            return None

    def parsed(self, path: str, parse: Callable[[str], T]) -> T | None:
        """What `parse` makes of a file; None when it is missing or, with a warning, malformed."""
        return self.accept(path, self.text(path), parse)

    def file_system(self, path: str) -> os.statvfs_result:
        """Sizes of the file system that holds a place.

        Raises:
            OSError: the place does not exist.
        """
        place = self.resolve(path)
        descriptor = os.open(place or ".", os.O_PATH | os.O_NOFOLLOW, dir_fd=self._root)
        try:
            return os.fstatvfs(descriptor)
        finally:
            os.close(descriptor)

    def accept(self, path: str, text: str | None, parse: Callable[[str], T]) -> T | None:
        """What `parse` makes of a text; None, with a warning, when it raises ValueError."""
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            self.notes.add(path, f"is malformed: {error}")
            return None

    def note(self, path: str, error: Exception) -> None:
        """Warn that a file could not be read."""
        if isinstance(error, UnicodeDecodeError):
            self.notes.add(path, "is not UTF-8 text")
        elif isinstance(error, OSError):
            self.notes.add(path, f"cannot be read: {error.strerror}")
        else:
            self.notes.add(path, f"cannot be read: {error}")


class Folder:
    """One open directory of a tree: many files are read from it at the price of one path."""

    def __init__(self, tree: Tree, path: str, descriptor: int) -> None:
        self.tree = tree
        self.path = path
        """Without links, relative to the root."""
        self.descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)

    def names(self) -> list[str]:
        """Names in it, sorted."""
        try:
            return sorted(os.listdir(self.descriptor))
        except OSError as error:
            self.tree.note(self.path, error)
            return []

    def names_in(self, name: str) -> list[str]:
        """Names in a directory in it, sorted; none when there is no such directory."""
        try:
            descriptor = os.open(name, _OPEN_FOLDER, dir_fd=self.descriptor)
        except OSError:
            return []
        with Folder(self.tree, f"{self.path}/{name}", descriptor) as folder:
            return folder.names()

    def text(self, name: str) -> str | None:
        """As `Tree.text`."""
        path = f"{self.path}/{name}"
        try:
            return read_regular(self.descriptor, name, ATTRIBUTE_LIMIT).decode().strip(_BLANKS)
        except _MISSING:
            return None
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.ELOOP:
                return self.tree.text(path)
            self.tree.note(path, error)
            return None

    def parsed(self, name: str, parse: Callable[[str], T]) -> T | None:
        """As `Tree.parsed`."""
        return self.tree.accept(f"{self.path}/{name}", self.text(name), parse)

    def has(self, name: str) -> bool:
        """Whether there is something of this name."""
        try:
            os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return False
        return True

    def target(self, name: str) -> str | None:
        """The words of a link, without going where it points; None when it is no link."""
        try:
            return os.readlink(name, dir_fd=self.descriptor)
        except OSError:
            return None

    def link(self, name: str) -> str | None:
        """The last component of `target`."""
        target = self.target(name)
        return target.rpartition("/")[2] if target else None
