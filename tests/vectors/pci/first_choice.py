"""Which devices a request gets, by the documented rules alone: the first solution there is.

Slow and obvious, and made differently from the core: what can be had together is decided by counting
(Hall's theorem over all sets of wants, all ways to split the PFs that compete with their VFs).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Words = Mapping[str, Any]

NEAR, UNKNOWN, SAME_SOCKET, FAR = range(4)
LEVELS: dict[str, list[tuple[int, ...]]] = {
    "required": [(NEAR,)],
    "legacy": [(NEAR,), (NEAR, UNKNOWN)],
    "preferred": [(NEAR,), (NEAR, UNKNOWN), (NEAR, UNKNOWN, SAME_SOCKET, FAR)],
    "socket": [(NEAR,), (NEAR, SAME_SOCKET)],
}


@dataclass(frozen=True)
class Candidate:
    """A free device."""

    address: str
    parent: str | None
    cell: int | None
    order: tuple[int, ...]
    """Where it comes when all are given out."""

    def bars(self, other: Candidate) -> bool:
        return other.parent == self.address or self.parent == other.address


@dataclass
class Want:
    """So many devices for one request, of one provider if it names providers."""

    request: str
    left: int
    levels: list[tuple[int, ...]]
    admitted: frozenset[str]
    """Addresses of what may be given, as far as nearness allows."""
    level: tuple[int, ...] = ()


class Nearness:
    """How near a device is to the cells of a guest."""

    def __init__(self, cells: Sequence[int] | None, host_cells: Sequence[Words] | None) -> None:
        self.cells = list(cells or ())
        sockets = {it["id"]: it["socket"] for it in host_cells or ()}
        told = None not in sockets.values()
        mine = {sockets.get(cell) for cell in self.cells} - {None}
        self.same = {cell for cell, socket in sockets.items() if told and socket in mine}

    def __call__(self, cell: int | None) -> int:
        if not self.cells or cell in self.cells:
            return NEAR
        if cell is None:
            return UNKNOWN
        return SAME_SOCKET if cell in self.same else FAR

    def levels(self, policy: str | None) -> list[tuple[int, ...]]:
        return LEVELS[policy or "legacy"] if self.cells else [(NEAR,)]


class Choice:
    """One question over the free devices of a host."""

    def __init__(
        self, free: Iterable[Candidate], wants: Sequence[Want], nearness: Nearness
    ) -> None:
        self.free = {it.address: it for it in free}
        self.wants = wants
        self.near = {it.address: nearness(it.cell) for it in self.free.values()}
        for want in wants:
            want.level = want.levels[-1]

    def first(self) -> list[tuple[str, str]] | None:
        """Address by address what each request gets; null when it cannot be had."""
        if not self.is_possible():
            return None
        return [pair for want in self.wants for pair in self._served(want)]

    def _served(self, want: Want) -> Iterator[tuple[str, str]]:
        for level in want.levels:
            want.level = level
            if self.is_possible():
                break
        for device in self._in_order(want):
            if want.left and device.address in self.free and self._can_spare(want, device):
                yield want.request, device.address

    def _in_order(self, want: Want) -> list[Candidate]:
        mine = [it for it in self.free.values() if self._may_have(want, it.address)]
        return sorted(mine, key=lambda it: (self._is_last(want, it.address), it.order))

    def _is_last(self, want: Want, address: str) -> bool:
        return len(want.level) == 4 and self.near[address] > UNKNOWN

    def _may_have(self, want: Want, address: str) -> bool:
        return address in want.admitted and self.near[address] in want.level

    def _can_spare(self, want: Want, device: Candidate) -> bool:
        """Take a device, unless the rest could then not be had."""
        gone = [it for it in self.free.values() if it is device or it.bars(device)]
        touched = any(
            self._may_have(one, it.address) for one in self.wants for it in gone if it is not device
        ) or any(
            self._may_have(one, device.address)
            for one in self.wants
            if one.left and one is not want
        )
        for it in gone:
            del self.free[it.address]
        want.left -= 1
        if not touched or self.is_possible():
            return True
        want.left += 1
        self.free |= {it.address: it for it in gone}
        return False

    def is_possible(self) -> bool:
        """Whether every want can have what it still lacks."""
        singles, trees = self._supply()
        kinds = list(trees)
        for numbers in product(*(range(trees[kind] + 1) for kind in kinds)):
            supply = Counter(singles)
            for (pf, vfs), count, number in zip(kinds, trees.values(), numbers, strict=True):
                supply[pf] += number
                for mask, many in vfs:
                    supply[mask] += many * (count - number)
            if self._is_enough(supply):
                return True
        return False

    def _supply(self) -> tuple[Counter[int], Counter[tuple[int, tuple[tuple[int, int], ...]]]]:
        """Devices by the set of wants that may have them; PFs that compete with VFs apart."""
        masks = {address: self._mask(address) for address in self.free}
        children: dict[str, list[str]] = {}
        for it in self.free.values():
            if it.parent in self.free and masks[it.parent] and masks[it.address]:
                children.setdefault(it.parent, []).append(it.address)
        apart = {*children, *(vf for vfs in children.values() for vf in vfs)}
        singles = Counter(mask for address, mask in masks.items() if mask and address not in apart)
        trees = Counter(
            (masks[pf], tuple(sorted(Counter(masks[vf] for vf in vfs).items())))
            for pf, vfs in children.items()
        )
        return singles, trees

    def _mask(self, address: str) -> int:
        return sum(
            1 << number
            for number, want in enumerate(self.wants)
            if want.left and self._may_have(want, address)
        )

    def _is_enough(self, supply: Counter[int]) -> bool:
        """Hall: no set of wants asks for more than there is for it."""
        lefts = [want.left for want in self.wants]
        for some in range(1, 1 << len(lefts)):
            asked = sum(left for number, left in enumerate(lefts) if some >> number & 1)
            if asked > sum(count for mask, count in supply.items() if mask & some):
                return False
        return True
