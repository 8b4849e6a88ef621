"""Nova's tables beside the claims: the same transaction, the same truth."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio.to_thread
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_races import ChangingHost

from innkeeper.config import Config
from innkeeper.drivers.simulated import SimulatedDriver
from innkeeper.objects import ClaimSpec, DeviceRequest, Holder, Request
from innkeeper.store.sqlite import SqliteStore
from innkeeper.tracker import Tracker

LIVE_DEVICES = "SELECT * FROM pci_devices WHERE deleted = 0"
NOT_FREE = "SELECT * FROM pci_devices WHERE status != 'available' ORDER BY address"
HOLDER = Holder(project="lab", user="ann")


@pytest.fixture
def config() -> Config:
    return Config.model_validate({"devices": [{}], "nova": {"tables": "embedded"}})


class Rows:
    """What a program that knows only Nova's tables sees."""

    def __init__(self, database: Path) -> None:
        self._database = database

    async def of(self, query: str) -> list[dict[str, Any]]:
        return await anyio.to_thread.run_sync(self._read, query)

    def _read(self, query: str) -> list[dict[str, Any]]:
        connection = sqlite3.connect(self._database)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(query)]
        finally:
            connection.close()


@pytest.fixture
def rows(database: Path) -> Rows:
    return Rows(database)


def vf_request(tracker: Tracker, vcpus: int = 2) -> Request:
    pool = next(pool for pool in tracker.pools() if pool.kind == "vf")
    device = DeviceRequest(vendor_id=pool.vendor_id, product_id=pool.product_id)
    return Request(vcpus=vcpus, memory_mib=1024, disk_mib=10_240, devices=(device,))


async def place(tracker: Tracker, instance: UUID) -> UUID:
    spec = ClaimSpec(
        instance_uuid=instance, name="web-1", holder=HOLDER, request=vf_request(tracker)
    )
    return (await tracker.place(spec)).claim.id


async def test_the_host_has_its_rows_from_the_start(make_tracker: MakeTracker, rows: Rows) -> None:
    async with make_tracker() as tracker:
        (node,) = await rows.of("SELECT * FROM compute_nodes WHERE deleted = 0")
        assert (node["host"], node["vcpus"], node["vcpus_used"]) == ("test", 8, 0)
        assert node["memory_mb_used"] == 512
        (service,) = await rows.of("SELECT * FROM services WHERE deleted = 0")
        assert service["binary"] == "innkeeper"
        devices = await rows.of("SELECT * FROM pci_devices WHERE deleted = 0")
        assert len(devices) == tracker.usage().devices.total
        assert {device["status"] for device in devices} == {"available"}


async def test_rows_follow_the_life_of_a_claim(make_tracker: MakeTracker, rows: Rows) -> None:
    instance = uuid4()
    async with make_tracker() as tracker:
        claim_id = await place(tracker, instance)
        (row,) = await rows.of("SELECT * FROM instances WHERE deleted = 0")
        assert (row["uuid"], row["host"], row["vm_state"]) == (str(instance), "test", "building")
        assert (row["vcpus"], row["memory_mb"], row["root_gb"]) == (2, 1024, 10)
        (node,) = await rows.of("SELECT * FROM compute_nodes")
        assert (node["vcpus_used"], node["memory_mb_used"], node["running_vms"]) == (2, 1536, 1)
        (pf, vf) = await rows.of(NOT_FREE)
        assert (vf["status"], vf["instance_uuid"]) == ("claimed", str(instance))
        assert (pf["status"], pf["instance_uuid"]) == ("unclaimable", None)
        await tracker.confirm(claim_id, by=HOLDER)
        (pf, vf) = await rows.of(NOT_FREE)
        assert (vf["status"], pf["status"]) == ("allocated", "unavailable")
        await tracker.release(claim_id, by=HOLDER)
        (node,) = await rows.of("SELECT * FROM compute_nodes")
        assert (node["vcpus_used"], node["memory_mb_used"], node["running_vms"]) == (0, 512, 0)
        assert await rows.of(NOT_FREE) == []
        assert await rows.of("SELECT * FROM instances WHERE host = 'test' AND deleted = 0") == []


async def test_a_restart_finds_its_rows_and_makes_no_others(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    async with make_tracker() as tracker:
        await place(tracker, uuid4())
    async with make_tracker() as tracker:
        assert len(await rows.of("SELECT * FROM compute_nodes")) == 1
        assert len(await rows.of("SELECT * FROM services")) == 1
        devices = await rows.of("SELECT * FROM pci_devices")
        assert len(devices) == tracker.usage().devices.total
        assert sum(device["status"] == "claimed" for device in devices) == 1


async def test_devices_come_and_go_with_the_host(make_tracker: MakeTracker, rows: Rows) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        before = {row["address"] for row in await rows.of(LIVE_DEVICES)}
        driver.vfs = 2
        await tracker.audit()
        after = {row["address"] for row in await rows.of(LIVE_DEVICES)}
        assert after < before
        assert len(after) == tracker.usage().devices.total
        driver.vfs = 4
        await tracker.audit()
        assert {row["address"] for row in await rows.of(LIVE_DEVICES)} == before


async def test_a_held_device_that_left_the_host_stops_no_start(
    make_tracker: MakeTracker, rows: Rows, database: Path
) -> None:
    driver = ChangingHost()
    async with make_tracker(driver=driver) as tracker:
        for _ in range(4):
            await place(tracker, uuid4())
    await anyio.to_thread.run_sync(forget_devices, database)
    driver.vfs = 2
    async with make_tracker(driver=driver) as tracker:
        held = await rows.of("SELECT * FROM pci_devices WHERE status = 'claimed' AND deleted = 0")
        assert len(held) == tracker.usage().claims == 4


def forget_devices(database: Path) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("DELETE FROM pci_devices")
    connection.close()


async def test_totals_are_those_of_the_claims_whatever_happens_at_once(
    make_tracker: MakeTracker, rows: Rows
) -> None:
    async with make_tracker() as tracker:
        claims = [await place(tracker, uuid4()) for _ in range(2)]

        async def replace(claim_id: UUID) -> None:
            await tracker.release(claim_id, by=HOLDER)

        async with anyio.create_task_group() as group:
            for claim_id in claims:
                group.start_soon(replace, claim_id)
            for _ in range(2):
                group.start_soon(place, tracker, uuid4())
        (node,) = await rows.of("SELECT * FROM compute_nodes")
        assert node["vcpus_used"] == tracker.usage().vcpus.used == 4
        assert node["running_vms"] == tracker.usage().claims == 2


async def test_an_older_release_gets_the_text_that_it_reads(
    make_tracker: MakeTracker, rows: Rows, database: Path, clock: VirtualClock, config: Config
) -> None:
    texts = {}
    for release in ("juno", "2026.2"):
        store = SqliteStore(database, node="test", clock=clock, release=release)
        driver = SimulatedDriver("cpus=8,cells=1,memory=16GiB,pfs=1,vfs=4")
        async with Tracker(node="test", store=store, driver=driver, config=config, clock=clock):
            (node,) = await rows.of("SELECT pci_stats FROM compute_nodes")
            texts[release] = json.loads(node["pci_stats"])
    assert {"vendor_id", "product_id", "count"} <= set(texts["juno"][0])
    assert texts["2026.2"]["nova_object.name"] == "PciDevicePoolList"
