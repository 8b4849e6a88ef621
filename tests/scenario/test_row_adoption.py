"""Rows of instances without a claim are adopted on order: as they are, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker

from innkeeper.config import Config
from innkeeper.errors import NotRepairable
from innkeeper.objects import Claim, ClaimSpec, DeviceRequest, Finding, Holder, Request
from innkeeper.objects.request import NumaPolicy
from innkeeper.objects.topology import EmulatorThreads, GuestCell, GuestTopology, ThreadPolicy
from innkeeper.tracker import Tracker

SPEC = "cpus=16,cells=2,memory=16GiB,pfs=1,vfs=4,pages_2m=2048"
BY = Holder(user="ann")
Row = dict[str, object]


@pytest.fixture
def config() -> Config:
    words = {
        "devices": [{}],
        "cpus": {"dedicated": "2-3,6-7,10-11,14-15", "shared": "0-1,4-5,8-9,12-13"},
        "nova": {"tables": "embedded"},
    }
    return Config.model_validate(words)


async def on(database: Path, use: Callable[[sqlite3.Connection], list[Row]]) -> list[Row]:
    def run() -> list[Row]:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.row_factory = sqlite3.Row
            return use(connection)

    return await anyio.to_thread.run_sync(run)


async def ask(database: Path, query: str) -> list[Row]:
    return await on(database, lambda found: [dict(row) for row in found.execute(query)])


async def write(database: Path, statement: str, *values: object) -> None:
    def run(found: sqlite3.Connection) -> list[Row]:
        assert found.execute(statement, values).rowcount > 0
        return []

    await on(database, run)


async def put_back(database: Path, table: str, rows: list[Row]) -> None:
    """Write rows as somebody else would who does not claim."""
    for row in rows:
        names = ", ".join(f"{name} = ?" for name in row)
        await write(database, f"UPDATE {table} SET {names} WHERE id = ?", *row.values(), row["id"])


async def left_behind(tracker: Tracker, database: Path, *requests: Request) -> list[Claim]:
    """Rows of instances that ran here and that no claim is of any more, and the claims that they had."""
    claims: list[Claim] = []
    for request in requests:
        spec = ClaimSpec(
            instance_uuid=uuid4(),
            name=f"guest-{len(claims)}",
            request=request,
            holder=Holder(project="blue", user="bob"),
        )
        placed = await tracker.place(spec)
        claims.append(await tracker.confirm(placed.claim.id, by=BY))
    tables = ("instances", "instance_extra", "pci_devices")
    saved = {
        name: await ask(database, f"SELECT * FROM {name} WHERE deleted = 0") for name in tables
    }
    for claim in claims:
        await tracker.release(claim.id, by=BY)
    for name, rows in saved.items():
        await put_back(database, name, rows)
    return claims


async def unclaimed(tracker: Tracker) -> dict[UUID, Finding]:
    found = (await tracker.audit()).findings
    return {UUID(one.subject): one for one in found if one.kind == "row_unclaimed"}


def pinned(*vcpus: str, **more: object) -> GuestTopology:
    cells = tuple(GuestCell(dedicated=one, memory_mib=512) for one in vcpus)
    return GuestTopology.model_validate({"cells": cells, **more})


def guest(vcpus: int, topology: GuestTopology | None = None, devices: int = 0) -> Request:
    memory_mib = 512 if topology is None else sum(cell.memory_mib for cell in topology.cells)
    kind = ({"dev_type": "type-VF"},)
    vf = DeviceRequest(alternatives=kind, count=max(devices, 1), numa_policy=NumaPolicy.PREFERRED)
    return Request(
        vcpus=vcpus,
        memory_mib=memory_mib,
        disk_mib=10_240,
        topology=topology,
        devices=(vf,) if devices else (),
    )


GUESTS = {
    "plain": guest(2),
    "two cells": guest(4, pinned("0-1", "2-3")),
    "isolated emulator": guest(1, pinned("0", emulator_threads=EmulatorThreads.ISOLATE)),
    "whole cores": guest(2, pinned("0-1", threads=ThreadPolicy.REQUIRE)),
    "isolated cores": guest(2, pinned("0-1", threads=ThreadPolicy.ISOLATE)),
    "hugepages": guest(1, pinned("0", pages=2048)),
    "mixed": guest(2, GuestTopology(cells=(GuestCell(shared="1", dedicated="0", memory_mib=512),))),
    "shared cell": guest(2, GuestTopology(cells=(GuestCell(shared="0-1", memory_mib=512),))),
    "devices": guest(2, devices=3),
    "pinned with a device": guest(1, pinned("0"), devices=1),
}


@pytest.mark.parametrize("name", GUESTS)
async def test_what_a_row_says_is_held_is_held_again(
    make_tracker: MakeTracker, database: Path, name: str
) -> None:
    async with make_tracker(SPEC) as tracker:
        (before,) = await left_behind(tracker, database, GUESTS[name])
        assert before.instance_uuid is not None
        finding = (await unclaimed(tracker))[before.instance_uuid]
        told = await tracker.preview_repair(finding.id)
        assert told.words is not None
        assert "is made of the row of instance" in told.words
        await tracker.repair(finding.id, by=BY)
        adopted = await tracker.find(before.instance_uuid)
        assert adopted.placement == before.placement
        assert adopted.request == before.request
        assert (adopted.name, adopted.state) == (before.name, before.state)
        assert (adopted.holder.project, adopted.holder.user) == ("blue", "bob")
        assert (await tracker.audit()).findings == ()
        usage = tracker.usage()
    async with make_tracker(SPEC) as tracker:
        assert (await tracker.audit()).findings == ()
        again = tracker.usage()
        assert again.model_copy(update={"generation": usage.generation}) == usage


async def test_many_are_adopted_one_after_another(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker(SPEC) as tracker:
        before = await left_behind(
            tracker, database, GUESTS["plain"], GUESTS["mixed"], GUESTS["pinned with a device"]
        )
        for finding in (await unclaimed(tracker)).values():
            await tracker.repair(finding.id, by=BY)
        for claim in before:
            assert claim.instance_uuid is not None
            assert (await tracker.find(claim.instance_uuid)).placement == claim.placement
        assert (await tracker.audit()).findings == ()


async def refused(tracker: Tracker, instance: UUID | None) -> str:
    """Why it is not adopted; nothing changes by asking."""
    assert instance is not None
    usage, finding = tracker.usage(), (await unclaimed(tracker))[instance]
    with pytest.raises(NotRepairable) as refusal:
        await tracker.repair(finding.id, by=BY)
    assert tracker.usage() == usage
    assert instance in await unclaimed(tracker)
    return refusal.value.message


async def test_what_a_claim_holds_by_now_is_not_held_twice(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker(SPEC) as tracker:
        pins, devices = await left_behind(
            tracker, database, guest(4, pinned("0-3")), guest(1, devices=4)
        )
        other = (await tracker.place(ClaimSpec(request=guest(8, pinned("0-3", "4-7"))))).claim
        assert f"are held by claim {other.id}" in await refused(tracker, pins.instance_uuid)
        vf = (await tracker.place(ClaimSpec(request=guest(1, devices=1)))).claim
        # The new holder's own row is another one now.
        saying = await refused(tracker, devices.instance_uuid)
        assert f"held by claim {vf.id}" in saying or "rows of 3 devices name it" in saying


CHANGED = {
    "no cell": (
        "UPDATE instance_extra SET numa_topology = replace(numa_topology, '\"id\":0', '\"id\":9')",
        "the host has no cell 9",
    ),
    "gone device": (
        "UPDATE pci_devices SET address = '0000:fe:00.1' WHERE instance_uuid NOT NULL",
        "the host has no device 0000:fe:00.1",
    ),
    "lost device": (
        (
            "UPDATE pci_devices SET status = 'available', instance_uuid = NULL, request_id = NULL "
            "WHERE instance_uuid NOT NULL"
        ),
        "and the rows of 0 devices name it",
    ),
    "other device": (
        "UPDATE pci_devices SET product_id = 'abcd' WHERE instance_uuid NOT NULL",
        ":abcd in its row",
    ),
    "other memory": (
        "UPDATE instance_extra SET flavor = replace(flavor, '\"memory_mb\":512', '\"memory_mb\":640')",
        "its cells have 512 MiB of memory, and it has 640",
    ),
    "deleted": ("UPDATE instances SET vm_state = 'deleted'", "of which Nova counts nothing"),
    "moving": (
        (
            "INSERT INTO migrations (uuid, source_compute, source_node, dest_compute, dest_node, status, "
            "migration_type, instance_uuid, deleted) SELECT 'ab', 'test', 'test', 'there', 'there', "
            "'pre-migrating', 'live-migration', uuid, 0 FROM instances"
        ),
        "from test to there) counts for it",
    ),
}


@pytest.mark.parametrize("name", CHANGED)
async def test_what_the_host_or_the_rows_contradict_is_refused(
    make_tracker: MakeTracker, database: Path, name: str
) -> None:
    statement, told = CHANGED[name]
    async with make_tracker(SPEC) as tracker:
        (claim,) = await left_behind(tracker, database, GUESTS["pinned with a device"])
        await write(database, statement)
        assert told in await refused(tracker, claim.instance_uuid)


async def test_a_root_disk_on_a_volume_is_not_held(
    make_tracker: MakeTracker, database: Path
) -> None:
    async with make_tracker(SPEC):
        pass
    table = (
        "CREATE TABLE block_device_mapping (id INTEGER PRIMARY KEY, instance_uuid VARCHAR(36), "
        "boot_index INTEGER, destination_type VARCHAR(255), source_type VARCHAR(255), "
        "device_name VARCHAR(255), volume_id VARCHAR(36), volume_size INTEGER, deleted INTEGER, "
        "created_at DATETIME, updated_at DATETIME, deleted_at DATETIME)"
    )
    await on(database, lambda found: [dict(row) for row in found.execute(table)])
    instance, local = str(uuid4()), str(uuid4())
    row = (
        "INSERT INTO instances (uuid, host, node, vm_state, vcpus, memory_mb, root_gb, ephemeral_gb, "
        "deleted, created_at) VALUES (?, 'test', 'test', 'active', 4, 2048, 20, 1, 0, "
        "'2026-01-01 00:00:00.000000')"
    )
    disk = (
        "INSERT INTO block_device_mapping (instance_uuid, boot_index, destination_type, deleted) "
        "VALUES (?, 0, ?, 0)"
    )
    async with make_tracker(SPEC) as tracker:
        for uuid, place in ((instance, "volume"), (local, "local")):
            await write(database, row, uuid)
            await write(database, disk, uuid, place)
        for finding in (await unclaimed(tracker)).values():
            await tracker.repair(finding.id, by=BY)
        sizes = [(await tracker.find(UUID(one))).placement.disk_mib for one in (instance, local)]
        assert sizes == [1024, 21 * 1024]
        assert (await tracker.audit()).findings == ()
