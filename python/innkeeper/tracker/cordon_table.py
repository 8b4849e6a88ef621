"""The cordons of one host as they are durable, and the dirt that is being written."""

from __future__ import annotations

from collections.abc import Iterable

from innkeeper.objects.cordon import Cordon, CordonCause, CordonKind
from innkeeper.requests.cordoned import Cordoned
from innkeeper.tracker.bell import Bell

Key = tuple[CordonKind, str, CordonCause]
"""What names a cordon."""


def key_of(cordon: Cordon) -> Key:
    """Kind, subject and cause."""
    return cordon.kind, cordon.subject, cordon.cause


class CordonTable:
    """Cordons that are not lifted.

    A device that a claim leaves dirty is marked before the claim's end is written: by the time that
    the ledger gives it back, nobody can book it. Marks of many ends reach the ledger together.
    """

    def __init__(self, changed: Bell) -> None:
        self._changed = changed
        self._durable: dict[Key, Cordon] = {}
        self._expected: dict[Key, Cordon] = {}
        self.marks: tuple[Cordon, ...] = ()
        """What is durable or on its way; another tuple whenever it changed."""
        self.cordoned = Cordoned()
        """The same, sorted by kind."""

    @property
    def durable(self) -> tuple[Cordon, ...]:
        """By kind, subject and cause."""
        return tuple(self._durable[key] for key in sorted(self._durable))

    def find(self, kind: CordonKind, subject: str, cause: CordonCause) -> Cordon | None:
        """The cordon of this name, once it is durable."""
        return self._durable.get((kind, subject, cause))

    def expect(self, cordons: Iterable[Cordon]) -> None:
        """These are being written, and count already."""
        self._expected |= {key_of(cordon): cordon for cordon in cordons}
        self._mark()

    def forget(self, cordons: Iterable[Cordon]) -> None:
        """Those that were expected were not written."""
        for cordon in cordons:
            self._expected.pop(key_of(cordon), None)
        self._mark()

    def keep(self, cordons: Iterable[Cordon]) -> None:
        """The next forms of these are durable; lifted ones leave."""
        for cordon in cordons:
            key = key_of(cordon)
            self._expected.pop(key, None)
            if cordon.lifted_at is None:
                self._durable[key] = cordon
            else:
                self._durable.pop(key, None)
        self._mark()
        self._changed.ring()

    def _mark(self) -> None:
        merged = self._durable | self._expected
        marks = tuple(merged[key] for key in sorted(merged))
        if marks != self.marks:
            self.marks, self.cordoned = marks, Cordoned.of(marks)
