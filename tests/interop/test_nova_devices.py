"""Nova's own tracker of devices on what innkeeper wrote: rows of devices and pools of a node."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from tests.interop.conftest import Ask
from tests.properties.test_device_book import NOW, Scene
from tests.unit.store.made import change_set
from tests.upgrade.nova_objects import compute_node

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import DeviceRequest, Request
from innkeeper.objects.request import DevicePattern
from innkeeper.requests.nova_requests import nova_requests
from innkeeper.store.batch import Batcher
from innkeeper.store.nova.projection import Projection
from innkeeper.store.nova.writing import Database
from innkeeper.store.opening import Opening, open_database
from innkeeper.store.rows import encode_change_set
from innkeeper.store.transactions import Transactions
from innkeeper.tracker.nova.device_rows import device_row

NODE = "host"
STEPS = 60
SPECS = [{"vendor_id": "8086"}]
"""The same words as the scene's own."""

PATTERNS: tuple[DevicePattern, ...] = (
    {"dev_type": "type-VF"},
    {"dev_type": "type-PF"},
    {"dev_type": "type-PCI"},
    {"dev_type": "type-VF", "address": "0000:01:00.0"},
    {"vendor_id": "8086", "product_id": "154c"},
    {"parent_ifname": "eth2"},
    {"remote_managed": "False"},
)


class Written:
    """Nova's tables in a real database, written by what a scene's book touches."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        with transactions.connection.begin():
            projection = Projection.reflect(transactions.connection, Database.EMBEDDED)
        self._batcher = Batcher(transactions.owner, projection)

    def write(self, scene: Scene) -> None:
        pools = scene.book.pools.as_object()
        node = compute_node(NODE, NODE, pci_device_pools=pools)
        admission = scene.offer.admission
        scene.book.touch(scene.book.absent())
        touched = scene.book.take_touched()
        rows = [device_row(NODE, one, scene.book, admission) for one in touched]
        given = change_set(devices=scene.inventory.devices, records=(node, *rows))
        encoded = encode_change_set(given, NODE)
        self._transactions.run(lambda made, old: self._batcher.write(made, old, [encoded], 0))


@contextmanager
def written(path: Path) -> Iterator[Written]:
    transactions = open_database(path, Opening(NODE, None, 0))
    try:
        yield Written(transactions)
    finally:
        transactions.close()


def read(path: Path) -> tuple[list[dict[str, Any]], str]:
    """As a program that knows only the tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM pci_devices WHERE deleted = 0")
        rows = [dict(row) | {"deleted": False} for row in found]
        (text,) = connection.execute("SELECT pci_stats FROM compute_nodes WHERE deleted = 0")
        return rows, text["pci_stats"]


def requests_of(random: Random) -> Iterator[tuple[DeviceRequest, ...]]:
    """One kind of device at a time, and two kinds of which none could be given for the other.

    Otherwise Nova may give the second one's only device to the first.
    """
    for pattern in PATTERNS:
        yield (DeviceRequest(alternatives=(pattern,), count=random.randint(1, 3)),)
    one, other = random.sample(PATTERNS[:3], 2)
    yield (DeviceRequest(alternatives=(one,)), DeviceRequest(alternatives=(other,)))


def fits(ledger: _core.Ledger, devices: tuple[DeviceRequest, ...]) -> bool:
    try:
        ledger.fit(Request(devices=devices))
    except NoFit:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_nova_makes_the_same_pools_and_says_yes_where_it_fits(
    nova: Ask, tmp_path: Path, seed: int
) -> None:
    scene, path, said = Scene(seed), tmp_path / "innkeeper.sqlite3", [0, 0]
    with written(path) as tables:
        for _ in range(STEPS):
            scene.step()
            tables.write(scene)
            rows, text = read(path)
            asked = list(requests_of(scene.random))
            answer = nova(
                do="devices",
                rows=rows,
                specs=SPECS,
                pci_stats=text,
                asked=[_nova_requests(one) for one in asked],
            )
            assert "error" not in answer
            assert answer["made"] == answer["told"] == _flat(scene)
            assert len(answer["devices"]["nova_object.data"]["objects"]) == len(rows)
            for one, (compute, scheduler) in zip(asked, answer["fits"], strict=True):
                ours = fits(scene.ledger, one)
                said[ours] += 1
                assert compute == scheduler
                assert compute or not ours, one
    assert min(said) > STEPS


def _flat(scene: Scene) -> list[dict[str, Any]]:
    return [pool.to_flat() for pool in scene.book.pools.as_object().objects]


def _nova_requests(devices: tuple[DeviceRequest, ...]) -> Any:
    ids = (UUID(int=number) for number in range(1, 9))
    return nova_requests(UUID(int=NOW.year), devices, ids).to_primitive()
