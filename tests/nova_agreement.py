"""Whether Nova's tables say the same as the claims: devices, totals, instances and where their cells are."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from innkeeper.objects import Claim, ClaimState
from innkeeper.objects.stored_guest import read_instance_topology

Row = dict[str, Any]


def disagreements(database: Path, claims: Sequence[Claim]) -> list[str]:
    """Every difference from these live claims, of a host that keeps nothing for itself."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [
            *_of_devices(rows(connection, "pci_devices"), claims),
            *_of_totals(rows(connection, "compute_nodes"), claims),
            *_of_instances(connection, claims),
            *_of_cells(connection, claims),
        ]


def rows(connection: sqlite3.Connection, table: str) -> list[Row]:
    """Those that are not marked deleted."""
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} WHERE deleted = 0")]


def _of_devices(devices: Iterable[Row], claims: Sequence[Claim]) -> Iterator[str]:
    held = {
        one["address"]: (one["status"], one["instance_uuid"])
        for one in devices
        if one["status"] in ("claimed", "allocated")
    }
    by_claims = {device.address: one for one in claims for device in one.placement.devices}
    for address in sorted(held.keys() | by_claims.keys()):
        row, claim = held.get(address), by_claims.get(address)
        if row is None or claim is None or not _is_row_of(claim, *row):
            yield f"device {address}: {row} in its row, held by {claim}"


def _is_row_of(claim: Claim, status: str, instance_uuid: str | None) -> bool:
    """Of what is on its way Nova says either, by the kind of move."""
    firm = claim.state is ClaimState.CONFIRMED
    statuses = {"claimed", "allocated"} if claim.is_arriving else {_STATUS[firm]}
    return status in statuses and text_of(claim) in (None, instance_uuid)


_STATUS = {False: "claimed", True: "allocated"}


def text_of(claim: Claim) -> str | None:
    """Its instance, as a row has it."""
    return None if claim.instance_uuid is None else str(claim.instance_uuid)


def _of_totals(nodes: Sequence[Row], claims: Sequence[Claim]) -> Iterator[str]:
    (node,) = nodes
    amounts = [(one.request.vcpus or 0, one.request.memory_mib or 0) for one in claims]
    expected = sum(vcpus for vcpus, _ in amounts), sum(memory for _, memory in amounts)
    if (node["vcpus_used"], node["memory_mb_used"]) != expected:
        used = node["vcpus_used"], node["memory_mb_used"]
        yield f"totals: {used} in the row of the node, {expected} by the claims"


def _of_instances(connection: sqlite3.Connection, claims: Sequence[Claim]) -> Iterator[str]:
    """What is on its way here may be on its source by its row."""
    (node,) = (row["host"] for row in rows(connection, "compute_nodes"))
    here = {row["uuid"] for row in rows(connection, "instances") if row["host"] == node}
    resident = {text_of(one) for one in claims if not one.is_arriving} - {None}
    arriving = {text_of(one) for one in claims if one.is_arriving}
    if not resident <= here <= resident | arriving:
        yield f"instances: {sorted(here)} by their rows, {resident} by the claims"


def _of_cells(connection: sqlite3.Connection, claims: Sequence[Claim]) -> Iterator[str]:
    """Of instances that are in no move."""
    texts = {
        row["instance_uuid"]: row["numa_topology"] for row in rows(connection, "instance_extra")
    }
    for claim in claims:
        if claim.instance_uuid is None or (claim.move is not None and claim.move.state.open):
            continue
        instance_uuid = str(claim.instance_uuid)
        topology = read_instance_topology(texts.get(instance_uuid), instance_uuid)
        cells = () if topology is None else topology.cells
        told = [(cell.id, cell.cpu_pinning or {}) for cell in cells]
        placed = [(cell.cell, cell.pins) for cell in claim.placement.cells]
        if told != placed:
            yield f"cells of {instance_uuid}: {told} in its row, {placed} by its claim"
