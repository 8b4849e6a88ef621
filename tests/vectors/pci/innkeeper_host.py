"""innkeeper itself on a recorded host: device specs, inventory and ledger by their public paths."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from innkeeper import _core
from innkeeper.config import Config
from innkeeper.errors import BadRequest, NoFit
from innkeeper.objects import (
    Cell,
    Cpu,
    Device,
    DeviceRequest,
    Host,
    Inventory,
    PciFunction,
    PciKind,
    Placement,
    Request,
)
from innkeeper.requests.aliases import Aliases
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import put_together
from innkeeper.requests.offer import Offer

Report = Mapping[str, Any]
Words = Mapping[str, Any]
Chosen = dict[str, list[str]]
"""Addresses by the id of the request that they are for, sorted."""

KINDS = {
    "type-PCI": PciKind.PCI,
    "type-PF": PciKind.PF,
    "type-VF": PciKind.VF,
    "vdpa": PciKind.VDPA,
}
DEV_TYPES = {kind.value: dev_type for dev_type, kind in KINDS.items()}
NO_CORDONS = Cordoned.of(())
READABLE = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$")


def provider_named(name: str) -> UUID:
    """The recordings name providers as people would."""
    return uuid5(NAMESPACE_URL, name)


def functions_of(reports: Sequence[Report]) -> tuple[PciFunction, ...]:
    """What the host has. A driver lists no function whose address cannot be read."""
    names: dict[str, str] = {
        it["parent_addr"]: it["parent_ifname"] for it in reports if it.get("parent_ifname")
    }
    readable = [it for it in reports if READABLE.match(it["address"])]
    return tuple(_function(it, names.get(it["address"])) for it in readable)


def _function(report: Report, netdev: str | None) -> PciFunction:
    vital = (report.get("capabilities") or {}).get("vpd", {})
    kind = KINDS[report["dev_type"]]
    return PciFunction(
        address=report["address"],
        vendor_id=report["vendor_id"],
        product_id=report["product_id"],
        class_id="020000",
        kind=kind,
        parent=report.get("parent_addr"),
        cell=report["numa_node"],
        serial=vital.get("card_serial_number"),
        netdevs=(netdev,) if netdev else (),
        total_vfs=64 if kind is PciKind.PF else 0,
    )


def cells_of(host_cells: Sequence[Words] | None) -> tuple[tuple[Cell, ...], tuple[Cpu, ...]]:
    """Each cell with one CPU, which tells its socket."""
    known = host_cells or [{"id": 0, "socket": 0}]
    cells = tuple(Cell(id=it["id"], cpus=(it["id"],)) for it in known)
    return cells, tuple(Cpu(id=it["id"], cell=it["id"], socket=it["socket"]) for it in known)


def rules_of(words: Iterable[Words]) -> DeviceRules:
    """Nova's own words, as they stand in its file.

    Raises:
        BadConfig: naming entry and key.
    """
    texts = [json.dumps(one) for one in words]
    return DeviceRules.of(Config.model_validate({"nova": {"device_spec": texts}}))


def request_of(requests: Sequence[Words], cells: Sequence[int] | None) -> Request:
    """Requests of Nova as one of ours.

    Raises:
        BadRequest: they cannot be asked for: a count below one, not one provider for each device.
    """
    try:
        devices = tuple(_device_request(one) for one in requests)
    except ValueError as error:
        raise BadRequest(str(error)) from None
    asked = Request(devices=devices, cells=None if cells is None else tuple(cells))
    return Aliases().resolve(asked)


def _device_request(words: Words) -> DeviceRequest:
    is_port = words.get("alias_name") is None
    listed = None if is_port else words["spec"][0].get("rp_uuids")
    return DeviceRequest(
        alternatives=tuple(words["spec"]),
        count=words["count"],
        numa_policy=words.get("numa_policy"),
        providers=tuple(provider_named(one) for one in listed.split(",")) if listed else (),
        requester=words["id"] if is_port else None,
    )


@dataclass
class RecordedHost:
    """A host that reports devices, and the ledger over it."""

    words: Sequence[Words]
    host_cells: Sequence[Words] | None
    providers: Mapping[str, str] = field(default_factory=dict)
    """Of a device, by its address."""
    reports: Sequence[Report] = ()
    held: dict[str, Placement] = field(default_factory=dict)
    """By claim."""

    def __post_init__(self) -> None:
        self.start(self.words)

    # The host

    def start(self, words: Sequence[Words]) -> None:
        """A new process with the claims that were stored."""
        self.words, self.rules, self.offer = words, rules_of(words), Offer()
        self.ledger = _core.Ledger(self._inventory())
        self.ledger.restore(self.held.items())

    def sync(self, reports: Sequence[Report]) -> None:
        """The host reports other devices."""
        self.reports = reports
        self.ledger.observe(self._inventory())

    def _inventory(self) -> Inventory:
        self.offer.observe(functions_of(self.reports), self.rules)
        held = {it.address: it for placement in self.held.values() for it in placement.devices}
        told = {it["address"]: it for it in self.reports}
        devices = self.offer.devices(held, (), NO_CORDONS)
        cells, cpus = cells_of(self.host_cells)
        host = Host(hostname="recorded", cells=cells, cpus=cpus)
        facts = tuple(self._with_facts(it, told.get(it.address, {})) for it in devices)
        return put_together(host, Config(), NO_CORDONS, facts)

    def _with_facts(self, device: Device, report: Report) -> Device:
        """What a recording says of single VFs and a host says of their PF, and what Placement says."""
        provider = self.providers.get(device.address)
        return device.model_copy(
            update={
                "parent_netdev": report.get("parent_ifname"),
                "provider": provider_named(provider) if provider else None,
            }
        )

    # Claims

    def fits(self, requests: Sequence[Words], cells: Sequence[int] | None) -> Chosen | None:
        """What a claim would get; null when it is refused."""
        return self._ask(requests, cells, None)

    def claim(
        self, claim_id: str, requests: Sequence[Words], cells: Sequence[int] | None
    ) -> Chosen | None:
        """The devices of a new claim; null when it is refused."""
        return self._ask(requests, cells, claim_id)

    def _ask(
        self, requests: Sequence[Words], cells: Sequence[int] | None, claim_id: str | None
    ) -> Chosen | None:
        try:
            request = request_of(requests, cells)
            answer = self.ledger.book(claim_id, request) if claim_id else self.ledger.fit(request)
        except (NoFit, BadRequest):
            return None
        if claim_id:
            self.held[claim_id] = Placement.model_validate(answer, from_attributes=True)
        chosen: Chosen = {one["id"]: [] for one in requests}
        for device in answer.devices:
            chosen[requests[device.request or 0]["id"]].append(device.address)
        return {name: sorted(addresses) for name, addresses in chosen.items()}

    def release(self, claim_ids: Iterable[str]) -> None:
        """Give back whole claims; what is retired leaves with its holder."""
        for claim_id in claim_ids:
            del self.held[claim_id]
            assert self.ledger.unbook(claim_id)
        self.ledger.observe(self._inventory())

    def give_back(self, claim_id: str, address: str) -> None:
        """One device of a claim: what is left is booked anew."""
        kept = [it for it in self.held[claim_id].devices if it.address != address]
        assert self.ledger.unbook(claim_id)
        del self.held[claim_id]
        if kept:
            self.held[claim_id] = Placement(devices=tuple(kept))
            self.ledger.restore([(claim_id, self.held[claim_id])])
        self.ledger.observe(self._inventory())

    # What is left

    def pools(self) -> list[dict[str, Any]]:
        """Pools with free devices, as Nova words their properties; the address of VFs alone."""
        return [_pool_words(pool) for pool in self.ledger.pools() if pool.free]


def _pool_words(pool: _core.Pool) -> dict[str, Any]:
    words: dict[str, Any] = {
        "vendor_id": pool.vendor_id,
        "product_id": pool.product_id,
        "dev_type": DEV_TYPES[pool.kind],
        "numa_node": pool.cell,
        "count": pool.free,
        **pool.tags,
    }
    if pool.parent:
        words["address"] = pool.parent
    if pool.parent_netdev:
        words["parent_ifname"] = pool.parent_netdev
    if pool.provider:
        words["rp_uuid"] = pool.provider
    return words
