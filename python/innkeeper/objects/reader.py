"""Whom an object is written for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from innkeeper.objects.compute_node import ComputeNode


Manifest = Mapping[str, str]
"""class -> the version of it that a reader understands."""


class Lookup(Protocol):
    """Answers from records already read; objects themselves do no I/O."""

    def service_id(self, host: str) -> int | None:
        """The id of the nova-compute service of a host; null when it has none."""

    def compute_node(self, host: str) -> ComputeNode | None:
        """The first compute node of a host; null when it has none."""


class NothingKnown:
    """The lookup of a caller that has no records."""

    def service_id(self, host: str) -> None:
        """No service is known."""

    def compute_node(self, host: str) -> None:
        """No compute node is known."""


NOTHING_KNOWN: Lookup = NothingKnown()


@dataclass(frozen=True)
class Reader:
    """What the reader understands, and where to look up values that only it needs."""

    manifest: Manifest | None = None
    """Null when only the version of the outermost object is known."""
    lookup: Lookup = NOTHING_KNOWN


SAME: Reader = Reader()
"""A reader of the object's own version."""
