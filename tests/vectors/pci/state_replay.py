"""Replay of single steps of Nova's state machine of devices: a real ledger, and what follows from it.

Every status that a row starts from is taken for what it says of bookings: held, not held, or gone. The
answer is what statuses follow from the bookings after the step. Nova's own answer may rest on stored
statuses that no bookings lead to; then it is looked up for the statuses that they do lead to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

from tests.vectors.rows import Row, read_rows
from tests.vectors.verdicts import DIFFERENT, SAME, Verdict

from innkeeper import _core
from innkeeper.errors import NoFit
from innkeeper.objects import (
    Claim,
    ClaimState,
    Device,
    DeviceRequest,
    Holder,
    Inventory,
    PciKind,
    PlacedDevice,
    Placement,
    Quantity,
    Request,
)
from innkeeper.requests.admission import Admission
from innkeeper.tracker.convert import placement_object
from innkeeper.tracker.nova.device_book import DeviceBook
from innkeeper.tracker.nova.device_status import status_of
from innkeeper.tracker.nova.pools import DEV_TYPES

RECORDED = Path(__file__).parents[2] / "data" / "vectors" / "pci" / "state_machine.jsonl.gz"

HELD = {"claimed": ClaimState.PENDING, "allocated": ClaimState.CONFIRMED}
GONE = ("removed", "deleted")
PF, FIRST, SECOND = "0000:05:00.0", "0000:05:02.0", "0000:05:02.1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNERS = {"A": UUID(int=0xA), "B": UUID(int=0xB)}

Statuses = tuple[str, ...]


def _device(address: str, product: str, kind: PciKind, parent: str | None = None) -> Device:
    return Device(address=address, vendor_id="8086", product_id=product, kind=kind, parent=parent)


def _family(kind: PciKind) -> tuple[Device, ...]:
    """A PF and two VFs."""
    return (
        _device(PF, "0000", PciKind.PF),
        _device(FIRST, "0001", kind, PF),
        _device(SECOND, "0002", kind, PF),
    )


def _from_vf(kind: PciKind) -> tuple[Device, ...]:
    parent, vf, sibling = _family(kind)
    return vf, parent, sibling


#: In the order of a row's statuses, the device that the step is about first.
SHAPES: Mapping[str, tuple[Device, ...]] = {
    "pci": (_device(PF, "0000", PciKind.PCI),),
    "vf-orphan": (_device(PF, "0000", PciKind.VF, "0000:06:00.0"),),
    "pf-childless": (_device(PF, "0000", PciKind.PF),),
    "pf": _family(PciKind.VF),
    "vf": _from_vf(PciKind.VF),
    "vdpa": _from_vf(PciKind.VDPA),
}


@dataclass(frozen=True)
class Answer:
    """What is there after a step."""

    after: Statuses
    owner: str | None
    freed: frozenset[str] | None = None
    """Null where Nova does not tell."""

    def but_for(self, shape: str, places: Sequence[int]) -> Answer:
        """Without some of the devices."""
        after = tuple("" if place in places else one for place, one in enumerate(self.after))
        addresses = {SHAPES[shape][place].address for place in places}
        freed = None if self.freed is None else self.freed - addresses
        return Answer(after, self.owner, freed)


class World:
    """A host on which Nova's statuses were taken for what they say of bookings."""

    def __init__(self, shape: str, before: Statuses) -> None:
        self.devices = SHAPES[shape]
        self.offered = [one for one, s in zip(self.devices, before, strict=True) if s not in GONE]
        self.book, self.claims = DeviceBook(Admission()), {}
        self.ledger = _core.Ledger(self.inventory())
        self.book.observe(tuple(self.offered))
        for number, (device, status) in enumerate(zip(self.devices, before, strict=True)):
            if status in HELD:
                self.keep(_claim(number, "A", HELD[status], _holding(device)))
        self.ledger.restore([(str(one.id), one.placement) for one in self.claims.values()])

    claims: dict[str, Claim]
    """By the address of what they hold."""

    def inventory(self) -> Inventory:
        nothing = Quantity(total=0)
        return Inventory(
            vcpus=nothing, memory_mib=nothing, disk_mib=nothing, devices=tuple(self.offered)
        )

    @property
    def subject(self) -> Device:
        return self.devices[0]

    def keep(self, claim: Claim) -> None:
        for placed in claim.placement.devices:
            self.claims[placed.address] = claim
        self.book.follow(claim)

    def statuses(self) -> Statuses:
        return tuple(status_of(self.book.facts(one.address)) for one in self.devices)

    def free(self) -> frozenset[str]:
        addresses = (one.address for one in self.devices)
        pairs = zip(addresses, self.statuses(), strict=True)
        return frozenset(address for address, status in pairs if status == "available")

    def owner(self) -> str | None:
        claim = self.claims.get(self.subject.address)
        return claim.holder.user if claim is not None else None

    def do(self, operation: str) -> None:
        verb, _, who = operation.partition("_")
        match verb:
            case "claim":
                self.claim("B")
            case "allocate":
                self.allocate({"owner": "A", "other": "B"}[who])
            case "free":
                self.release({"any": None, "owner": "A", "other": "B"}[who])
            case "remove":
                self.remove()

    def claim(self, user: str) -> Claim | None:
        """Book the device; null when it is refused."""
        kind = {"product_id": self.subject.product_id, "dev_type": DEV_TYPES[self.subject.kind]}
        request = Request(devices=(DeviceRequest(alternatives=(kind,)),))
        try:
            placement = self.ledger.book(str(UUID(int=99)), request)
        except NoFit:
            return None
        claim = _claim(99, user, ClaimState.PENDING, placement_object(placement))
        self.keep(claim)
        return claim

    def allocate(self, user: str) -> None:
        """Confirm what the user holds; what nobody holds is claimed before."""
        held = self.claims.get(self.subject.address) or self.claim(user)
        if held is not None and held.holder.user == user:
            self.keep(held.model_copy(update={"state": ClaimState.CONFIRMED}))

    def release(self, user: str | None) -> None:
        """Give it back, for whoever holds it when no user is named."""
        held = self.claims.get(self.subject.address)
        if held is None or user not in (None, held.holder.user):
            return
        del self.claims[self.subject.address]
        self.ledger.unbook(str(held.id))
        self.book.follow(held.model_copy(update={"state": ClaimState.RELEASED}))

    def remove(self) -> None:
        """It leaves the host."""
        self.offered = [one for one in self.offered if one is not self.subject]
        self.ledger.observe(self.inventory())
        self.book.observe(tuple(self.offered))


