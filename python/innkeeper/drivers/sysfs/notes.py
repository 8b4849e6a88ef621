"""Warnings of one observation: what could not be read, and which file or device it was."""

from __future__ import annotations

#: More lines than this help nobody; the rest is counted.
MOST_LINES = 100

#: Longest line, in characters.
LONGEST_LINE = 300


def printable(text: str) -> str:
    """The text on one line that any terminal and any encoder takes; other characters are escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Notes:
    """Collects warnings without repeating any."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}
        self._left_out = 0

    def add(self, path: str, problem: str) -> None:
        """Remember that the file at `path`, relative to the root, had this problem."""
        self.say(f"/{path}: {problem}")

    def say(self, line: str) -> None:
        """Remember a line about something that is no file."""
        line = printable(line)[:LONGEST_LINE]
        if line in self._lines:
            return
        if len(self._lines) < MOST_LINES:
            self._lines[line] = None
        else:
            self._left_out += 1

    def lines(self) -> tuple[str, ...]:
        """All of them in the order in which they were met."""
        if not self._left_out:
            return tuple(self._lines)
        return (*self._lines, f"{self._left_out} more could not be read")
