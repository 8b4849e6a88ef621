"""The host starts anew: claims stay, and one finding says how many were not touched since."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from tests.daemon import client_of, running
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.test_running import FakeHypervisor
from tests.unit.cli.program import CommandLine
from tests.unit.store.made import START, made_claim

from innkeeper.objects import (
    Claim,
    ClaimSpec,
    ClaimState,
    ClaimUpdate,
    EventKind,
    Finding,
    Holder,
    PowerState,
    Request,
)
from innkeeper.tracker import Tracker

EVE = Holder(user="eve")
FIRST, SECOND = "cpus=8,memory=16GiB", "cpus=8,memory=16GiB,boot=1"


async def confirmed(tracker: Tracker, number: int) -> Claim:
    spec = ClaimSpec(instance_uuid=UUID(int=number), request=Request(vcpus=1), lease_seconds=9e5)
    return await tracker.confirm((await tracker.place(spec)).claim.id, by=EVE)


async def rebooted(tracker: Tracker) -> Finding | None:
    found = (await tracker.audit()).findings
    assert [one.kind for one in found] in ([], ["rebooted"])
    return found[0] if found else None


async def test_one_finding_counts_down_until_every_claim_was_touched(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(FIRST) as tracker:
        claims = [await confirmed(tracker, number) for number in range(1, 5)]
        await tracker.place(ClaimSpec(request=Request(vcpus=1)))
        assert await rebooted(tracker) is None
    await clock.advance(60)
    async with make_tracker(SECOND) as tracker:
        assert tracker.usage().claims == 5
        assert tracker.booted_at == clock.now()
        found = await rebooted(tracker)
        assert found is not None
        assert "4 of 5 claims were confirmed before" in found.message
        await clock.advance(1)
        again = await tracker.confirm(claims[0].id, by=EVE)
        assert (again.state, again.updated_at) == (ClaimState.CONFIRMED, clock.now())
        assert await tracker.confirm(claims[0].id, by=EVE) == again
        await tracker.renew(claims[1].id, by=EVE)
        await tracker.update(claims[2].id, ClaimUpdate(vcpus=2), by=EVE)
        less = await rebooted(tracker)
        assert less is not None
        assert (less.id, less.observed) == (found.id, "1")
    async with make_tracker(SECOND) as tracker:
        assert await rebooted(tracker) is not None
        await tracker.release(claims[3].id, by=EVE)
        assert await rebooted(tracker) is None
        kinds = [one.kind for one in await tracker.list_events()]
        assert kinds.count(EventKind.REBOOTED) == 1


async def test_a_person_may_say_that_all_is_well(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    async with make_tracker(FIRST) as tracker:
        claim = await confirmed(tracker, 1)
    await clock.advance(60)
    async with make_tracker(SECOND) as tracker:
        found = await rebooted(tracker)
        assert found is not None
        await tracker.repair(found.id, by=EVE)
        assert tracker.booted_at is None
        assert await rebooted(tracker) is None
        await confirmed(tracker, 2)
    async with make_tracker(SECOND) as tracker:
        assert await rebooted(tracker) is None
        assert await tracker.find(claim.id) == claim
    await clock.advance(60)
    async with make_tracker(f"{FIRST},boot=2") as tracker:
        assert await rebooted(tracker) is not None


async def test_a_hypervisor_tells_which_run_again(
    make_tracker: MakeTracker, clock: VirtualClock
) -> None:
    hypervisor = FakeHypervisor()
    async with make_tracker(FIRST, hypervisor=hypervisor) as tracker:
        for number in (1, 2):
            await confirmed(tracker, number)
            hypervisor.run(UUID(int=number), vcpus=1, memory_mib=64)
    await clock.advance(60)
    hypervisor.run(UUID(int=2), state=PowerState.OFF)
    async with make_tracker(SECOND, hypervisor=hypervisor) as tracker:
        found = await rebooted(tracker)
        assert found is not None
        assert found.observed == "1"
        hypervisor.run(UUID(int=2))
        assert await rebooted(tracker) is None


def test_that_a_claim_is_of_an_earlier_boot_is_told_by_its_last_change() -> None:
    claim = made_claim(1, ClaimState.CONFIRMED, updated_at=START)
    assert claim.is_of_earlier_boot(START + timedelta(seconds=1))
    assert not claim.is_of_earlier_boot(START)
    assert not claim.is_of_earlier_boot(None)


def test_claims_of_an_earlier_boot_are_marked(short_dir: Path) -> None:
    options = {"state_dir": short_dir / "state", "socket_path": short_dir / "api.sock"}
    innkeeper = CommandLine({"INNKEEPER_SOCKET": str(short_dir / "api.sock")})
    with (
        running({**options, "simulate": FIRST}),
        client_of(short_dir / "api.sock") as client,
    ):
        claim = client.post("/v1/claims", json={"name": "db", "request": {"vcpus": 1}}).json()
        client.post(f"/v1/claims/{claim['id']}/confirm")
    with (
        running({**options, "simulate": SECOND}),
        client_of(short_dir / "api.sock") as client,
    ):
        page = client.get("/v1/claims").json()
        assert page["booted_at"] > page["claims"][0]["updated_at"]
        for word in ("claims", "show"):
            assert "confirmed before boot" in innkeeper(word).out
        client.post(f"/v1/claims/{claim['id']}/confirm")
        for word in ("claims", "show"):
            assert "before boot" not in innkeeper(word).out
