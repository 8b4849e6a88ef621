"""Replay of stored pools: what each form is read as, and what is made of it again."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors.canonical import CHANGES, comparable
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper.errors import InnkeeperError
from innkeeper.objects.pci_pool import PciDevicePoolList
from innkeeper.objects.stored_host import read_pools, write_pools

_FIELDS = ("product_id", "vendor_id", "numa_node", "count", "tags")


def judge_pools(row: Row) -> Verdict:
    """A row holds what was stored, as text or as the JSON value of one."""
    value = row["value"]
    text = value if value is None or isinstance(value, str) else json.dumps(value)
    try:
        pools = read_pools(text)
    except InnkeeperError as error:
        return (SAME, "") if "result" in row else (DIFFERENT, f"{error.code}: {error.message}")
    if "result" in row:
        return _judge_crash(row, text, pools)
    differing = [name for name, ours in _told(pools).items() if ours != _theirs(row, name)]
    if differing == ["primitive"] and not pools.objects:
        told = comparable(pools.to_primitive())
        return _judge_empty(told, comparable(row["primitive"]))
    if not _survives(pools):
        differing.append("written and read again")
    return (DIFFERENT, ", ".join(differing)) if differing else (SAME, "")


def _judge_crash(row: Row, text: str | None, pools: PciDevicePoolList) -> Verdict:
    """JSON that is a number, a word or a text is no pools, like everything else that is not."""
    is_scalar = not isinstance(json.loads(text or "null"), list | dict)
    if is_scalar and not pools.objects and row["result"]["crash"]:
        return "odd-pools", ""
    return DIFFERENT, f"read as {pools!r}; Nova ends in {row['result']['error']}"


def _judge_empty(ours: dict[str, Any], theirs: dict[str, Any]) -> Verdict:
    """No pools are no change of anything."""
    if ours | {CHANGES: ["objects"]} == theirs:
        return "changes-of-stored", ""
    return DIFFERENT, "primitive"


def _told(pools: PciDevicePoolList) -> dict[str, Any]:
    flat = [pool.to_flat() for pool in pools.objects]
    return {
        "pools": [_fields(pool) for pool in pools.objects],
        "dicts": flat,
        "sorted_by_keys": sorted(flat, key=len),
        "primitive": comparable(pools.to_primitive()),
    }


def _fields(pool: Any) -> dict[str, Any]:
    return {name: pool.__dict__[name] for name in _FIELDS if name in pool.__dict__}


def _theirs(row: Row, name: str) -> Any:
    return comparable(row[name]) if name == "primitive" else row[name]


def _survives(pools: PciDevicePoolList) -> bool:
    """Whether what a host of today writes is read as the same."""
    again = read_pools(write_pools(pools, "2026.2"))
    return [one.to_flat() for one in again.objects] == [one.to_flat() for one in pools.objects]
