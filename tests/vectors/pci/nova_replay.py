"""The slow model's answer to every recorded row: Nova's own, defects included."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Container, Iterator, Sequence
from typing import Any

from tests.vectors.pci.nova_pools import Pool, applied, matches, serialized, supported
from tests.vectors.pci.nova_specs import NovaError, NovaSpec
from tests.vectors.pci.nova_tracker import NovaTracker
from tests.vectors.rows import Row

CRASHES = ("IndexError", "NotImplementedError", "AttributeError")


def told(error: NovaError) -> dict[str, Any]:
    return {"error": error.name} | ({"crash": True} if error.name in CRASHES else {})


def devices_of(row: Row) -> list[dict[str, Any]]:
    """The reports of a row; big rows keep them as columns."""
    if "devices" in row:
        return list(row["devices"])
    reports = [dict(zip(row["device_columns"], it, strict=True)) for it in row["device_rows"]]
    plain = ("numa_node", "parent_addr")
    return [{k: v for k, v in it.items() if v is not None or k in plain} for it in reports]


def pools_of(tracker: NovaTracker, *, big: bool = False) -> list[Pool]:
    """The pools as they were recorded."""
    return [_pool(pool, big=big) for pool in tracker.pools]


def _pool(pool: Pool, *, big: bool) -> Pool:
    addresses = [device.address for device in pool["devices"]]
    if not big:
        return {**pool, "devices": addresses}
    told = {key: value for key, value in pool.items() if key != "devices"}
    digest = hashlib.sha256(",".join(addresses).encode()).hexdigest()
    return {**told, "devices_len": len(addresses), "devices_sha256": digest}


def statuses_of(tracker: NovaTracker) -> dict[str, list[Any]]:
    """Every device that is not plainly available."""
    return {
        it.address: [it.status, it.owner]
        for it in tracker.devices
        if (it.status, it.owner) != ("available", None)
    }


def specs_of(
    row: Row, words: Sequence[dict[str, Any]], corrections: Container[str] = ()
) -> list[NovaSpec]:
    pfs = row.get("sysfs", {}).get("pfs", {})
    return [NovaSpec(one, pfs, corrections) for one in words]


def answer(row: Row) -> Row:
    """What the model makes of a row of a claim family."""
    try:
        specs = specs_of(row, row["device_spec"])
    except NovaError as error:
        return {"config_error": told(error)}
    tracker = NovaTracker(specs, row["host_cells"])
    try:
        tracker.sync(devices_of(row))
    except NovaError as error:
        return {"sync_error": told(error)}
    tracker.name_providers(row.get("rp_by_address") or {})
    answers: Row = {"pools_before": pools_of(tracker, big=row["family"] == "big")}
    if "has_remote_managed_pools" in row:
        answers |= _remote_managed(tracker)
    answers |= _questions(row, tracker)
    return answers | {"claim": _claim(row, tracker)}


def _remote_managed(tracker: NovaTracker) -> Row:
    words = {"remote_managed": "true"}
    seen = [tracker.pools, serialized(tracker.pools)]
    here, there = (any(matches(pool, words) for pool in pools) for pools in seen)
    return {"has_remote_managed_pools": here, "has_remote_managed_pools_scheduler": there}


def _questions(row: Row, tracker: NovaTracker) -> Row:
    requests, cells = row["requests"], row["numa_cells"]
    mapping = row.get("provider_mapping")
    pools = serialized(tracker.pools)
    answers = {
        "supported": supported(tracker.chain, tracker.pools, requests, cells),
        "scheduler_supported": supported(tracker.chain, pools, requests, cells, mapping),
    }
    try:
        applied(tracker.chain, pools, requests, cells, mapping)
        outcome: Row = {"ok": True}
    except NovaError as error:
        outcome = told(error)
    if row["family"] != "big":
        outcome["pools"] = pools
    return answers | {"scheduler_apply": outcome}


def _claim(row: Row, tracker: NovaTracker) -> Row:
    try:
        taken = tracker.claim(row["requests"], "i0", row["numa_cells"])
        outcome: Row = {"chosen": [[name, it.address] for name, it in taken]}
    except NovaError as error:
        outcome = told(error)
    pools = pools_of(tracker, big=row["family"] == "big")
    return outcome | {"pools": pools, "statuses": statuses_of(tracker)}


def steps(row: Row) -> Iterator[Row]:
    """What the model makes of each step of a sequence."""
    history = History(row)
    for step in row["steps"]:
        yield history.step(step["do"])


class History:
    """A tracker that is stopped and started again."""

    def __init__(self, row: Row, kind: type[NovaTracker] = NovaTracker) -> None:
        self.row, self.kind = row, kind
        self.words = row["device_spec"]
        self.tracker = kind(self._specs(), row["host_cells"])
        if "start" in row:
            self.tracker.sync(row["devices"])
            self.tracker.save()

    def step(self, do: Row) -> Row:
        then: Row = {}
        try:
            self._do(do, then)
        except NovaError as error:
            then |= told(error)
        return then | self._seen()

    def _do(self, do: Row, then: Row) -> None:
        match do["op"]:
            case "sync":
                self.tracker.sync(do["devices"])
            case "restart":
                self._restart(do)
            case "claim":
                self._claim(do, then)
            case "clean":
                self.tracker.clean([*do["instances"], *do["migrations"]])
            case "free_device":
                self.tracker.free_device(do["address"], do["instance"])
            case name:
                words = [do["instance"]] if "instance" in do else []
                getattr(self.tracker, name)(*words)

    def _specs(self) -> list[NovaSpec]:
        return specs_of(self.row, self.words)

    def _restart(self, do: Row) -> None:
        self.words = do.get("device_spec", self.words)
        rows = [copy.copy(it) for it in self.tracker.rows.values()]
        self.tracker = self.kind(self._specs(), self.row["host_cells"], rows)
        self.tracker.sync(do["devices"])
        self.tracker.save()

    def _claim(self, do: Row, then: Row) -> None:
        tracker, cells = self.tracker, do.get("numa_cells")
        then["supported"] = self._question(do)
        taken = tracker.claim(do["requests"], do["instance"], cells)
        then["chosen"] = [[name, it.address] for name, it in taken]

    def _question(self, do: Row) -> bool:
        tracker = self.tracker
        return supported(tracker.chain, tracker.pools, do["requests"], do.get("numa_cells"))

    def _seen(self) -> Row:
        tracker = self.tracker
        seen: Row = {"pools": pools_of(tracker), "statuses": statuses_of(tracker)}
        if self.row["family"] == "fill_free":
            return seen
        holders = {
            name: {owner: [it.address for it in devices] for owner, devices in held.items()}
            for name, held in (("claims", tracker.claims), ("allocations", tracker.allocations))
        }
        marks: Row = {
            "stale": sorted(tracker.stale),
            "remove_when_freed": sorted(it.address for it in tracker.remove_when_freed),
        }
        return seen | {name: it for name, it in (holders | marks).items() if it}
