"""What innkeeper does otherwise than Nova when it places cells, each by its name and each alone.

With none of them the model is Nova, judged on fresh copies (a guest cell on a host cell is the same
question whatever was asked before); with all of them it is what docs/differences-from-nova.md
promises.
"""

from __future__ import annotations

from typing import Final

#: name -> number of the defect that it mends; in the order in which they are tried.
CORRECTIONS: Final = {
    "memory-apart": "D5",
    "isolate-split": "S1",
    "no-cores": "D3",
    "cells-without-pins": "D4",
    "whole-emulator-core": "D2",
    "policy-by-vcpus": "",
    "reserved-pages": "",
    "nothing-asked": "",
    "no-page-records": "D8",
    "numa-last": "D14",
    "joint": "",
}

#: Those of charging and giving back what was placed.
OF_USAGE: Final = {
    "no-page-records": "D8",
    "only-what-was-booked": "D11",
    "restored-as-it-is": "",
}

Corrections = frozenset[str]
NONE: Final[Corrections] = frozenset()
ALL: Final[Corrections] = frozenset(CORRECTIONS)
ALL_OF_USAGE: Final[Corrections] = frozenset(OF_USAGE)


class NovaError(Exception):
    """An error of Nova's by the name of its class."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
