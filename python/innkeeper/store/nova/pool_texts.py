"""The text of a node's pools; that of a pool which did not change is not made again."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from innkeeper.objects.pci_pool import PciDevicePool, PciDevicePoolList
from innkeeper.objects.releases import is_before
from innkeeper.objects.stored_host import write_pools

_FIELDS: Final = frozenset({"product_id", "vendor_id", "numa_node", "count", "tags"})
_NONE: Final = "[]"

PoolKey = tuple[str, str, int | None, int, tuple[tuple[str, str | None], ...]]


def pools_text(pools: PciDevicePoolList | None, release: str) -> str | None:
    """The same as `write_pools`."""
    keys = None if pools is None or is_before(release, "kilo") else _keys(pools)
    if keys is None:
        return write_pools(pools, release)
    head, tail = _around(release)
    return f"{head}[{','.join([_pool_text(key, release) for key in keys])}]{tail}"


def _keys(pools: PciDevicePoolList) -> list[PoolKey] | None:
    """What each pool is; null when one is not of today's form, with all its fields."""
    keys: list[PoolKey] = []
    if pools.object_version != PciDevicePoolList.VERSION:
        return None
    for pool in pools.objects:
        held = pool.__dict__
        if held.keys() != _FIELDS or pool.object_version != PciDevicePool.VERSION:
            return None
        names = tuple(held["tags"].items())
        keys.append(
            (held["product_id"], held["vendor_id"], held["numa_node"], held["count"], names)
        )
    return keys


@lru_cache(maxsize=8)
def _around(release: str) -> tuple[str, str]:
    text = write_pools(PciDevicePoolList(), release) or _NONE
    head, _, tail = text.partition(_NONE)
    return head, tail


@lru_cache(maxsize=4096)
def _pool_text(key: PoolKey, release: str) -> str:
    product, vendor, cell, count, names = key
    pool = PciDevicePool(
        product_id=product, vendor_id=vendor, numa_node=cell, count=count, tags=dict(names)
    )
    text = write_pools(PciDevicePoolList(objects=(pool,)), release) or _NONE
    head, tail = _around(release)
    return text[len(head) + 1 : len(text) - len(tail) - 1]
