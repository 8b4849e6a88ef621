"""What the picture is drawn with: signs and colours for a terminal, plain ASCII elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from rich.box import ASCII, ROUNDED, Box
from rich.console import Console

PLAIN_WIDTH = 100
"""Columns where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The signs of one kind of output."""

    box: Box
    shared: str
    isolated: str
    offline: str
    full: str
    empty: str

    @property
    def legend(self) -> str:
        """What the signs for CPUs mean."""
        return f"{self.shared} shared   {self.isolated} isolated   {self.offline} offline"


TERMINAL = Ink(ROUNDED, shared="■", isolated="□", offline="·", full="█", empty="░")
PLAIN = Ink(ASCII, shared="o", isolated="i", offline=".", full="#", empty=".")


def console_and_ink() -> tuple[Console, Ink]:
    """Colours only for a person at a terminal that did not refuse them (no-color.org)."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if sys.stdout.isatty() and encoding == "utf8":
        return Console(highlight=False, no_color=bool(os.environ.get("NO_COLOR"))), TERMINAL
    width = int(columns) if (columns := os.environ.get("COLUMNS", "")).isdecimal() else PLAIN_WIDTH
    console = Console(
        width=max(width, 40), color_system=None, force_terminal=False, highlight=False
    )
    return console, PLAIN
