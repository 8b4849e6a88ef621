"""Whether PCI requests can be had near a set of host cells, and networks likewise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

from tests.vectors.numa.corrections import Corrections
from tests.vectors.numa.model_host import Bounds, HostCell

Words = Mapping[str, Any]

#: Kinds that are given only to whoever names them.
_ONLY_BY_NAME = ("type-PF", "vdpa")


class Devices:
    """Pools of devices and the requests for them; a pool is known by its position."""

    def __init__(self, words: Words, host: Sequence[HostCell], corrections: Corrections) -> None:
        self.pools: Sequence[Words] = words["pools"]
        self.requests: Sequence[Words] = words["requests"]
        self.sockets = {cell.id: cell.socket for cell in host}
        self.corrections = corrections

    def count_on(self, cell: int) -> int:
        """Devices of a cell, whatever they are."""
        return sum(pool["count"] for pool in self.pools if pool["numa_node"] == cell)

    def fit(self, cells: Collection[int]) -> bool:
        """Whether every request can be had by a guest on these cells."""
        if "joint" in self.corrections:
            return self._fit_together(cells)
        left = [pool["count"] for pool in self.pools]
        return all(self._take(request, cells, left) for request in self.requests)

    def _take(self, request: Words, cells: Collection[int], left: list[int]) -> bool:
        """Serve one request from what the earlier ones left."""
        levels = self._levels(request, cells)
        needed = request["count"]
        chosen = next((it for it in levels if sum(left[n] for n in it) >= needed), [])
        for number in chosen:
            if not self._is_spare(request, number):
                given = min(needed, left[number])
                left[number] -= given
                needed -= given
        return not needed

    def _levels(self, request: Words, cells: Collection[int]) -> list[list[int]]:
        """Pools that match, nearest only first, then with farther ones."""
        mine = [n for n, pool in enumerate(self.pools) if _matches(pool, request["spec"])]
        if "numa-last" in self.corrections:
            mine = [n for n in mine if not self._is_spare(request, n)]
        near = [n for n in mine if self.pools[n]["numa_node"] in cells]
        unknown = [n for n in mine if self.pools[n]["numa_node"] is None]
        far = [n for n in mine if n not in near and n not in unknown]
        match request["numa_policy"]:
            case "required":
                return [near]
            case "preferred":
                return [near, near + unknown, near + unknown + far]
            case "socket":
                return [near, self._same_socket(mine, cells)]
        return [near, near + unknown]

    def _same_socket(self, pools: Sequence[int], cells: Collection[int]) -> list[int]:
        if None in self.sockets.values():
            return []
        sockets = {self.sockets[cell] for cell in cells}
        cells_near = {cell for cell, socket in self.sockets.items() if socket in sockets}
        return [n for n in pools if self.pools[n]["numa_node"] in cells_near]

    def _is_spare(self, request: Words, number: int) -> bool:
        kind = self.pools[number]["dev_type"]
        return kind in _ONLY_BY_NAME and all(
            spec.get("dev_type") != kind for spec in request["spec"]
        )

    def _fit_together(self, cells: Collection[int]) -> bool:
        """Every set of requests finds as many devices as it asks for (Hall's theorem)."""
        allowed = [set(chain.from_iterable(self._levels(it, cells))) for it in self.requests]
        pairs = list(zip(self.requests, allowed, strict=True))
        return all(
            sum(request["count"] for request, _ in some)
            <= sum(self.pools[n]["count"] for n in set().union(*(pools for _, pools in some)))
            for count in range(1, len(pairs) + 1)
            for some in combinations(pairs, count)
        )


def _matches(pool: Words, specs: Sequence[Words]) -> bool:
    return any(
        all(str(pool.get(key)).lower() == str(it).lower() for key, it in spec.items())
        for spec in specs
    )


def networks_fit(bounds: Bounds | None, host: Sequence[HostCell], cells: Collection[int]) -> bool:
    """Whether what the guest is connected to is on its cells, or on none."""
    if bounds is None:
        return True
    here = [cell for cell in host if cell.id in cells]
    lacking = bounds.physnets.difference(*(cell.physnets for cell in here))
    if any(lacking & cell.physnets for cell in host):
        return False
    tunneled = any(cell.tunneled for cell in here)
    return tunneled or not bounds.tunneled or not any(cell.tunneled for cell in host)
