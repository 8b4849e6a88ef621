"""Claims by the operator's names: the ledger knows what they stand for, the claim keeps the words."""

from __future__ import annotations

from uuid import UUID

import anyio
import pytest
from tests.scenario.conftest import MakeTracker
from tests.scenario.hosts import SPEC

from innkeeper.config import Config
from innkeeper.errors import BadRequest, ClaimConflict, NoFit
from innkeeper.objects import ClaimSpec, DeviceRequest, Request
from innkeeper.tracker import Placed, Tracker

ALIASES = [
    {"name": "nic", "vendor_id": "8086", "product_id": "1889"},
    {"name": "gpu", "vendor_id": "10de", "product_id": "24b0"},
]
NAMED = Config.model_validate({"devices": [{}], "aliases": ALIASES})
CLAIM_ID = UUID("22222222-2222-4222-8222-222222222222")


@pytest.fixture
def config() -> Config:
    return NAMED


def by_name(name: str, count: int = 1) -> Request:
    return Request(devices=(DeviceRequest(alias=name, count=count),))


async def test_a_claim_by_name_holds_devices_and_keeps_the_words(make_tracker: MakeTracker) -> None:
    words = by_name("nic", 3)
    async with make_tracker(SPEC) as tracker:
        assert tracker.count(words) == 1
        assert len(tracker.fit(words).devices) == 3
        claim = (await tracker.place(ClaimSpec(request=words))).claim
        assert {device.product_id for device in claim.placement.devices} == {"1889"}
        assert claim.request == words
    async with make_tracker(SPEC) as tracker:
        assert (await tracker.find(claim.id)).request == words
        assert tracker.usage().devices.used == 3


async def test_what_would_fit_is_told_in_the_callers_words(make_tracker: MakeTracker) -> None:
    async with make_tracker(SPEC) as tracker:
        with pytest.raises(NoFit) as not_fit:
            tracker.fit(by_name("nic", 9))
        with pytest.raises(NoFit) as not_placed:
            await tracker.place(ClaimSpec(request=by_name("nic", 9)))
        for refused in (not_fit, not_placed):
            assert refused.value.details["nearest"] == by_name("nic", 4)


async def test_a_name_that_nobody_gave_is_refused_with_those_that_there_are(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker(SPEC) as tracker:
        unknown = by_name("gpus")
        with pytest.raises(BadRequest, match="gpu"):
            await tracker.place(ClaimSpec(request=unknown))
        with pytest.raises(BadRequest, match="gpu"):
            await tracker.place(ClaimSpec(request=unknown), wait_seconds=5)
        with pytest.raises(BadRequest, match="gpu"):
            tracker.fit(unknown)
        with pytest.raises(BadRequest, match="gpu"):
            tracker.count(unknown)
        with pytest.raises(BadRequest) as refused:
            await tracker.place_all([ClaimSpec(request=by_name("gpu")), ClaimSpec(request=unknown)])
        assert refused.value.details["index"] == 1
        assert tracker.usage().claims == 0


async def test_the_same_words_find_the_claim_after_the_name_is_gone(
    make_tracker: MakeTracker,
) -> None:
    spec = ClaimSpec(claim_id=CLAIM_ID, request=by_name("gpu"))
    async with make_tracker(SPEC) as tracker:
        first = await tracker.place(spec)
        await tracker.reconfigure(Config.model_validate({"devices": [{}]}))
        again = await tracker.place(spec)
        assert (again.replayed, again.claim) == (True, first.claim)
        with pytest.raises(ClaimConflict):
            await tracker.place(spec.model_copy(update={"request": by_name("nic")}))
        assert (await tracker.audit()).findings == ()


async def test_who_waits_for_a_name_is_served_by_what_it_stands_for_now(
    make_tracker: MakeTracker,
) -> None:
    answers: list[Placed | BadRequest] = []

    async def wait(tracker: Tracker, words: Request) -> None:
        try:
            answers.append(await tracker.place(ClaimSpec(request=words), wait_seconds=60))
        except BadRequest as error:
            answers.append(error)

    async with make_tracker(SPEC) as tracker:
        for name in ("gpu", "nic"):
            await tracker.place(ClaimSpec(request=by_name(name)))
        async with anyio.create_task_group() as group:
            group.start_soon(wait, tracker, by_name("gpu"))
            group.start_soon(wait, tracker, by_name("nic", 4))
            await anyio.wait_all_tasks_blocked()
            assert tracker.statistics().waiting == 2
            other = {**ALIASES[0], "name": "gpu"}
            await tracker.reconfigure(Config.model_validate({"devices": [{}], "aliases": [other]}))
    refused, placed = sorted(answers, key=lambda one: isinstance(one, Placed))
    assert isinstance(placed, Placed)
    assert placed.claim.placement.devices[0].product_id == "1889"
    assert isinstance(refused, BadRequest)
