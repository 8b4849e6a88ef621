"""What the picture is drawn with: signs and colours for a terminal, plain ASCII elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass

PLAIN_WIDTH = 100
"""Columns where there is no terminal to ask."""
LEAST_WIDTH, MOST_WIDTH = 50, 160
"""Columns; boxes that are wider than that are no easier to read."""

#: Select Graphic Rendition codes (ECMA-48, 8.3.117) by the words that the picture uses.
_CODES = {
    "strong": "1",
    "dim": "2",
    "good": "32",
    "odd": "33",
    "bad": "1;31",
    "busy": "36",
}

#: One for each claim, in turn; none of those that mean good or bad.
_CLAIM_CODES = ("36", "35", "33", "94", "95", "96", "93", "34")


@dataclass(frozen=True, slots=True)
class Ink:
    """The signs of one kind of output; colours only repeat what signs or words say, too."""

    upper_left: str
    upper_right: str
    lower_left: str
    lower_right: str
    flat: str
    side: str
    core: str
    isolated: str
    offline: str
    held: str
    """A part of a bar; empty: the mark of the claim that holds it."""
    busy: str
    empty: str
    free_device: str
    free_cpu: str
    """A dedicated CPU that nobody holds."""
    kept_cpu: str
    """A CPU that is the host's own."""
    several: str
    """A core that several claims hold."""
    barred_device: str
    cordoned: str
    dirty: str
    withheld: str
    """A device that is not handed out for another reason."""
    between: str
    """Stands between siblings, and between facts of a line."""
    colours: bool

    def paint(self, text: str, style: str) -> str:
        """The text in a style: one of `_CODES`, or `claim N`."""
        if not self.colours or not style:
            return text
        code = _CODES.get(style) or _CLAIM_CODES[int(style[6:]) % len(_CLAIM_CODES)]
        return f"\x1b[{code}m{text}\x1b[0m"


TERMINAL = Ink(
    *("╭", "╮", "╰", "╯", "─", "│"),
    core="■",
    isolated="◆",
    offline="·",
    held="█",
    busy="▓",
    empty="░",
    free_device="□",
    free_cpu="▫",
    kept_cpu="h",
    several="&",
    barred_device="x",
    cordoned="!",
    dirty="~",
    withheld="?",
    between="·",
    colours=True,
)
PLAIN = Ink(
    *("+", "+", "+", "+", "-", "|"),
    core="o",
    isolated="i",
    offline="-",
    held="",
    busy="#",
    empty=".",
    free_device=".",
    free_cpu=".",
    kept_cpu="h",
    several="&",
    barred_device="x",
    cordoned="!",
    dirty="~",
    withheld="?",
    between="/",
    colours=False,
)


def ink_and_width() -> tuple[Ink, int]:
    """Signs and columns for stdout.

    Colours are for a person at a terminal who did not refuse them (no-color.org).
    """
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    fancy = sys.stdout.isatty() and encoding == "utf8" and not refused
    columns = shutil.get_terminal_size((PLAIN_WIDTH, 50)).columns
    return (TERMINAL if fancy else PLAIN), min(max(columns, LEAST_WIDTH), MOST_WIDTH)