def _claim(number: int, user: str, state: ClaimState, placement: Placement) -> Claim:
    return Claim(
        id=UUID(int=number),
        node="host",
        state=state,
        instance_uuid=OWNERS[user],
        holder=Holder(user=user),
        request=Request(),
        placement=placement,
        fingerprint="",
        created_at=NOW,
        updated_at=NOW,
    )


def _holding(device: Device) -> Placement:
    placed = PlacedDevice(
        address=device.address,
        vendor_id=device.vendor_id,
        product_id=device.product_id,
        parent=device.parent,
    )
    return Placement(devices=(placed,))


# -- the verdict -----------------------------------------------------------------------------------


def judge_state(row: Row) -> Verdict:
    """Compare with what innkeeper answers from the bookings alone."""
    before, shape = tuple(row["before"]), row["shape"]
    ours = answer(shape, before, row["op"])
    if ours == recorded(row, ours):
        return SAME, ""
    if _is_doubly_held(shape, before):
        return _judge_doubly_held(shape, before, ours)
    gone = [place for place, status in enumerate(before) if place and status in GONE]
    theirs = recorded(_rows()[shape, as_derived(shape, before), row["op"]], ours)
    left = (ours.but_for(shape, gone), theirs.but_for(shape, gone))
    if not all(ours.after[place] == "removed" for place in gone):
        return DIFFERENT, f"{ours}: what is gone is back"
    if _are_alike(shape, row["op"], *left):
        return "firmest-hold", ""
    if left[0] != left[1] or as_derived(shape, before) == before:
        return DIFFERENT, f"{ours}; Nova, from what bookings lead to, {theirs}"
    there = _rows()[shape, with_the_gone(shape, before), row["op"]]
    return "statuses-follow" if recorded(there, ours) == ours else "gone-bars-nobody", ""


