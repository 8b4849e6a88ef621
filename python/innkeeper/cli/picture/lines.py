"""Lines of styled text, and what they are put together with: frames and columns.

A terminal library would measure and draw everything twice; this draws a host of 1,024 CPUs in milliseconds.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from innkeeper.cli.picture.ink import Ink
from innkeeper.cli.quantities import printable


def cells_of(text: str) -> int:
    """Columns that a text takes on a terminal: wide characters two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_cells_of_character, text))


def _cells_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass(frozen=True, slots=True)
class Line:
    """Pieces of text, each with its style."""

    spans: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, text: str, style: str = "") -> Line:
        """A line in one style."""
        return cls(((printable(text), style),)) if text else cls()

    def __add__(self, other: Line) -> Line:
        return Line(self.spans + other.spans)

    @property
    def width(self) -> int:
        """Columns on the terminal."""
        return sum(cells_of(text) for text, _ in self.spans)

    def padded(self, width: int) -> Line:
        """With blanks up to this width; a longer line stays as it is."""
        missing = width - self.width
        return self + Line.of(" " * missing) if missing > 0 else self

    def cut(self, width: int) -> Line:
        """The line itself if it fits, else its beginning."""
        if self.width <= width:
            return self
        spans: list[tuple[str, str]] = []
        for text, style in self.spans:
            part = _cut_text(text, width)
            width -= cells_of(part)
            spans.append((part, style))
        return Line(tuple(spans))


def _cut_text(text: str, width: int) -> str:
    end = 0
    while end < len(text) and (width := width - _cells_of_character(text[end])) >= 0:
        end += 1
    return text[:end]


Block = Sequence[Line]
"""Lines that stand below each other."""


def joined(lines: Iterable[Line], gap: str) -> Line:
    """Lines one after another, with a gap between."""
    spans: list[tuple[str, str]] = []
    for line in lines:
        spans += [(gap, ""), *line.spans] if spans else line.spans
    return Line(tuple(spans))


def width_of(block: Block) -> int:
    """The longest line's width."""
    return max((line.width for line in block), default=0)


def framed(title: Line, note: Line, body: Block, width: int, ink: Ink) -> Block:
    """A frame of this width around a block: the title in its upper left corner, a note in the right."""
    edge = Line.of(ink.side, "dim")
    inner = width - 4
    rows = [edge + Line.of(" ") + line.cut(inner).padded(inner + 1) + edge for line in body]
    below = Line.of(f"{ink.lower_left}{ink.flat * (width - 2)}{ink.lower_right}", "dim")
    return [_upper_edge(title, note, width, ink), *rows, below]


def _upper_edge(title: Line, note: Line, width: int, ink: Ink) -> Line:
    left = Line.of(f"{ink.upper_left}{ink.flat}", "dim") + _spaced(title)
    right = _spaced(note) + Line.of(f"{ink.flat}{ink.upper_right}", "dim")
    between = width - left.width - right.width
    return left + Line.of(ink.flat * between, "dim") + right


def _spaced(line: Line) -> Line:
    return Line.of(" ") + line + Line.of(" ") if line.spans else line


def beside(blocks: Sequence[Block], gap: int) -> Block:
    """Blocks in one row, as high as the highest."""
    widths = [width_of(block) for block in blocks]
    rows = zip_longest(*blocks, fillvalue=Line())
    return [
        joined((line.padded(w) for line, w in zip(row, widths, strict=True)), " " * gap)
        for row in rows
    ]


def in_rows(blocks: Sequence[Block], per_row: int, gap: int = 1) -> Block:
    """Blocks in rows of so many."""
    rows = [blocks[start : start + per_row] for start in range(0, len(blocks), per_row)]
    return [line for row in rows for line in beside(row, gap)]


def in_columns(rows: Sequence[Sequence[Line]], gap: int = 2) -> Block:
    """A table without lines: each column as wide as its widest entry."""
    widths = [max(entry.width for entry in column) for column in zip(*rows, strict=True)]
    return [
        joined((entry.padded(w) for entry, w in zip(row, widths, strict=True)), " " * gap)
        for row in rows
    ]


def text_of(block: Block, ink: Ink) -> str:
    """The block as it is written: no blanks at the ends of lines."""
    return "".join(_written(line, ink).rstrip() + "\n" for line in block)


def _written(line: Line, ink: Ink) -> str:
    return "".join(ink.paint(text, style) for text, style in line.spans)
