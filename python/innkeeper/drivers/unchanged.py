"""Functions that did not change stay the same objects, so that nobody compares them twice."""

from __future__ import annotations

from operator import is_

from innkeeper.objects import PciFunction


class Unchanged:
    """Remembers the functions of one observation until the next."""

    def __init__(self) -> None:
        self._functions: tuple[PciFunction, ...] = ()
        self._by_address: dict[str, PciFunction] = {}

    def keep(self, functions: tuple[PciFunction, ...]) -> tuple[PciFunction, ...]:
        """The same functions, each that equals the one remembered at its address as that very object.

        When all of them do, in the same order, the answer is the very tuple that was given before.
        """
        kept = tuple(map(self._kept, functions))
        if len(kept) == len(self._functions) and all(map(is_, kept, self._functions)):
            return self._functions
        self._functions = kept
        self._by_address = {function.address: function for function in kept}
        return kept

    def _kept(self, function: PciFunction) -> PciFunction:
        known = self._by_address.get(function.address)
        return known if known is not None and known == function else function
