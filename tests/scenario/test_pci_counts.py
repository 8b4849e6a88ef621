"""What thousands of devices cost, counted: statements, rows and steps; times are for the benches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event
from tests.scenario.conftest import MakeTracker
from tests.scenario.hosts import HostOfSpec

from innkeeper import _core
from innkeeper.config import Config, DeviceSpec
from innkeeper.config.sections import Nova
from innkeeper.drivers.simulated import simulated
from innkeeper.objects import ClaimSpec, DeviceRequest, Request
from innkeeper.requests.inventory import take_inventory

FEW, MANY = "cells=2,pfs=2,vfs=4", "cells=2,pfs=16,vfs=64"
VFS = Request(devices=(DeviceRequest(vendor_id="8086", product_id="1889", count=2),))


class Writes:
    """Statements that write, and the rows that they are run with, by table."""

    def __init__(self) -> None:
        self.statements: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()

    def note(
        self,
        _connection: object,
        _cursor: object,
        statement: str,
        parameters: list[object],
        _context: object,
        executemany: bool,  # noqa: FBT001 - as SQLAlchemy calls it
    ) -> None:
        words = statement.split()
        if words[0] in ("INSERT", "UPDATE", "DELETE"):
            table = words[1] if words[0] == "UPDATE" else words[2]
            self.statements[table] += 1
            self.rows[table] += len(parameters) if executemany else 1

    def clear(self) -> None:
        self.statements.clear()
        self.rows.clear()


@pytest.fixture
def writes() -> Iterator[Writes]:
    noted = Writes()
    event.listen(Engine, "before_cursor_execute", noted.note)
    yield noted
    event.remove(Engine, "before_cursor_execute", noted.note)


@pytest.fixture(params=["none", "embedded"])
def config(request: pytest.FixtureRequest) -> Config:
    return Config(devices=(DeviceSpec(),), nova=Nova(tables=request.param))


async def statements_of_first_sync(
    make_tracker: MakeTracker, writes: Writes, spec: str
) -> Counter[str]:
    driver = HostOfSpec("cells=2")
    async with make_tracker(driver=driver) as tracker:
        writes.clear()
        driver.become(spec)
        await tracker.audit()
        return Counter(writes.statements)


async def test_a_sync_takes_as_many_statements_for_many_devices_as_for_few(
    make_tracker: MakeTracker, writes: Writes
) -> None:
    few = await statements_of_first_sync(make_tracker, writes, FEW)
    many = await statements_of_first_sync(make_tracker, writes, MANY)
    assert few == many
    assert few["innkeeper_devices"] == 1
    assert writes.rows["innkeeper_devices"] == 16 * 65


async def test_nothing_is_written_when_nothing_changed(
    make_tracker: MakeTracker, writes: Writes
) -> None:
    driver = HostOfSpec(MANY)
    async with make_tracker(driver=driver) as tracker:
        await tracker.audit()
        writes.clear()
        driver.become(MANY)
        await tracker.audit()
        assert not writes.statements


async def test_what_changed_is_written_and_no_other_device(
    make_tracker: MakeTracker, writes: Writes
) -> None:
    driver = HostOfSpec(MANY)
    async with make_tracker(driver=driver) as tracker:
        vf = next(one.address for one in tracker.inventory.devices if one.parent)
        await tracker.audit()
        writes.clear()
        driver.edit(vf, iommu_group=4096)
        await tracker.audit()
        assert writes.rows["innkeeper_devices"] == 1
        assert writes.rows["pci_devices"] <= 1
        writes.clear()
        driver.unplug(vf)
        await tracker.audit()
        assert writes.rows["innkeeper_devices"] == 1
        assert writes.rows["pci_devices"] <= 1


async def test_a_claim_writes_its_own_devices_on_a_host_of_any_size(
    make_tracker: MakeTracker, writes: Writes
) -> None:
    rows = []
    for spec in (FEW, MANY):
        async with make_tracker(driver=HostOfSpec(spec)) as tracker:
            writes.clear()
            claim = (await tracker.place(ClaimSpec(request=VFS))).claim
            await tracker.release(claim.id, by=claim.holder)
            rows.append(Counter(writes.rows))
    assert rows[0] == rows[1]
    assert rows[0]["innkeeper_devices"] == 0


def test_a_claim_takes_as_many_steps_on_a_large_host_as_on_a_small_one() -> None:
    steps = []
    for spec in (FEW, MANY, "cells=2,pfs=64,vfs=64"):
        ledger = _core.Ledger(take_inventory(simulated(spec), Config(devices=(DeviceSpec(),))))
        ledger.fit(VFS)
        steps.append(ledger.steps)
    assert len(set(steps)) == 1
