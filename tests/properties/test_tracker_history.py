"""Random histories of one host: every step a claim or a move can take, deaths at any of them, hosts that
change, clocks that are set. After each, ledger, store and model say the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.nova_agreement import disagreements
from tests.properties.mortal_tracker import NODE, Fate, MortalTracker, Step
from tests.properties.tracker_model import Held, TrackerModel

from innkeeper.config import Config
from innkeeper.errors import InnkeeperError, NoFit, Undecided, UnknownSubject
from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    CordonKind,
    Departure,
    DeviceRequest,
    GuestCell,
    GuestTopology,
    Holder,
    MoveKind,
    MoveSpec,
    MoveState,
    Placement,
    Request,
)
from innkeeper.tracker import Tracker

DEEP = "TEST_INNKEEPER_DEEP" in os.environ
BY = Holder(user="ann")
LIVE = frozenset({ClaimState.PENDING, ClaimState.CONFIRMED})
INSTANCES = [UUID(int=0xA << 96 | number) for number in range(5)]
#: What an audit must never find: ledger and store are one.
TORN = {"booked_not_stored", "stored_not_booked", "placement_differs"}
OF_CLOCKS = {"report_in_future", "report_stale"}
"""What is rightly told once somebody set the clock."""

WHOLE = "cpus=16,cells=2,threads=2,memory=16GiB,pages_2m=1024,pfs=2,vfs=4,gpus=1"
HOSTS = [
    WHOLE,
    f"{WHOLE},pf1.plugged=no",
    f"{WHOLE},pf0.vfs=2",
    f"{WHOLE},offline=14-15",
    WHOLE.replace("memory=16GiB", "memory=8GiB"),
]
CONFIG: dict[str, Any] = {
    "devices": [{}],
    "reserved": {"memory_mib": 0},
    "cpus": {"shared": "0-5,8-9", "dedicated": "6-7,10-15"},
}

FATES = st.sampled_from([*[Fate.LIVES] * 14, Fate.DIES_BEFORE, Fate.DIES_AFTER])
PICKS = st.integers(0, 2**16)
KINDS = st.sampled_from(list(MoveKind))
OUTCOMES = st.sampled_from([MoveState.CONFIRMED, MoveState.REVERTED, MoveState.FAILED])
LEASES = st.sampled_from([None, None, 60.0, 3000.0])


def plain(vcpus: int, memory_mib: int, disk_mib: int | None) -> Request:
    return Request(vcpus=vcpus, memory_mib=memory_mib, disk_mib=disk_mib)


def of_cells(cells: int, shared: int, dedicated: int, pages: int | None) -> Request:
    """Guest cells alike: the first vCPUs of each float, the others have a CPU each."""
    each = shared + dedicated
    spans = [range(first, first + each) for first in range(0, cells * each, each)]
    return Request(
        vcpus=cells * each,
        memory_mib=cells * 256,
        topology=GuestTopology(
            cells=tuple(
                GuestCell(
                    shared=",".join(map(str, span[:shared])),
                    dedicated=",".join(map(str, span[shared:])),
                    memory_mib=256,
                )
                for span in spans
            ),
            pages=pages,
        ),
    )


def with_devices(request: Request, kinds: list[str]) -> Request:
    devices = (DeviceRequest(alternatives=({"dev_type": kind},)) for kind in kinds)
    return request.model_copy(update={"devices": tuple(devices)})


PLAIN = st.builds(
    plain, st.integers(1, 4), st.integers(1, 4096), st.sampled_from([None, 1024, 65_536])
)
OF_CELLS = st.builds(
    of_cells,
    st.integers(1, 2),
    st.integers(0, 1),
    st.integers(1, 2),
    st.sampled_from([None, 2048]),
)
DEVICES = st.lists(st.sampled_from(["type-VF", "type-VF", "type-PF", "type-PCI"]), max_size=2)
REQUESTS = st.builds(with_devices, st.one_of(PLAIN, OF_CELLS), DEVICES)
CORDONS = st.sampled_from(
    [
        (CordonKind.HOST, NODE),
        (CordonKind.CELL, "1"),
        (CordonKind.CPU, "7"),
        (CordonKind.DEVICE, "0000:01:00.0"),
    ]
)


class TrackerHistory(RuleBasedStateMachine):
    """Takes a step with the tracker and with the model, which refuse the same and then hold the same."""

    @initialize(tables=st.sampled_from(["none", "none", "embedded"]))
    def start(self, tables: str) -> None:
        config = Config.model_validate({**CONFIG, "nova": {"tables": tables}})
        self.embedded = tables == "embedded"
        self.mortal = MortalTracker(config, WHOLE)
        self.model = TrackerModel(self.mortal.clock.now)
        self.numbers = count(1)
        self.moves: list[UUID] = []
        self.cordons: set[tuple[CordonKind, str]] = set()
        self.clock_was_set = False

    def teardown(self) -> None:
        if hasattr(self, "mortal"):
            try:
                self._everything_with_a_time_ends()
            finally:
                self.mortal.close()

    def take(self, step: Step, expected: Callable[[TrackerModel], None], fate: Fate) -> bool:
        """Whether it was done; both refuse it for the same reason, or the host had no room."""
        after = self.model.fork()
        refusal = refused_by(partial(expected, after))
        durable: list[bool] = []
        said = refused_by(lambda: durable.append(self.mortal.take(step, fate)))
        assert said is refusal or said in (NoFit, Undecided)
        if durable == [True]:
            self.model = after
        return durable == [True]

    # -- steps of claims -----------------------------------------------------------------------

    @rule(request=REQUESTS, instance=st.sampled_from([None, *INSTANCES]), lease=LEASES, fate=FATES)
    def place(
        self, request: Request, instance: UUID | None, lease: float | None, fate: Fate
    ) -> None:
        self._place([self._spec(request, instance, lease)], fate)

    @rule(requests=st.lists(REQUESTS, min_size=2, max_size=3), first=PICKS, fate=FATES)
    def place_all(self, requests: list[Request], first: int, fate: Fate) -> None:
        """Of several instances, or of one twice, which is refused."""
        instances = [None, *INSTANCES][first % 4 :]
        self._place(
            [self._spec(*one, None) for one in zip(requests, instances, strict=False)], fate
        )

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICKS, fate=FATES)
    def confirm(self, pick: int, fate: Fate) -> None:
        claim_id = self._pick(pick)
        self.take(_confirm(claim_id), lambda model: model.confirm(claim_id), fate)

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICKS, lease=LEASES, fate=FATES)
    def renew(self, pick: int, lease: float | None, fate: Fate) -> None:
        claim_id = self._pick(pick)

        async def step(tracker: Tracker) -> None:
            await tracker.renew(claim_id, by=BY, lease_seconds=lease)

        self.take(step, lambda model: model.renew(claim_id, lease), fate)

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICKS, times=st.integers(1, 3), fate=FATES)
    def update(self, pick: int, times: int, fate: Fate) -> None:
        """So many vCPUs for each guest cell, or in all."""
        claim_id = self._pick(pick)
        request = self.model.claims[claim_id].request
        cells = len(request.topology.cells) if request.topology is not None else 1
        change = ClaimUpdate(vcpus=times * cells)

        async def step(tracker: Tracker) -> None:
            await tracker.update(claim_id, change, by=BY)

        self.take(step, lambda model: model.update(claim_id, change), fate)

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICKS, fate=FATES)
    def abort(self, pick: int, fate: Fate) -> None:
        claim_id = self._pick(pick)

        async def step(tracker: Tracker) -> None:
            await tracker.abort(claim_id, by=BY)

        self.take(step, lambda model: model.abort(claim_id), fate)

    @precondition(lambda self: self.model.claims or self.model.spent)
    @rule(pick=PICKS, fate=FATES)
    def release(self, pick: int, fate: Fate) -> None:
        """Also what ended before."""
        claim_id = self._pick(pick, [*self.model.claims, *self.model.spent])
        self.take(_release(claim_id), lambda model: model.release(claim_id), fate)

    @rule(instance=st.sampled_from(INSTANCES), fate=FATES)
    def release_instance(self, instance: UUID, fate: Fate) -> None:
        self.take(_release(instance), lambda model: model.release_instance(instance), fate)

    # -- steps of moves ------------------------------------------------------------------------

    @rule(request=REQUESTS, instance=st.sampled_from(INSTANCES), fate=FATES)
    def resize_here(self, request: Request, instance: UUID, fate: Fate) -> None:
        move = self._move_spec(MoveKind.RESIZE, None)
        self._place([self._spec(request, instance, None, move)], fate)

    @rule(request=REQUESTS, instance=st.sampled_from(INSTANCES), kind=KINDS, fate=FATES)
    def arrive(self, request: Request, instance: UUID, kind: MoveKind, fate: Fate) -> None:
        move = self._move_spec(kind, "elsewhere")
        self._place([self._spec(request, instance, None, move)], fate)

    @precondition(lambda self: self.model.claims)
    @rule(pick=PICKS, kind=KINDS, fate=FATES)
    def depart(self, pick: int, kind: MoveKind, fate: Fate) -> None:
        claim_id = self._pick(pick)
        departure = Departure(id=self._new_move(), kind=kind, destination="elsewhere")

        async def step(tracker: Tracker) -> None:
            await tracker.depart(claim_id, departure, by=BY)

        self.take(step, lambda model: model.depart(claim_id, departure), fate)

    @precondition(lambda self: any(held.is_arriving for held in self.model.claims.values()))
    @rule(pick=PICKS, fate=FATES)
    def confirm_what_arrives(self, pick: int, fate: Fate) -> None:
        arriving = [it for it, held in self.model.claims.items() if held.is_arriving]
        claim_id = self._pick(pick, arriving)
        self.take(_confirm(claim_id), lambda model: model.confirm(claim_id), fate)

    @precondition(lambda self: self.moves)
    @rule(pick=PICKS, outcome=OUTCOMES, fate=FATES)
    def settle(self, pick: int, outcome: MoveState, fate: Fate) -> None:
        """Also a move that was settled before, and one that never began."""
        move_id = self._pick(pick, self.moves[-4:])

        async def step(tracker: Tracker) -> None:
            await SETTLING[outcome](tracker, move_id, by=BY)

        self.take(step, lambda model: model.settle(move_id, outcome), fate)

    # -- what happens to the host --------------------------------------------------------------

    @rule(spec=st.sampled_from([WHOLE, *HOSTS]), full=st.booleans())
    def host_changes(self, spec: str, full: bool) -> None:  # noqa: FBT001 - drawn
        self.mortal.become(spec)
        self.audit(full)

    @rule(full=st.booleans())
    def audit(self, full: bool) -> None:  # noqa: FBT001 - drawn
        report = self.mortal.run(partial(self.mortal.tracker.audit, full=full))
        found = {finding.kind for finding in report.findings}
        assert not found & TORN, report.findings
        if self.clock_was_set:
            found -= OF_CLOCKS
        if self.mortal.is_whole and not self.cordons:
            assert not found, report.findings

    @rule(cordon=CORDONS)
    def cordon(self, cordon: tuple[CordonKind, str]) -> None:
        tracker = self.mortal.tracker
        try:
            self.mortal.run(partial(tracker.cordon, *cordon, reason="a test", by=BY))
        except UnknownSubject:
            assert not self.mortal.is_whole
        else:
            self.cordons.add(cordon)

    @precondition(lambda self: self.cordons)
    @rule(pick=PICKS)
    def uncordon(self, pick: int) -> None:
        cordon = sorted(self.cordons)[pick % len(self.cordons)]
        self.mortal.run(partial(self.mortal.tracker.uncordon, *cordon, by=BY))
        self.cordons.remove(cordon)

    @rule(seconds=st.sampled_from([0.5, 61.0, 601.0, 2999.0]))
    def time_passes(self, seconds: float) -> None:
        self.mortal.run(partial(self.mortal.clock.advance, seconds))

    @rule(seconds=st.sampled_from([-3600.0, -30.0, 30.0, 3600.0]))
    def clock_is_set(self, seconds: float) -> None:
        self.mortal.clock.ahead += seconds
        self.clock_was_set = True

    @rule()
    def process_dies(self) -> None:
        self.mortal.die()

    # -- what must be true ---------------------------------------------------------------------

    @invariant()
    def all_say_the_same(self) -> None:
        live, stored = self.mortal.run(self._look)
        self._follow_time({claim.id for claim in live})
        assert {claim.id: told(claim) for claim in live} == {
            claim_id: expected(held) for claim_id, held in self.model.claims.items()
        }
        assert stored == live
        self._ledger_is_their_sum(live)
        cordons = {(one.kind, one.subject) for one in self.mortal.tracker.cordons()}
        assert cordons == self.cordons
        if self.embedded:
            found = disagreements(self.mortal.database, live)
            assert not found, found

    async def _look(self) -> tuple[tuple[Claim, ...], tuple[Claim, ...]]:
        """Once everything is quiet: the claims in memory, and those on disk."""
        await self.mortal.calm_down()
        live = await self.mortal.tracker.list_claims(limit=1000)
        return live, await self.mortal.store.list_claims(states=LIVE, limit=1000)

    def _follow_time(self, live: set[UUID]) -> None:
        """What is over by the wall clock may have lapsed, and has where nobody set that clock."""
        now = self.model.now()
        for claim_id in list(self.model.claims):
            held = self.model.claims.get(claim_id)
            if held is None or held.expires_at is None or held.expires_at > now:
                continue
            assert self.clock_was_set or claim_id not in live, "it should have lapsed"
            if claim_id not in live:
                self.model.lapse(claim_id)

    def _ledger_is_their_sum(self, live: tuple[Claim, ...]) -> None:
        ledger = self.mortal.tracker._parts.ledger
        placed = [claim.placement for claim in live]
        differences = ledger.snapshot().audit([(str(claim.id), claim.placement) for claim in live])
        assert not {one.kind for one in differences} & TORN, differences
        usage = self.mortal.tracker.usage()
        assert usage.claims == len(live)
        for name in ("vcpus", "memory_mib", "disk_mib"):
            assert getattr(usage, name).used == sum(getattr(one, name) for one in placed)
        alone = [thing for one in placed for thing in exclusive(one)]
        assert len(alone) == len(set(alone)), "two claims hold one thing"
        for claim in live:
            assert vcpus_of(claim.placement) == claim.request.vcpus

    def _everything_with_a_time_ends(self) -> None:
        """However the clock was set: once for what it was set back by, and once for the rest."""
        for _ in range(2):
            self.mortal.run(partial(self.mortal.clock.advance, 10_000_000))
            live, _ = self.mortal.run(self._look)
        assert [claim.id for claim in live if claim.expires_at is not None] == []

    # -- by the way ----------------------------------------------------------------------------

    def _place(self, specs: list[ClaimSpec], fate: Fate) -> None:
        async def step(tracker: Tracker) -> None:
            if len(specs) == 1:
                await tracker.place(specs[0])
            else:
                await tracker.place_all(specs)

        def expected(model: TrackerModel) -> None:
            for spec in specs:
                model.require_place(spec)
                assert spec.claim_id is not None
                model.place(spec.claim_id, spec)

        placed = self.take(step, expected, fate)
        if placed and self.mortal.is_whole and not self.cordons:
            self._host_has_it_all()

    def _host_has_it_all(self) -> None:
        """What was just given was there; after a host lost something, more may be held than it has."""
        usage = self.mortal.tracker.usage()
        for amounts in (usage.vcpus, usage.memory_mib, usage.disk_mib):
            assert amounts.used <= amounts.capacity

    def _spec(
        self,
        request: Request,
        instance: UUID | None,
        lease: float | None,
        move: MoveSpec | None = None,
    ) -> ClaimSpec:
        return ClaimSpec(
            claim_id=UUID(int=0xC << 96 | next(self.numbers)),
            instance_uuid=instance,
            request=request,
            holder=BY,
            lease_seconds=lease,
            move=move,
        )

    def _move_spec(self, kind: MoveKind, source: str | None) -> MoveSpec:
        return MoveSpec(id=self._new_move(), kind=kind, source=source)

    def _new_move(self) -> UUID:
        self.moves.append(UUID(int=0xE << 96 | next(self.numbers)))
        return self.moves[-1]

    def _pick(self, pick: int, of: list[UUID] | None = None) -> UUID:
        ids = sorted(self.model.claims if of is None else of)
        return ids[pick % len(ids)]


SETTLING = {
    MoveState.CONFIRMED: Tracker.confirm_move,
    MoveState.REVERTED: Tracker.revert_move,
    MoveState.FAILED: Tracker.fail_move,
}


def refused_by(step: Callable[[], None]) -> type[InnkeeperError] | None:
    """The class of what a step of the model is refused with."""
    try:
        step()
    except InnkeeperError as refusal:
        return type(refusal)
    return None


def _confirm(ref: UUID) -> Step:
    async def step(tracker: Tracker) -> None:
        await tracker.confirm(ref, by=BY)

    return step


def _release(ref: UUID) -> Step:
    async def step(tracker: Tracker) -> None:
        await tracker.release(ref, by=BY)

    return step


def told(claim: Claim) -> tuple[object, ...]:
    """What the tracker says of a claim that the model knows too."""
    move = claim.move
    part = None if move is None else (move.id, move.side, move.state)
    return claim.state, claim.instance_uuid, claim.request, claim.expires_at, part


def expected(held: Held) -> tuple[object, ...]:
    """The same of the model."""
    move = held.move
    part = None if move is None else (move.id, move.side, move.state)
    return held.state, held.instance, held.request, held.expires_at, part


def exclusive(placement: Placement) -> Iterator[str]:
    """What is one claim's alone."""
    for cell in placement.cells:
        yield from (f"cpu {cpu}" for cpu in cell.pins.values())
    yield from (device.address for device in placement.devices)


def vcpus_of(placement: Placement) -> int:
    return placement.vcpus + sum(len(cell.pins) for cell in placement.cells)


TrackerHistory.TestCase.settings = settings(
    max_examples=500 if DEEP else 12,
    stateful_step_count=50 if DEEP else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestTrackerHistory = pytest.mark.timeout(3600)(TrackerHistory.TestCase)
