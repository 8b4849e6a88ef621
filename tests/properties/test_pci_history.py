"""Long histories of one host: claims, releases, hot-plug, other device specs and crashes.

After every step each device is held by one claim at most, never together with its PF or VFs; what a
claim was given it has until it gives it back; and everything else that the host has and a device spec
admits is free, unless something that is held bars it. What is free is worked out from the host alone.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from random import Random

import pytest

from innkeeper import _core
from innkeeper.config import Config
from innkeeper.errors import NoFit
from innkeeper.objects import DeviceRequest, Host, PciFunction, PciKind, PlacedDevice, Placement
from innkeeper.objects import Request as Asked
from innkeeper.requests.cordoned import Cordoned
from innkeeper.requests.device_specs import DeviceRules
from innkeeper.requests.inventory import put_together
from innkeeper.requests.offer import Offer

DEEP = "TEST_INNKEEPER_DEEP" in os.environ
SEEDS = range(200 if DEEP else 3)
STEPS = 2000

VENDOR, OTHER_VENDOR = "8086", "10de"
PRODUCTS = ("1592", "1889", "154c")
CARDS = 5
NO_CORDONS = Cordoned.of(())

#: Device specs of Nova's, from generous to narrow; what one admits the next may not.
SPECS: tuple[list[dict[str, str]], ...] = (
    [{"vendor_id": VENDOR}],
    [{"vendor_id": VENDOR, "product_id": "1592", "physical_network": "a"}, {"vendor_id": VENDOR}],
    [{"vendor_id": VENDOR, "product_id": "1889"}, {"vendor_id": VENDOR, "product_id": "154c"}],
)
PATTERNS: list[dict[str, str | None]] = [
    {"dev_type": "type-VF"},
    {"dev_type": "type-PF"},
    {"dev_type": "type-PCI"},
    {"product_id": "1889"},
    {"vendor_id": VENDOR},
    {"physical_network": "a"},
]


class Machine:
    """A host whose cards come, go and change."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.functions: dict[str, PciFunction] = {}
        for card in range(CARDS):
            self.plug(card)

    def plug(self, card: int) -> None:
        """Another card in a slot."""
        self.pull(card)
        kind = self.random.choice(["plain", *["sriov"] * 4])
        root, cell = f"0000:{card:02x}:00.0", self.random.choice([None, 0, 1])
        vendor = self.random.choice([VENDOR] * 6 + [OTHER_VENDOR])
        self.functions[root] = PciFunction(
            address=root,
            vendor_id=vendor,
            product_id=self.random.choice(PRODUCTS),
            class_id="020000",
            kind=PciKind.PF if kind == "sriov" else PciKind.PCI,
            total_vfs=8 if kind == "sriov" else 0,
            cell=cell,
        )
        if kind == "sriov":
            self.set_vfs(card)

    def pull(self, card: int) -> None:
        prefix = f"0000:{card:02x}:"
        self.functions = {a: it for a, it in self.functions.items() if not a.startswith(prefix)}

    def set_vfs(self, card: int) -> None:
        """Another number of VFs; the PF stays."""
        pf = self.functions.get(f"0000:{card:02x}:00.0")
        if pf is None or pf.kind is not PciKind.PF:
            return
        self.pull(card)
        self.functions[pf.address] = pf
        product = self.random.choice(PRODUCTS)
        for number in range(self.random.randint(1, 6)):
            address = f"0000:{card:02x}:02.{number}"
            self.functions[address] = PciFunction(
                address=address,
                vendor_id=pf.vendor_id,
                product_id=product,
                class_id="020000",
                kind=self.random.choice([PciKind.VF] * 4 + [PciKind.VDPA]),
                parent=pf.address,
                cell=pf.cell,
            )

    def change(self, card: int) -> None:
        """One function is another one now."""
        mine = [a for a in self.functions if a.startswith(f"0000:{card:02x}:")]
        if not mine:
            return
        address = self.random.choice(mine)
        cell, product = self.random.choice([None, 0, 1]), self.random.choice(PRODUCTS)
        new: dict[str, object] = self.random.choice([{"cell": cell}, {"product_id": product}])
        self.functions[address] = self.functions[address].model_copy(update=new)

    def disturb(self) -> None:
        often, seldom = [self.plug, self.set_vfs, self.change], [self.pull]
        self.random.choice(often * 2 + seldom)(self.random.randrange(CARDS))


