"""Nova's pools and its filter chain, slow and obvious, with the corrections that innkeeper makes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.vectors.pci.nova_specs import NovaError, lax

Pool = dict[str, Any]
Words = Mapping[str, Any]

NOT_IN_KEY = ("resource_class", "traits", "rp_uuid", "rp_uuids")
NOT_MATCHED = ("resource_class", "traits", "rp_uuids", "rp_uuid")


def total(pools: Iterable[Pool]) -> int:
    return sum(pool["count"] for pool in pools)


def in_order(pools: Iterable[Pool]) -> list[Pool]:
    """Fewest entries first; equals in the order in which they came."""
    return sorted(pools, key=len)


def matches(pool: Pool, spec: Words) -> bool:
    """Whether a pool has every property that a spec names."""
    for key, asked in spec.items():
        has = pool.get(key)
        if isinstance(has, list) and isinstance(asked, list):
            if not all(item in has for item in asked):
                return False
        elif isinstance(has, str) and isinstance(asked, str):
            if has.lower() != asked.lower():
                return False
        elif has != asked:
            return False
    return True


def matches_any(pool: Pool, specs: Iterable[Words]) -> bool:
    return any(
        matches(pool, {key: value for key, value in spec.items() if key not in NOT_MATCHED})
        for spec in specs
    )


def providers_of(request: Words, mapping: Mapping[str, Sequence[str]] | None) -> list[str]:
    """Step 0: what Placement allocated for the request."""
    if request.get("alias_name") is None:
        return []
    if mapping:
        return [ids[0] for group, ids in mapping.items() if group.startswith(request["id"])]
    listed = request["spec"][0].get("rp_uuids")
    return str(listed).split(",") if listed else []


class Filter:
    """The seven steps, on a host whose cells may be known."""

    def __init__(self, host_cells: Sequence[Words] | None, *, numa_last: bool = False) -> None:
        self.host_cells = host_cells
        self.numa_last = numa_last

    def __call__(
        self, pools: list[Pool], request: Words, cells: Sequence[int] | None, rps: list[str]
    ) -> list[Pool]:
        """The pools to take from; empty is "no"."""
        specs, count = request["spec"], request["count"]
        kept = [pool for pool in pools if matches_any(pool, specs)]
        if total(kept) < count:
            return []
        if not self.numa_last:
            kept = self._near(kept, request, cells)
            if total(kept) < count:
                return []
        kept = self._by_live_migratable(self._by_provider(self._by_type(kept, specs), rps), specs)
        if self.numa_last:
            kept = self._near(kept, request, cells)
        return kept if total(kept) >= count else []

    @staticmethod
    def _by_type(pools: list[Pool], specs: Sequence[Words]) -> list[Pool]:
        for kind in ("type-PF", "vdpa"):
            if not any(spec.get("dev_type") == kind for spec in specs):
                pools = [pool for pool in pools if pool["dev_type"] != kind]
        if not any(lax(spec.get("remote_managed")) for spec in specs):
            pools = [pool for pool in pools if not lax(pool.get("remote_managed"))]
        return pools

    @staticmethod
    def _by_provider(pools: list[Pool], rps: list[str]) -> list[Pool]:
        if not rps:
            return pools
        asked = Counter(rps)
        return [
            pool
            for pool in pools
            if pool.get("rp_uuid") in asked and pool["count"] >= asked[pool["rp_uuid"]]
        ]

    @staticmethod
    def _by_live_migratable(pools: list[Pool], specs: Sequence[Words]) -> list[Pool]:
        for word in ("true", "false"):
            if all(spec.get("live_migratable") == word for spec in specs):
                return [pool for pool in pools if pool.get("live_migratable") == word]
        return pools

    def _near(self, pools: list[Pool], request: Words, cells: Sequence[int] | None) -> list[Pool]:
        if not cells:
            return pools
        policy, count = request.get("numa_policy") or "legacy", request["count"]
        near = [pool for pool in pools if pool["numa_node"] in cells]
        if policy == "required" or total(near) >= count:
            return near
        if policy == "socket":
            return self._on_sockets(pools, cells)
        kept = [pool for pool in pools if pool["numa_node"] in [*cells, None]]
        if policy == "legacy" or total(kept) >= count:
            return kept
        return sorted(pools, key=lambda pool: pool["numa_node"] not in [*cells, None])

    def _on_sockets(self, pools: list[Pool], cells: Sequence[int]) -> list[Pool]:
        if self.host_cells is None:
            raise NovaError("AttributeError")
        if any(cell["socket"] is None for cell in self.host_cells):
            return []
        sockets = {cell["socket"] for cell in self.host_cells if cell["id"] in cells}
        same = {cell["id"] for cell in self.host_cells if cell["socket"] in sockets}
        return [pool for pool in pools if pool["numa_node"] in same]


def applied(
    chain: Filter,
    pools: list[Pool],
    requests: Sequence[Words],
    cells: Sequence[int] | None,
    mapping: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """The scheduler's bookkeeping: takes from the counts, without undo."""
    for request in requests:
        rps = providers_of(request, mapping)
        kept = chain(pools, request, cells, rps)
        if not kept:
            raise NovaError("PciDeviceRequestFailed")
        if rps:
            _apply_by_provider(pools, kept, Counter(rps))
        else:
            _apply_by_count(pools, kept, request["count"])


def _apply_by_count(pools: list[Pool], kept: list[Pool], left: int) -> None:
    for pool in kept:
        taken = min(left, pool["count"])
        _lower(pools, pool, taken)
        left -= taken
        if not left:
            break


def _apply_by_provider(pools: list[Pool], kept: list[Pool], asked: Counter[str]) -> None:
    known = Counter(pool["rp_uuid"] for pool in pools if pool.get("rp_uuid"))
    if any(count > 1 for count in known.values()):
        raise NovaError("PciDeviceRequestFailed")
    for pool in kept:
        _lower(pools, pool, asked[pool["rp_uuid"]])


def _lower(pools: list[Pool], pool: Pool, taken: int) -> None:
    pool["count"] -= taken
    if pool["count"] <= 0:
        pools[:] = [one for one in pools if one is not pool]


def supported(
    chain: Filter,
    pools: Sequence[Pool],
    requests: Sequence[Words],
    cells: Sequence[int] | None,
    mapping: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Whether the bookkeeping would succeed; it knows no relatives."""
    scratch = [{k: v for k, v in pool.items() if k != "devices"} for pool in pools]
    try:
        applied(chain, scratch, requests, cells, mapping)
    except NovaError as error:
        if error.name != "PciDeviceRequestFailed":
            raise
        return False
    return True


def serialized(pools: Sequence[Pool]) -> list[Pool]:
    """The pools as the scheduler reads them: tags are texts, devices are not told."""
    plain = ("vendor_id", "product_id", "count", "numa_node")
    return in_order(
        {
            key: value if key in plain or value is None else str(value)
            for key, value in copy.copy(pool).items()
            if key != "devices"
        }
        for pool in pools
    )
