"""Long histories of one host's devices, as Nova's tables would show them.

The book follows by changes; one that is made anew must say the same, the ledger must agree about what
is free, and a table that is told only of what was touched must be the table that is made anew.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from random import Random
from uuid import UUID

import pytest

from innkeeper import _core
from innkeeper.config import Config
from innkeeper.errors import NoFit
from innkeeper.objects import (
    Claim,
    ClaimState,
    DeviceRequest,
    Holder,
    Host,
    Inventory,
    PciDevice,
    PciFunction,
    PciKind,
    Request,
)
from innkeeper.objects.cordon import Cordon, CordonKind
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import put_together
from innkeeper.requests.offer import Offer
from innkeeper.tracker.convert import placement_object
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.device_rows import device_row, device_uuid

DEEP = "TEST_INNKEEPER_DEEP" in os.environ
SEEDS = range(200 if DEEP else 6)
STEPS = 400
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BUSES = range(6)
CONFIG = Config.model_validate({"devices": [{}]})
PATTERNS: tuple[dict[str, str | None], ...] = (
    {"dev_type": "type-VF"},
    {"dev_type": "type-PF"},
    {"dev_type": "type-PCI"},
)


class Card:
    """A PF with VFs, or a plain function."""

    def __init__(self, number: int) -> None:
        self.serial = f"00-{number:02}" if number % 4 else None
        self.vfs = number % 3
        self.mac = f"00:00:00:00:00:{number:02x}"

    def functions(self, bus: int) -> list[PciFunction]:
        address = f"0000:{bus:02x}:00.0"
        kind = PciKind.PF if self.vfs else PciKind.PCI
        words = {"vendor_id": "8086", "class_id": "020000", "cell": bus % 2}
        head = PciFunction(
            address=address,
            product_id="1572" if self.vfs else "10fb",
            kind=kind,
            serial=self.serial,
            mac=self.mac,
            total_vfs=self.vfs,
            netdevs=(f"eth{bus}",),
            **words,
        )
        below = [
            PciFunction(
                address=f"0000:{bus:02x}:02.{number}",
                product_id="154c",
                kind=PciKind.VF,
                parent=address,
                vf_number=number,
                **words,
            )
            for number in range(self.vfs)
        ]
        return [head, *below]


class Scene:
    """A host, its ledger, its book, and the table that is written by what the book touches."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.slots: dict[int, Card] = {bus: Card(bus) for bus in (0, 1, 2, 4)}
        self.spare = Card(5)
        self.cordons: list[Cordon] = []
        self.claims: dict[UUID, Claim] = {}
        self.offer = Offer()
        self.book = DeviceBook(self.offer.admission)
        self.rules = DeviceRules.of(CONFIG)
        self.seen: dict[str, PciFunction] = {}
        self.inventory = self.look()
        self.ledger = _core.Ledger(self.inventory)
        self.table: dict[str, PciDevice] = {}
        self.book.observe(self.inventory.devices)

    def functions(self) -> tuple[PciFunction, ...]:
        cards = sorted(self.slots.items())
        return tuple(one for bus, card in cards for one in card.functions(bus))

    def look(self) -> Inventory:
        placed = (one for claim in self.claims.values() for one in claim.placement.devices)
        held, cordons = {one.address: one for one in placed}, tuple(self.cordons)
        host, cordoned = Host(hostname="host", functions=self.functions()), Cordoned.of(cordons)
        self.offer.observe(host.functions, self.rules)
        return put_together(host, CONFIG, cordoned, self.offer.devices(held, cordons, cordoned))

    def observe(self) -> None:
        self.inventory = self.look()
        self.ledger.observe(self.inventory)
        self.book.observe(self.inventory.devices)
        now = self.by_address()
        for address in now:
            if self.seen.get(address) != now[address]:
                self.book.touch_family(address)
        self.seen = now

    def by_address(self) -> dict[str, PciFunction]:
        return {one.address: one for one in self.functions()}

    def step(self) -> None:
        acts = (
            self.claim,
            self.claim,
            self.confirm,
            self.release,
            self.move,
            self.swap,
            self.cordon,
        )
        self.random.choice(acts)()
        self.observe()

    def claim(self) -> None:
        self.claim_of(self.random.choice(PATTERNS), self.random.randint(1, 2))

    def claim_of(self, pattern: dict[str, str | None], count: int = 1) -> None:
        asked = DeviceRequest(alternatives=(pattern,), count=count)
        claim_id = UUID(int=self.random.getrandbits(64))
        request = Request(devices=(asked,))
        try:
            placement = placement_object(self.ledger.book(str(claim_id), request))
        except NoFit:
            return
        self.keep(
            Claim(
                id=claim_id,
                node="host",
                state=ClaimState.PENDING,
                instance_uuid=claim_id,
                holder=Holder(),
                request=request,
                placement=placement,
                fingerprint="",
                created_at=NOW,
                updated_at=NOW,
            )
        )

    def keep(self, claim: Claim) -> None:
        self.claims[claim.id] = claim
        self.book.follow(claim)

    def any_claim(self) -> Claim | None:
        return self.random.choice(list(self.claims.values())) if self.claims else None

    def confirm(self) -> None:
        if (claim := self.any_claim()) is not None:
            self.keep(claim.model_copy(update={"state": ClaimState.CONFIRMED}))

    def release(self) -> None:
        if (claim := self.any_claim()) is None:
            return
        del self.claims[claim.id]
        self.ledger.unbook(str(claim.id))
        if self.random.random() < 0.5:
            self.book.follow(claim.model_copy(update={"state": ClaimState.RELEASED}))
        else:
            self.book.forget(claim)
            self.book.touch(one.address for one in claim.placement.devices)

    def move(self) -> None:
        """A card goes to an empty slot."""
        empty = [bus for bus in BUSES if bus not in self.slots]
        bus = self.random.choice(sorted(self.slots))
        self.slots[self.random.choice(empty)] = self.slots.pop(bus)

    def swap(self) -> None:
        """A card is replaced by the one on the shelf, or two change places."""
        bus, other = self.random.sample(sorted(self.slots), 2)
        if self.random.random() < 0.5:
            self.slots[bus], self.slots[other] = self.slots[other], self.slots[bus]
        else:
            self.slots[bus], self.spare = self.spare, self.slots[bus]

    def cordon(self) -> None:
        if self.cordons and self.random.random() < 0.6:
            self.cordons.pop()
            return
        address = self.random.choice(self.functions()).address
        self.cordons.append(Cordon(kind=CordonKind.DEVICE, subject=address, reason="look", at=NOW))

    # -- what must hold ----------------------------------------------------------------------

    def write_touched(self) -> None:
        for address in self.book.take_touched():
            row = device_row("host", address, self.book, self.offer.admission)
            if row.status == "removed":
                self.table.pop(address, None)
            else:
                self.table[address] = row

    def made_anew(self) -> DeviceBook:
        book = DeviceBook(self.offer.admission)
        for claim in self.claims.values():
            book.follow(claim)
        book.observe(self.inventory.devices)
        return book


