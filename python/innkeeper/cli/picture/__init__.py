"""The host as a picture: sockets, cells and CPUs as nested boxes, bars for what is held, and by whom."""

from innkeeper.cli.picture.ink import PLAIN, TERMINAL, Ink, ink_and_width
from innkeeper.cli.picture.page import picture

__all__ = ["PLAIN", "TERMINAL", "Ink", "ink_and_width", "picture"]
