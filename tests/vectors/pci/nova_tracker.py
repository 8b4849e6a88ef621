"""Nova's tracker of PCI devices, slow and obvious: what it does, defects included."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.vectors.pci.nova_pools import (
    NOT_IN_KEY,
    Filter,
    Pool,
    Words,
    in_order,
    providers_of,
)
from tests.vectors.pci.nova_specs import NovaError, NovaSpec, Report, first_match

PF, CHILDREN = "type-PF", ("type-VF", "vdpa")
BARRED = {"claimed": "unclaimable", "allocated": "unavailable"}
FIELDS = ("address", "vendor_id", "product_id", "dev_type", "numa_node", "parent_addr")
IGNORED = ("dev_id", "label", *FIELDS)


@dataclass(eq=False)
class NovaDevice:
    """One record. `id` is null until it was saved once."""

    address: str
    vendor_id: str = ""
    product_id: str = ""
    dev_type: str = ""
    numa_node: int | None = None
    parent_addr: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    status: str = "available"
    owner: str | None = None
    id: int | None = None
    parent: NovaDevice | None = None
    children: list[NovaDevice] = field(default_factory=list)
    has_vfs: bool = False
    """Whatever type it says it is; set by a correction alone."""

    def is_pf(self) -> bool:
        return self.dev_type == PF or self.has_vfs

    def update(self, report: Report) -> None:
        for name in FIELDS:
            setattr(self, name, report.get(name))
        self.extra.update({key: it for key, it in report.items() if key not in IGNORED})
        for key in ("managed", "live_migratable"):
            if key not in report:
                self.extra.pop(key, None)

    def words(self) -> dict[str, Any]:
        """Itself as a report, for the device specs."""
        return {**self.extra, **{name: getattr(self, name) for name in FIELDS}}

    def claim(self, owner: str) -> None:
        self._must(self, ("available",), "PciDeviceInvalidStatus")
        if self.is_pf():
            away = {one.status for one in self.children} - {"available"}
            if not away <= {"unclaimable", "unavailable"}:
                raise NovaError("PciDeviceVFInvalidStatus")
            for one in self.children:
                one.status = "unclaimable"
        elif self.parent and self.dev_type in CHILDREN:
            good = ("available", "unclaimable", "unavailable")
            self._must(self.parent, good, "PciDevicePFInvalidStatus")
            if self.parent.status == "available":
                self.parent.status = "unclaimable"
        self.status, self.owner = "claimed", owner

    def allocate(self, owner: str) -> None:
        self._must(self, ("available", "claimed"), "PciDeviceInvalidStatus")
        if self.status == "claimed" and self.owner != owner:
            raise NovaError("PciDeviceInvalidOwner")
        if self.is_pf():
            for one in self.children:
                self._must(one, ("available", "unclaimable"), "PciDeviceVFInvalidStatus")
            for one in self.children:
                one.status = "unavailable"
        elif self.parent and self.dev_type in CHILDREN:
            good = ("available", "unclaimable", "unavailable")
            self._must(self.parent, good, "PciDevicePFInvalidStatus")
            self.parent.status = "unavailable"
        self.status, self.owner = "allocated", owner

    def free(self, owner: str | None) -> list[NovaDevice]:
        self._must(self, ("claimed", "allocated"), "PciDeviceInvalidStatus")
        if owner is not None and self.owner != owner:
            raise NovaError("PciDeviceInvalidOwner")
        freed = self._relatives_freed()
        self.status, self.owner = "available", None
        return [*freed, self]

    def _relatives_freed(self) -> list[NovaDevice]:
        if self.is_pf():
            for one in self.children:
                one.status = "available"
            return list(self.children)
        if not self.parent or self.dev_type not in CHILDREN:
            return []
        if any(one.id is None for one in self.parent.children):
            raise NovaError("NotImplementedError")
        if any(one.status != "available" for one in self.parent.children if one is not self):
            return []
        self.parent.status = "available"
        return [self.parent]

    def remove(self) -> None:
        self._must(self, ("available", "unavailable", "unclaimable"), "PciDeviceInvalidStatus")
        self.status, self.owner = "removed", None

    @staticmethod
    def _must(device: NovaDevice, good: Sequence[str], error: str) -> None:
        if device.status not in good:
            raise NovaError(error)


class NovaTracker:
    """All devices of a node, their pools, claims and allocations.

    `saved` are the rows that an earlier tracker left.
    """

    def __init__(
        self,
        specs: Sequence[NovaSpec],
        host_cells: Sequence[Words] | None,
        saved: Iterable[NovaDevice] = (),
    ) -> None:
        self.specs = specs
        self.chain = Filter(host_cells)
        self.pools: list[Pool] = []
        self.devices = sorted((copy.copy(it) for it in saved), key=lambda it: it.address)
        self.rows = {it.address: copy.copy(it) for it in self.devices}
        self.claims: dict[str, list[NovaDevice]] = {}
        self.allocations: dict[str, list[NovaDevice]] = {}
        self.stale: dict[str, Report] = {}
        self.remove_when_freed: list[NovaDevice] = []
        self._build_tree()
        maps = {"claimed": self.claims, "allocated": self.allocations}
        for it in self.devices:
            if it.status in maps:
                maps[it.status].setdefault(str(it.owner), []).append(it)
            elif it.status == "available":
                self._add(it)

    def _build_tree(self) -> None:
        parents: dict[str, NovaDevice] = {}
        for it in sorted(self.devices, key=lambda one: one.address):
            if it.status in ("removed", "deleted"):
                continue
            if it.dev_type == PF:
                it.children = []
                parents[it.address] = it
            elif it.dev_type in CHILDREN:
                it.parent = parents.get(str(it.parent_addr))
                if it.parent:
                    it.parent.children.append(it)

    # Pools

    def _key(self, device: NovaDevice) -> Pool | None:
        spec = first_match(self.specs, device.words())
        if spec is None:
            return None
        key: Pool = {
            "product_id": device.product_id,
            "vendor_id": device.vendor_id,
            "numa_node": device.numa_node,
            "dev_type": device.dev_type,
        }
        key |= {tag: it for tag, it in spec.tags.items() if tag not in NOT_IN_KEY}
        key["address"] = device.parent_addr or device.address
        if device.extra.get("parent_ifname"):
            key["parent_ifname"] = device.extra["parent_ifname"]
        if key.get("remote_managed") is None and device.dev_type in (PF, *CHILDREN):
            key["remote_managed"] = "false"
        return key

    def _find(self, key: Pool) -> Pool | None:
        apart = ("count", "devices", "rp_uuid")
        for pool in self.pools:
            if {name: it for name, it in pool.items() if name not in apart} == key:
                return pool
        return None

    def _add(self, device: NovaDevice) -> None:
        key = self._key(device)
        if key is None:
            return
        pool = self._find(key)
        if pool is None:
            pool = {**key, "count": 0, "devices": []}
            self.pools = in_order([*self.pools, pool])
        pool["count"] += 1
        pool["devices"].append(device)

    def _take_out(self, device: NovaDevice) -> None:
        key = self._key(device)
        if key is None:
            return
        pool = self._find(key)
        if pool is None:
            raise NovaError("PciDevicePoolEmpty")
        self._leave(pool, device)

    def _leave(self, pool: Pool, device: NovaDevice) -> None:
        if device not in pool["devices"]:
            raise NovaError("ValueError")
        pool["devices"].remove(device)
        if pool["count"] > 1:
            pool["count"] -= 1
        else:
            self.pools = [one for one in self.pools if one is not pool]

    def _is_free(self, device: NovaDevice) -> bool:
        return any(device in pool["devices"] for pool in self.pools)

    def name_providers(self, by_address: dict[str, str]) -> None:
        """What the Placement step writes: the provider on each pool that has free devices."""
        for pool in self.pools:
            if pool["count"] and pool["address"] in by_address:
                pool["rp_uuid"] = by_address[pool["address"]]

    # Sync with the host

    def sync(self, reports: Sequence[Report]) -> None:
        admitted = {it["address"]: it for it in self._admitted(reports)}
        known = {it.address for it in self.devices}
        for it in self.devices:
            if it.address in admitted:
                self._changed(it, admitted[it.address])
            else:
                self._gone(it)
        for address, report in admitted.items():
            if address not in known:
                device = NovaDevice(address)
                device.update(report)
                self.devices.append(device)
                self._add(device)
        self._build_tree()

    def _admitted(self, reports: Sequence[Report]) -> Iterator[Report]:
        for report in reports:
            spec = first_match(self.specs, report)
            if spec:
                marks = ("managed", "live_migratable")
                tags = {key: spec.tags[key] for key in marks if spec.tags.get(key) is not None}
                yield {**report, **tags}

    def _gone(self, device: NovaDevice) -> None:
        try:
            device.remove()
        except NovaError:
            if device not in self.remove_when_freed:
                self.remove_when_freed.append(device)
            return
        if self._is_free(device):
            self._take_out(device)

    def _changed(self, device: NovaDevice, report: Report) -> None:
        if device.status in ("claimed", "allocated"):
            self.stale[device.address] = report
            return
        device.update(report)
        for pool in self.pools:
            if device in pool["devices"] and pool["dev_type"] != device.dev_type:
                self._leave(pool, device)
                self._add(device)
                break

    # Claims

    def consume(
        self, requests: Sequence[Words], cells: Sequence[int] | None
    ) -> list[tuple[str, NovaDevice]]:
        taken: list[tuple[str, NovaDevice]] = []
        for request in requests:
            rps = providers_of(request, None)
            kept = self.chain(self.pools, request, cells, rps)
            if not kept:
                for _, device in reversed(taken):
                    self._add(device)
                raise NovaError("PciDeviceRequestFailed")
            for pool, count in self._shares(kept, request["count"], rps):
                pool["count"] -= count
                taken += [(request["id"], self._pop(pool)) for _ in range(count)]
        return taken

    @staticmethod
    def _shares(kept: list[Pool], left: int, rps: list[str]) -> Iterator[tuple[Pool, int]]:
        """How many devices come from which pool."""
        if rps:
            names = [pool["rp_uuid"] for pool in kept]
            if len(set(names)) < len(names):
                raise NovaError("PciDeviceRequestFailed")
            yield from ((pool, rps.count(pool["rp_uuid"])) for pool in kept)
            return
        for pool in kept:
            count = min(left, pool["count"])
            left -= count
            yield pool, count
            if not left:
                return

    def _pop(self, pool: Pool) -> NovaDevice:
        if not pool["devices"]:
            raise NovaError("IndexError")
        device: NovaDevice = pool["devices"].pop()
        relatives = device.children if device.is_pf() else [device.parent]
        for one in relatives:
            if one and (device.is_pf() or device.dev_type in CHILDREN) and self._is_free(one):
                self._take_out(one)
        return device

    def claim(
        self, requests: Sequence[Words], owner: str, cells: Sequence[int] | None
    ) -> list[tuple[str, NovaDevice]]:
        if not self.devices or not requests:
            return []
        taken = self.consume(requests, cells)
        for _, device in taken:
            device.claim(owner)
        if taken:
            self.claims[owner] = [device for _, device in taken]
        return taken

    def allocate(self, owner: str) -> None:
        devices = self.claims.pop(owner, [])
        for device in devices:
            device.allocate(owner)
        if devices:
            self.allocations.setdefault(owner, []).extend(devices)

    # Freeing

    def free(self, owner: str) -> None:
        self.free_allocations(owner)
        self.free_claims(owner)

    def free_allocations(self, owner: str) -> None:
        if self.allocations.pop(owner, None):
            self._free_all(owner, "allocated")

    def free_claims(self, owner: str) -> None:
        if self.claims.pop(owner, None):
            self._free_all(owner, "claimed")

    def _free_all(self, owner: str, status: str) -> None:
        for it in list(self.devices):
            if (it.status, it.owner) == (status, owner):
                self._free(it, owner)

    def free_device(self, address: str, owner: str) -> None:
        for it in self.devices:
            if it.address == address and it.owner == owner:
                self._free(it, None)
                for held in (self.allocations, self.claims):
                    if it in held.get(owner, []):
                        held[owner].remove(it)
                        if not held[owner]:
                            del held[owner]

    def clean(self, kept: Iterable[str]) -> None:
        alive = set(kept)
        for held in (self.claims, self.allocations):
            for owner in [one for one in held if one not in alive]:
                for device in held.pop(owner):
                    self._free(device, None)

    def _free(self, device: NovaDevice, owner: str | None) -> None:
        freed = device.free(owner)
        stale = self.stale.pop(device.address, None)
        if stale is not None:
            device.update(stale)
        if device in self.remove_when_freed:
            self.remove_when_freed.remove(device)
            device.remove()
            if self._is_free(device):
                self._take_out(device)
            return
        for one in freed:
            self._add(one)

    # The table

    def save(self) -> None:
        for it in list(self.devices):
            if it.status == "removed":
                it.status = "deleted"
                if self.rows.pop(it.address, None) is None:
                    raise NovaError("PciDeviceNotFound")
            if it.status == "deleted":
                self.devices.remove(it)
                continue
            it.id = it.id or hash(it.address)
            row = copy.copy(it)
            row.extra, row.children, row.parent = dict(it.extra), [], None
            self.rows[it.address] = row