@pytest.mark.parametrize("seed", SEEDS)
def test_following_changes_is_the_same_as_looking_at_everything(seed: int) -> None:
    scene = Scene(seed)
    for _ in range(STEPS):
        scene.step()
        scene.write_touched()
        anew = scene.made_anew()
        assert scene.book.pools.as_object() == anew.pools.as_object()
        assert_table_is_that_of(scene, anew)
        assert_free_is_what_the_ledger_gives(scene)


def assert_table_is_that_of(scene: Scene, anew: DeviceBook) -> None:
    every = {one.address for one in scene.inventory.devices} | set(anew.absent())
    expected = {one: device_row("host", one, anew, scene.offer.admission) for one in every}
    expected = {one: row for one, row in expected.items() if row.status != "removed"}
    assert scene.table.keys() == expected.keys()
    for address, row in expected.items():
        if address not in anew.absent():
            assert scene.table[address].__dict__ == row.__dict__
        else:
            assert scene.table[address].status == row.status
    uuids = Counter(row.uuid for row in scene.table.values())
    assert set(uuids.values()) <= {1}


def assert_free_is_what_the_ledger_gives(scene: Scene) -> None:
    ours: Counter[tuple[object, ...]] = Counter()
    for pool in scene.book.pools.as_object().objects:
        kind = pool.tags["dev_type"]
        parent = pool.tags["address"] if kind in ("type-VF", "vdpa") else None
        ours[pool.product_id, pool.numa_node, kind, parent] += pool.count
    theirs: Counter[tuple[object, ...]] = Counter()
    names = {"pci": "type-PCI", "pf": "type-PF", "vf": "type-VF", "vdpa": "vdpa"}
    for one in scene.ledger.pools():
        theirs[one.product_id, one.cell, names[one.kind], one.parent] += one.free
    assert +ours == +theirs


def test_a_card_that_moves_keeps_its_uuid_also_while_it_is_held() -> None:
    scene = Scene(1)
    scene.slots = {1: Card(1)}
    scene.observe()
    scene.claim_of({"dev_type": "type-VF"})
    scene.observe()
    held = scene.book.find("0000:01:02.0")
    assert held is not None
    assert held.identity is not None
    scene.slots = {3: scene.slots.pop(1)}
    scene.observe()
    row = device_row("host", "0000:03:02.0", scene.book, scene.offer.admission)
    assert (row.uuid, row.status) == (device_uuid("host", held.identity), "claimed")
    assert device_row("host", "0000:01:02.0", scene.book, scene.offer.admission).status == "removed"
