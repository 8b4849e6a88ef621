"""The plain bytes of a compressed file, within bounds of size and memory.

A few kilobytes of xz can ask for gigabytes, of output or of dictionary.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from typing import IO, Protocol

#: Bytes that a bundle may have when unpacked.
UNPACKED_LIMIT = 256 * 1024 * 1024
#: Bytes of memory that xz may ask for; its highest ordinary level takes 65 MiB.
_MEMORY_LIMIT = 96 * 1024 * 1024

_XZ, _GZIP, _BZIP2 = b"\xfd7zXZ\x00", b"\x1f\x8b", b"BZh"
_PIECE = 64 * 1024


class TooLarge(Exception):
    """There is more in it than a bundle may have."""


class _Reader(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


def inflate(file: IO[bytes]) -> Bounded:
    """The content of an xz, gzip, bzip2 or plain file."""
    start = file.read(6)
    file.seek(0)
    if start == _XZ:
        return Bounded(io.BufferedReader(_Xz(file)))
    if start.startswith(_GZIP):
        return Bounded(gzip.GzipFile(fileobj=file))
    if start.startswith(_BZIP2):
        return Bounded(bz2.BZ2File(file))
    return Bounded(file)


class Bounded:
    """Reads at most `UNPACKED_LIMIT` bytes."""

    def __init__(self, source: _Reader) -> None:
        self._source = source
        self._left = UNPACKED_LIMIT

    def read(self, size: int) -> bytes:
        """The next bytes.

        Raises:
            TooLarge: more are asked for than a bundle may have.
        """
        if size > self._left:
            raise TooLarge
        data = self._source.read(size)
        self._left -= len(data)
        return data

    def drain(self) -> None:
        """Read what is left, so that the checksum at the end is compared."""
        while self.read(min(_PIECE, self._left)):
            pass


class _Xz(io.RawIOBase):
    """xz with a bound on memory, which `lzma.LZMAFile` does not have; streams may follow each other."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._stream = self._new_stream()

    @staticmethod
    def _new_stream() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        data = b""
        while not data and self._has_more():
            more = self._file.read(_PIECE) if self._stream.needs_input else b""
            if self._stream.needs_input and not more:
                raise EOFError("the file ends too early")
            data = self._stream.decompress(more, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _has_more(self) -> bool:
        """Whether there is anything left, begins the next stream if this one ended."""
        if not self._stream.eof:
            return True
        self._file.seek(-len(self._stream.unused_data), io.SEEK_CUR)
        # Zeros may stand between streams.
        while (piece := self._file.read(4)) == bytes(4):
            pass
        if not piece:
            return False
        self._file.seek(-len(piece), io.SEEK_CUR)
        self._stream = self._new_stream()
        return True
