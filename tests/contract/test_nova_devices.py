"""Rows of devices in tables of every release: found again, moved, and written only where they differ."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from tests.contract.test_nova_projection import Site, place, site
from tests.upgrade.nova_objects import LATER, NODE, NOW, compute_node, pci_device, uuid

from innkeeper.objects import PciDevice, VersionedObject
from innkeeper.store.nova.drafts import take_down

__all__ = ["place", "site"]

ONE, TWO, THREE = (f"0000:0{number}:00.0" for number in range(1, 4))


def device(address: str, number: int, **words: Any) -> PciDevice:
    return pci_device(address, uuid=uuid(number), **words)


def write(site: Site, *records: VersionedObject, offered: Collection[str] | None = None) -> None:
    """Later than what was there, so that a row that was written again shows it."""
    site.projection.write(site.connection, NODE, take_down(records), LATER, offered)


def live(site: Site) -> dict[str, dict[str, Any]]:
    return {row["address"]: row for row in site.rows("pci_devices") if row["deleted"] == 0}


def needs_uuids(site: Site) -> None:
    if not site.projection.shape["pci_devices"].has("uuid"):
        pytest.skip("the table has no uuid")


def test_what_is_there_already_is_not_written_again(site: Site) -> None:
    site.write(compute_node(), device(ONE, 1), device(TWO, 2))
    before = live(site)
    write(site, device(ONE, 1), device(TWO, 2))
    assert live(site) == before
    write(site, device(ONE, 1), device(TWO, 2, status="available", instance_uuid=None))
    after = live(site)
    assert after[ONE] == before[ONE]
    assert (after[TWO]["status"], after[TWO]["instance_uuid"]) == ("available", None)
    assert after[TWO]["updated_at"] != before[TWO]["updated_at"]


def test_the_order_of_extra_info_means_nothing_and_keys_that_are_gone_vanish(site: Site) -> None:
    told = {"parent_ifname": "eth0", "managed": "true"}
    site.write(compute_node(), device(ONE, 1, extra_info=told))
    before = live(site)
    write(site, device(ONE, 1, extra_info=dict(reversed(told.items()))))
    assert live(site) == before
    write(site, device(ONE, 1, extra_info={"managed": "true"}))
    (read,) = site.projection.read_pci_devices(site.connection, site.node_id()).objects
    assert read.extra_info == {"managed": "true"}


def test_a_device_that_moved_keeps_its_row(site: Site) -> None:
    needs_uuids(site)
    site.write(compute_node(), device(ONE, 1), device(TWO, 2))
    before = live(site)
    write(site, device(THREE, 1), PciDevice(address=ONE, status="removed"))
    after = live(site)
    assert after.keys() == {TWO, THREE}
    assert after[THREE]["id"] == before[ONE]["id"]
    assert after[THREE]["created_at"] == before[ONE]["created_at"]
    assert after[TWO] == before[TWO]


def test_cards_change_places(site: Site) -> None:
    needs_uuids(site)
    site.write(compute_node(), device(ONE, 1), device(TWO, 2), device(THREE, 3))
    before = live(site)
    write(site, device(TWO, 1), device(THREE, 2), device(ONE, 3))
    after = live(site)
    moves = {TWO: ONE, THREE: TWO, ONE: THREE}
    assert {now: row["id"] for now, row in after.items()} == {
        now: before[then]["id"] for now, then in moves.items()
    }
    assert len(site.rows("pci_devices")) == 3


def test_what_a_moved_card_displaced_is_gone(site: Site) -> None:
    needs_uuids(site)
    site.write(compute_node(), device(ONE, 1), device(TWO, 2))
    before = live(site)
    write(site, device(TWO, 1))
    after = live(site)
    assert {TWO: before[ONE]["id"]} == {address: row["id"] for address, row in after.items()}
    (gone,) = (row for row in site.rows("pci_devices") if row["deleted"])
    assert gone["deleted"] == gone["id"] == before[TWO]["id"]


def test_other_hardware_at_an_address_takes_its_row_over(site: Site) -> None:
    site.write(compute_node(), device(ONE, 1))
    before = live(site)
    write(site, device(ONE, 2, product_id="1572"))
    row = live(site)[ONE]
    assert (row["id"], row["product_id"]) == (before[ONE]["id"], "1572")
    if "uuid" in row:
        assert row["uuid"] == uuid(2)
        site.shared.write(site.connection, NODE, take_down([device(ONE, 3)]), LATER)
        assert live(site)[ONE]["uuid"] == uuid(2)


def test_rows_of_devices_that_nobody_told_of_go(site: Site) -> None:
    site.write(compute_node(), device(ONE, 1), device(TWO, 2), device(THREE, 3))
    before = live(site)
    write(site, device(ONE, 1), offered=[TWO])
    after = live(site)
    assert after == {ONE: before[ONE], TWO: before[TWO]}
    write(site, offered=[])
    assert live(site) == {}


def test_of_another_node_nothing_goes(site: Site) -> None:
    other = compute_node("compute-2", "node-2.example.org")
    site.write(compute_node(), other)
    nodes = {row["hypervisor_hostname"]: row["id"] for row in site.rows("compute_nodes")}
    there = nodes["node-2.example.org"]
    site.write(device(ONE, 1), device(TWO, 2, compute_node_id=there))
    write(site, offered=[])
    assert [(row["address"], row["compute_node_id"]) for row in live(site).values()] == [
        (TWO, there)
    ]


def test_without_a_node_there_is_nothing_to_go(site: Site) -> None:
    write(site, offered=[ONE])
    assert site.rows("pci_devices") == []


def test_more_devices_than_one_statement_takes(site: Site) -> None:
    many = [
        device(f"0000:{bus:02x}:00.{fn}", 8 * bus + fn) for bus in range(128) for fn in range(8)
    ]
    site.write(compute_node(), *many, now=NOW)
    before = live(site)
    assert len(before) == len(many)
    changed = [*many[1:], device(many[0].address, 0, status="unavailable", instance_uuid=None)]
    write(site, *changed, offered=[one.address for one in many])
    after = live(site)
    assert [one for one in before if before[one] != after[one]] == [many[0].address]
