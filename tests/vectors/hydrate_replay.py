"""Replay of reading: older, newer, unknown and odd primitives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.canonical import comparable, without_versions_inside
from tests.vectors.objects_replay import compared
from tests.vectors.rows import Row
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper.errors import (
    BadPrimitive,
    BadVersion,
    IncompatibleObject,
    InnkeeperError,
    UnknownObject,
)
from innkeeper.objects import NovaObject, PciDevicePool, PciDevicePoolList, VersionedObject

_ERRORS: dict[str, type[InnkeeperError]] = {
    "IncompatibleObjectVersion": IncompatibleObject,
    "UnsupportedObjectError": UnknownObject,
    "ValueError": BadPrimitive,
    "KeyError": BadPrimitive,
}
_POOL_1_0 = {
    "nova_object.name": "PciDevicePool",
    "nova_object.namespace": "nova",
    "nova_object.version": "1.0",
    "nova_object.data": {"count": 1, "product_id": "1520", "tags": {}, "vendor_id": "8086"},
}
_DOCUMENTED = {
    "three-part, known X.Y": "three-part-versions",
    "older major": "older-majors",
    "Service without version gets ours": "no-defaults-on-read",
    "Flavor with extra_specs, clean on the wire": "clean-stays-clean",
}


def judge_hydration(row: Row) -> Verdict:
    """Whether a primitive is read, or refused, in the same way."""
    verdict = _judge(row)
    if verdict[0] == DIFFERENT and row["desc"] in _DOCUMENTED:
        return _DOCUMENTED[row["desc"]], verdict[1]
    return verdict


def _judge(row: Row) -> Verdict:
    if "input" not in row:
        return _SPECIAL[row["desc"]](row)
    expected = row["direct"]
    try:
        ours = VersionedObject.from_primitive(row["input"])
    except InnkeeperError as error:
        return _judge_error(error, expected)
    if "error" in expected or not isinstance(ours, NovaObject):
        return DIFFERENT, f"read as {ours!r}; Nova says {expected}"
    if sorted(ours.changed_fields()) != expected["changed"]:
        return DIFFERENT, f"changed {sorted(ours.changed_fields())}"
    return compared(ours.to_primitive(), expected["again"])


def _judge_error(error: InnkeeperError, expected: Any) -> Verdict:
    if "error" not in expected:
        return DIFFERENT, f"{error.code}: {error.message}"
    if not isinstance(error, _ERRORS[expected["error"]["type"]]):
        return DIFFERENT, f"{error.code}; Nova says {expected['error']}"
    told = {key: error.details.get(key) for key in ("name", "version", "supported")}
    theirs = expected["kwargs"]
    if "supported" in theirs and list(told.values()) != [
        theirs["objname"],
        theirs["objver"],
        theirs["supported"],
    ]:
        return DIFFERENT, f"{told}; Nova says {theirs}"
    return SAME, ""


def _keeps_fields(row: Row) -> Verdict:
    pool = PciDevicePool.from_primitive(_POOL_1_0)
    pool.numa_node = 3
    pool.reset_changes()
    return compared(pool.to_primitive(), row["again"])


def _refuses_newer(_row: Row) -> Verdict:
    try:
        PciDevicePool.from_primitive(_POOL_1_0).to_primitive("1.1")
    except BadVersion:
        return SAME, ""
    return DIFFERENT, "written above its own version"


def _in_list(row: Row) -> Verdict:
    pools = PciDevicePoolList(objects=(PciDevicePool.from_primitive(_POOL_1_0),))
    ours = pools.to_primitive(row["version"], row["manifest"])
    if comparable(ours) == comparable(row["again"]):
        return SAME, ""
    left, right = without_versions_inside(ours), without_versions_inside(row["again"])
    return ("never-labelled-up", "") if left == right else (DIFFERENT, str(ours))


_SPECIAL: dict[str, Callable[[Row], Verdict]] = {
    "an object read at 1.0 writes itself as 1.0, fields untouched": _keeps_fields,
    "asking the 1.0 object for 1.1": _refuses_newer,
    "list holding a pool read at 1.0": _in_list,
}