def _are_alike(shape: str, operation: str, ours: Answer, theirs: Answer) -> bool:
    """Whether a device was freed and its PF is barred here by what is still held, there as before."""
    pairs = list(zip(ours.after, theirs.after, strict=True))
    if not operation.startswith("free") or (ours.owner, ours.freed) != (theirs.owner, theirs.freed):
        return False
    differing = [(place, *pair) for place, pair in enumerate(pairs) if pair[0] != pair[1]]
    barred = all(pair == (1, "unclaimable", "unavailable") for pair in differing)
    return bool(differing) and barred and shape in ("vf", "vdpa") and "claimed" in ours.after[2:]


def answer(shape: str, before: Statuses, operation: str) -> Answer:
    """Ours."""
    world = World(shape, before)
    free = world.free()
    world.do(operation)
    freed = world.free() - free if operation.startswith("free") else None
    return Answer(world.statuses(), world.owner(), freed or None)


def recorded(row: Row, ours: Answer) -> Answer:
    """Nova's; a row's end is no status of ours, and what an owner may be is told of the first alone."""
    after = tuple("removed" if one == "deleted" else one for one in row["after"])
    owner = row["owner"] if after[0] in HELD else None
    freed = frozenset(row["freed"]) if "freed" in row else None
    return Answer(after, owner, freed if ours.freed is not None else None)


def with_the_gone(shape: str, before: Statuses) -> Statuses:
    """What the bookings lead to for those that are there, and the others as gone as they are.

    Where Nova answers from these as innkeeper does, what is gone made no difference.
    """
    derived = World(shape, before).statuses()
    pairs = zip(before, derived, strict=True)
    return tuple(was if was in GONE else now for was, now in pairs)


def as_derived(shape: str, before: Statuses) -> Statuses:
    """The statuses that the bookings lead to, were every relative there."""
    here = tuple(
        "available" if place and status in GONE else status for place, status in enumerate(before)
    )
    derived = World(shape, here).statuses()
    return (before[0] if before[0] in GONE else derived[0], *derived[1:])


def _is_doubly_held(shape: str, before: Statuses) -> bool:
    """Whether a PF and a VF of it are both held."""
    held = [one for one, status in zip(SHAPES[shape], before, strict=True) if status in HELD]
    return any(one.kind is PciKind.PF for one in held) and len(held) > 1


def _judge_doubly_held(shape: str, before: Statuses, ours: Answer) -> Verdict:
    """No claims lead there: once one is held, the other is refused; and whoever holds one keeps it."""
    world = World(shape, tuple("available" for _ in before))
    for device, status in zip(SHAPES[shape], before, strict=True):
        if status in HELD:
            world.devices = (device, *(one for one in SHAPES[shape] if one is not device))
            claim = _claim(int(device.product_id), "A", ClaimState.PENDING, _holding(device))
            if world.claim("A") is None:
                kept = zip(before[1:], ours.after[1:], strict=True)
                if all(now == then for then, now in kept if then in HELD):
                    return "pf-or-vfs", ""
                return DIFFERENT, f"{ours}: a holder lost its device"
            world.ledger.unbook(str(UUID(int=99)))
            world.ledger.restore([(str(claim.id), claim.placement)])
    return DIFFERENT, "a PF and its VF could both be claimed"


@cache
def _rows() -> dict[tuple[str, Statuses, str], Row]:
    """Every recorded row, by what it starts from."""
    return dict(_keyed(read_rows(RECORDED)))


def _keyed(rows: Iterator[Row]) -> Iterator[tuple[tuple[str, Statuses, str], Row]]:
    for row in rows:
        yield (row["shape"], tuple(row["before"]), row["op"]), row