class History:
    """The ledger of a machine, and what a careful clerk would have written down."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.machine = Machine(self.random)
        self.held: dict[str, Placement] = {}
        self.claims = 0
        self.start(0)

    def start(self, spec: int) -> None:
        """A new process: only the stored claims and the host are known."""
        texts = [json.dumps(one) for one in SPECS[spec]]
        self.rules = DeviceRules.of(Config.model_validate({"nova": {"device_spec": texts}}))
        self.spec, self.offer = spec, Offer()
        stored = {name: it.model_dump_json() for name, it in self.held.items()}
        self.held = {name: Placement.model_validate_json(it) for name, it in stored.items()}
        self._take_inventory()
        self.ledger = _core.Ledger(self.inventory)
        self.ledger.restore(self.random.sample(sorted(self.held.items()), len(self.held)))

    def _take_inventory(self) -> None:
        functions = [*self.machine.functions.values()]
        self.random.shuffle(functions)
        self.offer.observe(tuple(functions), self.rules)
        placed = {it.address: it for it in self.placed()}
        devices = self.offer.devices(placed, (), NO_CORDONS)
        host = Host(hostname="machine")
        self.inventory = put_together(host, Config(), NO_CORDONS, devices)

    def placed(self) -> Iterable[PlacedDevice]:
        return (it for placement in self.held.values() for it in placement.devices)

    # Steps

    def claim(self) -> None:
        parts = [
            DeviceRequest(
                alternatives=tuple(self.random.sample(PATTERNS, self.random.choice([1, 1, 2]))),
                count=self.random.choice([1, 1, 1, 2, 4]),
            )
            for _ in range(self.random.choice([1, 1, 1, 2, 3]))
        ]
        request, self.claims = Asked(devices=tuple(parts)), self.claims + 1
        name, generation = f"claim {self.claims}", self.ledger.generation
        try:
            placement = self.ledger.book(name, request)
        except NoFit:
            assert self.ledger.generation == generation
            return
        self.held[name] = Placement.model_validate(placement, from_attributes=True)
        given = Counter(it.request for it in placement.devices)
        assert given == dict(enumerate(part.count for part in parts))

    def release(self) -> None:
        for name in self.random.sample(sorted(self.held), min(1, len(self.held))):
            assert self.ledger.unbook(name)
            del self.held[name]
        self.observe()

    def hot_plug(self) -> None:
        self.machine.disturb()
        self.observe()

    def crash(self) -> None:
        self.start(self.spec)

    def other_words(self) -> None:
        self.start(self.random.choice([0, 0, 1, 1, 2]))

    def observe(self) -> None:
        self._take_inventory()
        self.ledger.observe(self.inventory)

    def step(self) -> None:
        steps: dict[Callable[[], None], int] = {
            self.claim: 56,
            self.release: 18,
            self.hot_plug: 18,
            self.crash: 5,
            self.other_words: 3,
        }
        (what,) = self.random.choices(list(steps), list(steps.values()))
        what()

    # What must be true

    def check(self) -> None:
        self._nothing_is_held_twice()
        self._everything_is_somewhere()
        assert self._free_by_pool() == self._free_on_the_host()
        self._an_audit_tells_what_is_gone()

    def _nothing_is_held_twice(self) -> None:
        assert sorted(self.ledger.claim_ids()) == sorted(self.held)
        for name, placement in self.held.items():
            booked = self.ledger.placement(name)
            assert booked is not None
            assert Placement.model_validate(booked, from_attributes=True) == placement
        for one, other in combinations(self.placed(), 2):
            assert one.address != other.address
            assert one.parent != other.address
            assert other.parent != one.address

    def _everything_is_somewhere(self) -> None:
        """Free, held, withheld or barred: one of them, for every device."""
        held = {it.address: it for it in self.placed()}
        withheld = {it.address: it.parent for it in self.inventory.devices if it.withheld}
        away = {**{a: it.parent for a, it in held.items()}, **withheld}
        barred = [
            it.address
            for it in self.inventory.devices
            if it.address not in away and (it.parent in away or it.address in away.values())
        ]
        pools = self.ledger.pools()
        known = [it.address for it in self.inventory.devices]
        assert sum(pool.total for pool in pools) == len(known) == len(set(known))
        assert sum(pool.used for pool in pools) == sum(it in held for it in known)
        assert sum(pool.withheld for pool in pools) == len(withheld.keys() - held.keys())
        free = sum(pool.free for pool in pools)
        assert free + len(barred) + len(away.keys() & set(known)) == len(known)
        assert free == self.ledger.usage().devices.free

    def _free_by_pool(self) -> Counter[tuple[object, ...]]:
        counts: Counter[tuple[object, ...]] = Counter()
        for pool in self.ledger.pools():
            if pool.free:
                key = pool.vendor_id, pool.product_id, pool.kind, pool.cell, pool.parent
                counts[key] += pool.free
        return counts

    def _free_on_the_host(self) -> Counter[tuple[object, ...]]:
        held = {it.address for it in self.placed()}
        parents = {it.parent for it in self.placed()}
        return Counter(
            (it.vendor_id, it.product_id, it.kind.value, it.cell, it.parent)
            for it in self.machine.functions.values()
            if self._is_admitted(it) and it.address not in held | parents and it.parent not in held
        )

    def _is_admitted(self, function: PciFunction) -> bool:
        return any(
            one["vendor_id"] == function.vendor_id
            and one.get("product_id", function.product_id) == function.product_id
            for one in SPECS[self.spec]
        )

    def _an_audit_tells_what_is_gone(self) -> None:
        """And finds nothing else."""
        findings = self.ledger.snapshot().audit(self.held.items())
        gone = {it.address for it in self.placed()} - self.machine.functions.keys()
        assert sorted(it.subject for it in findings) == sorted(gone)
        assert {it.kind for it in findings} <= {"device_missing"}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_device_is_in_two_claims_nor_lost(seed: int) -> None:
    history = History(seed)
    for _ in range(STEPS):
        history.step()
        history.check()
    assert history.claims > 1000


def test_all_is_free_when_all_is_given_back() -> None:
    history = History(len(SEEDS))
    for _ in range(STEPS):
        history.step()
    while history.held:
        history.release()
        history.check()
    fresh = _core.Ledger(history.inventory)
    pools = [(it.total, it.used, it.withheld, it.free) for it in history.ledger.pools()]
    assert pools == [(it.total, 0, 0, it.free) for it in fresh.pools()]
