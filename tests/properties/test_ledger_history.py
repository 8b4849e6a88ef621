"""Random histories of a ledger, through Python, against the model."""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.properties.ledger_model import LedgerModel, amounts, capacity

from innkeeper import _core
from innkeeper.errors import ClaimConflict, NoFit
from innkeeper.objects import (
    Device,
    DeviceRequest,
    Inventory,
    PciKind,
    Placement,
    Quantity,
    Request,
)

DEEP = "TEST_INNKEEPER_DEEP" in os.environ

VENDOR = "8086"
PRODUCTS = st.sampled_from(["1592", "1889", "188a"])
CLAIMS = st.sampled_from([f"claim {number}" for number in range(6)])
QUANTITIES = st.builds(
    Quantity,
    total=st.integers(4, 30),
    reserved=st.integers(0, 4),
    allocation_ratio=st.sampled_from([1.0, 2.0, 16.0]),
)


@st.composite
def families(draw: st.DrawFn) -> tuple[Device, ...]:
    """Up to three PFs, each with up to four VFs of any product."""
    devices: list[Device] = []
    for bus in range(draw(st.integers(0, 3))):
        root, cell = f"0000:{bus:02x}:00.0", draw(st.sampled_from([None, 0, 1]))
        vfs = draw(st.lists(PRODUCTS, max_size=4))
        kind = PciKind.PF if vfs else PciKind.PCI
        devices.append(_device(root, draw(PRODUCTS), kind, None, cell))
        devices += [
            _device(f"0000:{bus:02x}:01.{number}", product, PciKind.VF, root, cell)
            for number, product in enumerate(vfs)
        ]
    return tuple(draw(st.permutations(devices)))


def _device(
    address: str, product: str, kind: PciKind, parent: str | None, cell: int | None
) -> Device:
    return Device(
        address=address,
        vendor_id=VENDOR,
        product_id=product,
        kind=kind,
        parent=parent,
        cell=cell,
    )


INVENTORIES = st.builds(
    Inventory,
    vcpus=QUANTITIES,
    memory_mib=QUANTITIES,
    disk_mib=QUANTITIES,
    counters=st.fixed_dictionaries({"slots": QUANTITIES}),
    devices=families(),
    shared_cpus=st.sampled_from(["", "0-3,8"]),
)
AMOUNTS = st.one_of(st.none(), st.integers(1, 6))
REQUESTS = st.builds(
    Request,
    vcpus=AMOUNTS,
    memory_mib=AMOUNTS,
    disk_mib=AMOUNTS,
    devices=st.lists(
        st.builds(
            DeviceRequest,
            vendor_id=st.just(VENDOR),
            product_id=PRODUCTS,
            count=st.integers(1, 3),
        ),
        max_size=2,
    ).map(tuple),
    counters=st.dictionaries(st.just("slots"), st.integers(1, 3)),
)


class LedgerHistory(RuleBasedStateMachine):
    """Books, unbooks and restarts; compares every answer and, after each step, every sum."""

    @initialize(inventory=INVENTORIES)
    def start(self, inventory: Inventory) -> None:
        self.ledger = _core.Ledger(inventory)
        self.model = LedgerModel(inventory)

    @rule(claim=CLAIMS, request=REQUESTS)
    def book(self, claim: str, request: Request) -> None:
        expected = self.model.possible_devices(request) if self.model.has_room(request) else set()
        generation = self.ledger.generation
        try:
            placement = self.ledger.book(claim, request)
        except ClaimConflict:
            assert claim in self.model.bookings
        except NoFit:
            assert not expected
            assert self.ledger.generation == generation
        else:
            assert tuple(device.address for device in placement.devices) in expected
            booked = Placement.model_validate(placement, from_attributes=True)
            assert amounts(booked) == amounts(request)
            self.model.bookings[claim] = booked

    @rule(claim=CLAIMS)
    def unbook(self, claim: str) -> None:
        assert self.ledger.unbook(claim) == (self.model.bookings.pop(claim, None) is not None)

    @rule()
    def restart(self) -> None:
        usage = self.ledger.usage()
        self.ledger = _core.Ledger(self.model.inventory)
        self.ledger.restore(self.model.bookings.items())
        again = self.ledger.usage()
        assert (again.vcpus, again.counters, again.devices) == (
            usage.vcpus,
            usage.counters,
            usage.devices,
        )

    @rule(request=REQUESTS)
    def count(self, request: Request) -> None:
        counted = self.ledger.count(request, 3)
        names = [f"trial {number}" for number in range(3)]
        assert [self._fits(name, request) for name in names].count(True) == counted
        for name in names[:counted]:
            assert self.ledger.unbook(name)

    def _fits(self, claim: str, request: Request) -> bool:
        try:
            self.ledger.book(claim, request)
        except NoFit:
            return False
        return True

    @invariant()
    def sums_are_those_of_the_model(self) -> None:
        usage = self.ledger.usage()
        for resource in ("vcpus", "memory_mib", "disk_mib", "slots"):
            account = usage.counters.get(resource) or getattr(usage, resource)
            used = self.model.used(resource)
            assert account.used == used <= capacity(self.model.inventory, resource)
        assert sum(pool.free for pool in self.ledger.pools()) == len(self.model.free_devices())

    @invariant()
    def an_audit_finds_nothing(self) -> None:
        assert self.ledger.snapshot().audit(self.model.bookings.items()) == []


LedgerHistory.TestCase.settings = settings(
    max_examples=2000 if DEEP else 150,
    stateful_step_count=30 if DEEP else 12,
    deadline=timedelta(seconds=2),
)
TestLedgerHistory = LedgerHistory.TestCase
