"""Devices between two holders: dirty from the release on, and not to be had until they are clean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.scenario.hosts import HostOfSpec, until
from tests.scenario.test_outcomes import faulty, settle

from innkeeper.config import Config, load_config
from innkeeper.errors import NoFit, OutcomeUnknown, StoreFull
from innkeeper.objects import (
    AfterUse,
    Claim,
    ClaimSpec,
    CordonCause,
    CordonKind,
    DeviceRequest,
    EventKind,
    Finding,
    Holder,
    Request,
)
from innkeeper.objects.host import Withheld
from innkeeper.tracker import Placed, Tracker
from innkeeper.tracker.devices.cleaning import AT_ONCE
from innkeeper.tracker.parts import Parts
from innkeeper.tracker.sync import refresh

EVE, OPS = Holder(user="eve"), Holder(user="ops")
VF = DeviceRequest(vendor_id="8086", product_id="1889")
ALL = Request(devices=(VF.model_copy(update={"count": 4}),))
ONE = Request(devices=(VF,))


class Script:
    """A clean command: it says what it was told, and does what a test wants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "clean"
        self.does("exit 0")

    def does(self, *lines: str) -> None:
        told = f'env > "{self._folder}/told.$INNKEEPER_DEVICE"'
        count = f'echo $INNKEEPER_DEVICE $$ >> "{self._folder}/runs"'
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(("#!/bin/sh", told, count, *lines, "")))
        new.chmod(0o755)
        new.rename(self.path)

    def told(self, address: str) -> dict[str, str]:
        lines = (self._folder / f"told.{address}").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Address and process of each, as far as it is written."""
        try:
            lines = (self._folder / "runs").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [(line.split()[0], int(line.split()[1])) for line in lines]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.fixture
def words(script: Script) -> dict[str, object]:
    """Of the entry that admits everything."""
    return {"clean": [str(script.path)], "clean_timeout": 30.0}


@pytest.fixture
def config(words: dict[str, object]) -> Config:
    return Config.model_validate({"devices": [words]})


async def hold(tracker: Tracker, request: Request = ONE) -> Claim:
    return (await tracker.place(ClaimSpec(request=request))).claim


async def release(tracker: Tracker, claim: Claim) -> list[str]:
    await tracker.release(claim.id, by=EVE)
    return [device.address for device in claim.placement.devices]


def dirty(tracker: Tracker) -> list[str]:
    marked = (one for one in tracker.inventory.devices if one.withheld is Withheld.DIRTY)
    return [one.address for one in marked]


async def findings(tracker: Tracker) -> tuple[Finding, ...]:
    return await tracker.list_findings()


async def test_a_device_is_cleaned_and_then_given_out_again(
    make_tracker: MakeTracker, script: Script
) -> None:
    async with make_tracker() as tracker:
        claim = await hold(tracker, ALL)
        addresses = await release(tracker, claim)
        assert dirty(tracker) == sorted(addresses)
        await until(lambda: not tracker.cordons())
        assert dirty(tracker) == []
        await hold(tracker, ALL)
        events = await tracker.list_events(claim_id=claim.id)
    kinds = [event.kind for event in events]
    assert kinds == [
        EventKind.CLAIMED,
        EventKind.ABORTED,
        *[EventKind.CORDONED] * 4,
        *[EventKind.UNCORDONED] * 4,
    ]
    assert sorted(address for address, _ in script.runs) == sorted(addresses)


async def test_the_command_is_told_of_the_device_and_of_nothing_else(
    make_tracker: MakeTracker, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the daemon")
    async with make_tracker() as tracker:
        claim = await hold(tracker)
        (address,) = await release(tracker, claim)
        await until(lambda: not tracker.cordons())
    told = script.told(address)
    ours = {
        "INNKEEPER_DEVICE": address,
        "INNKEEPER_VENDOR": "8086",
        "INNKEEPER_PRODUCT": "1889",
        "INNKEEPER_CLAIM": str(claim.id),
    }
    assert {name: told[name] for name in ours} == ours
    # The shell adds the last three.
    assert told.keys() - ours.keys() <= {"PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}
    assert told["PWD"] == "/"
    assert load_config(None, ours) == Config()


async def test_nobody_gets_the_device_between_release_and_cleaning(
    make_tracker: MakeTracker, script: Script
) -> None:
    script.does("exit 1")
    placed: list[Placed] = []

    async def wait(tracker: Tracker) -> None:
        placed.append(await tracker.place(ClaimSpec(request=ALL), wait_seconds=600))

    async with make_tracker() as tracker:
        first = await hold(tracker, ALL)
        async with anyio.create_task_group() as group:
            group.start_soon(wait, tracker)
            await anyio.wait_all_tasks_blocked()
            await release(tracker, first)
            with pytest.raises(NoFit) as refused:
                await hold(tracker)
            assert "dirty" in str(refused.value.details["reasons"][0].pools)
            await until(lambda: len(script.runs) == 4)
            assert not placed
            for address in dirty(tracker):
                await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert len(placed[0].claim.placement.devices) == 4


async def test_a_command_that_fails_is_a_finding_and_is_run_again_after_growing_pauses(
    make_tracker: MakeTracker, script: Script, clock: VirtualClock
) -> None:
    script.does("echo cleaning", "echo 'medium error' >&2", "exit 3")
    async with make_tracker() as tracker:
        (address,) = await release(tracker, await hold(tracker))
        for attempt, pause in enumerate((5, 10, 20), 1):
            await until(lambda seen=attempt: len(script.runs) == seen)  # type: ignore[misc]
            await settled(tracker, clock)
            (finding,) = await findings(tracker)
            assert (finding.kind, finding.subject) == ("clean_failed", address)
            assert "exit status 3, its last line: medium error" in finding.message
            await clock.advance(pause - 1.2)
            assert len(script.runs) == attempt
            await clock.advance(1.2)
        script.does("exit 0")
        await clock.advance(40)
        await until(lambda: not tracker.cordons())
        await tracker.audit()
        assert await findings(tracker) == ()


async def settled(tracker: Tracker, clock: VirtualClock) -> None:
    """The failure is noted and its finding published."""
    with anyio.fail_after(20):
        while not await tracker.list_findings():
            await clock.advance(0.2)
            await anyio.sleep(0.002)
    await clock.advance(0)


@pytest.mark.parametrize(
    "lines", [["sleep 1000 &", "sleep 1000"], ["trap '' TERM", "while :; do sleep 1; done"]]
)
async def test_a_command_that_takes_too_long_is_stopped_with_all_that_it_started(
    make_tracker: MakeTracker, script: Script, clock: VirtualClock, lines: list[str]
) -> None:
    script.does(*lines)
    async with make_tracker() as tracker:
        await release(tracker, await hold(tracker))
        await until(lambda: bool(script.runs))
        await clock.advance(31)
        await clock.advance(6)
        await until(lambda: not is_running(script.runs[0][1]))
        await settled(tracker, clock)
        (finding,) = await findings(tracker)
        assert "not done within 30 s" in finding.message


def is_running(group: int) -> bool:
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        return True
    return False


async def test_a_command_that_cannot_be_started_is_a_finding(
    make_tracker: MakeTracker, script: Script, clock: VirtualClock
) -> None:
    script.path.unlink()
    async with make_tracker() as tracker:
        await release(tracker, await hold(tracker))
        await settled(tracker, clock)
        (finding,) = await findings(tracker)
        assert "cannot be started: No such file or directory" in finding.message


async def test_what_it_writes_is_kept_in_part(
    make_tracker: MakeTracker, script: Script, clock: VirtualClock
) -> None:
    script.does("yes | head -c 3000000", "printf '\\377%5000d\\n' 7", "exit 1")
    async with make_tracker() as tracker:
        await release(tracker, await hold(tracker))
        await settled(tracker, clock)
        (finding,) = await findings(tracker)
        assert len(finding.message) < 500


async def test_a_stopped_daemon_leaves_no_command_running_and_goes_on_at_the_next_start(
    make_tracker: MakeTracker, script: Script
) -> None:
    script.does("sleep 1000")
    async with make_tracker() as tracker:
        (address,) = await release(tracker, await hold(tracker))
        await until(lambda: bool(script.runs))
        process = script.runs[0][1]
    await until(lambda: not is_running(process))
    script.does("exit 0")
    async with make_tracker() as tracker:
        assert dirty(tracker) == [address]
        await until(lambda: not tracker.cordons())
        assert await findings(tracker) == ()
    async with make_tracker() as tracker:
        assert dirty(tracker) == []


async def test_only_a_few_run_at_once(make_tracker: MakeTracker, script: Script) -> None:
    script.does("sleep 1000")
    async with make_tracker("cpus=8,cells=1,pfs=1,vfs=9") as tracker:
        nine = Request(devices=(VF.model_copy(update={"count": 9}),))
        await release(tracker, await hold(tracker, nine))
        await until(lambda: len(script.runs) == AT_ONCE)
        assert len(dirty(tracker)) == 9
        script.does("exit 0")
        for _, group in list(script.runs):
            os.killpg(group, 9)
        await until(lambda: len(script.runs) == 9)
        # Those that were killed are run again later.
        await until(lambda: len(tracker.cordons()) == AT_ONCE)


async def test_a_device_for_one_use_waits_for_an_operator(
    make_tracker: MakeTracker, words: dict[str, object], script: Script
) -> None:
    async with make_tracker() as tracker:
        one_time = {**words, "one_time_use": True}
        await tracker.reconfigure(Config.model_validate({"devices": [one_time]}))
        (address,) = await release(tracker, await hold(tracker))
        await tracker.cordon(CordonKind.DEVICE, address, reason="look at it", by=OPS)
    async with make_tracker() as tracker:
        await tracker.reconfigure(Config.model_validate({"devices": [one_time]}))
        assert [one.cause for one in tracker.cordons()] == [CordonCause.DIRTY, CordonCause.OPERATOR]
        lifted = await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert lifted is not None
        assert lifted.cause is CordonCause.OPERATOR
        assert dirty(tracker) == [address]
        await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert dirty(tracker) == []


async def test_new_words_of_the_operator_count_for_what_is_dirty_already(
    make_tracker: MakeTracker, script: Script, words: dict[str, object], clock: VirtualClock
) -> None:
    script.does("exit 1")
    async with make_tracker() as tracker:
        (address,) = await release(tracker, await hold(tracker))
        await settled(tracker, clock)
        await tracker.reconfigure(Config.model_validate({"devices": [{}]}))
        await clock.advance(10)
        assert len(script.runs) == 1
        # Nothing cleans it now, and it is not handed out as if it were clean.
        assert dirty(tracker) == [address]
        script.does("exit 0")
        await tracker.reconfigure(Config.model_validate({"devices": [words]}))
        await clock.advance(20)
        await until(lambda: not tracker.cordons())


async def test_a_device_that_is_gone_is_cleaned_when_it_is_back(
    make_tracker: MakeTracker, script: Script
) -> None:
    driver = HostOfSpec()
    whole = driver.host
    async with make_tracker(driver=driver) as tracker:
        claim = await hold(tracker)
        address = claim.placement.devices[0].address
        driver.unplug(address)
        await tracker.audit()
        await release(tracker, claim)
        assert [one.subject for one in tracker.cordons()] == [address]
        await tracker.audit()
        assert script.runs == []
        driver.host = whole
        await tracker.audit()
        await until(lambda: not tracker.cordons())
        assert [one for one, _ in script.runs] == [address]


async def test_a_dirty_card_is_cleaned_where_it_turns_up(
    make_tracker: MakeTracker, script: Script
) -> None:
    script.does("exit 1")
    driver = HostOfSpec()
    gpu = Request(devices=(DeviceRequest(vendor_id="10de", product_id="24b0"),))
    async with make_tracker(driver=driver) as tracker:
        await release(tracker, await hold(tracker, gpu))
        await until(lambda: len(script.runs) == 1)
        driver.become("cpus=8,cells=2,memory=16GiB,pfs=2,vfs=2,gpus=1,gpu0.address=0000:f1:00.0")
        script.does("exit 0")
        await tracker.audit()
        await until(lambda: not tracker.cordons())
        assert script.runs[-1][0] == "0000:f1:00.0"


async def test_what_took_the_place_of_a_dirty_card_does_not_wash_it(
    make_tracker: MakeTracker, words: dict[str, object]
) -> None:
    driver = HostOfSpec()
    first = driver.host
    gpu = Request(devices=(DeviceRequest(vendor_id="10de", product_id="24b0"),))
    one_time = Config.model_validate({"devices": [{**words, "one_time_use": True}]})
    async with make_tracker(driver=driver) as tracker:
        await tracker.reconfigure(one_time)
        (address,) = await release(tracker, await hold(tracker, gpu))
        driver.edit(address, serial="another-card")
        await tracker.audit()
        await release(tracker, await hold(tracker, gpu))
        assert len(tracker.cordons()) == 2
        await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert dirty(tracker) == []
    driver.host = first
    async with make_tracker(driver=driver) as tracker:
        await tracker.reconfigure(one_time)
        assert dirty(tracker) == [address]
        assert [one.subject for one in tracker.cordons()] == [address]


async def test_the_dirt_of_a_card_that_was_pulled_is_lifted_by_the_identity_that_it_is_listed_by(
    make_tracker: MakeTracker,
) -> None:
    driver = HostOfSpec()
    gpu = Request(devices=(DeviceRequest(vendor_id="10de", product_id="24b0"),))
    one_time = Config.model_validate({"devices": [{"one_time_use": True}]})
    async with make_tracker(driver=driver, config=one_time) as tracker:
        (address,) = await release(tracker, await hold(tracker, gpu))
        driver.edit(address, serial="Another/card")
        await tracker.audit()
        await release(tracker, await hold(tracker, gpu))
        (pulled,) = (one for one in tracker.cordons() if one.subject != address)
        assert pulled.subject == pulled.identity
        lifted = await tracker.uncordon(
            CordonKind.DEVICE, pulled.subject, by=OPS, cause=CordonCause.DIRTY
        )
        assert lifted is not None
        assert lifted.subject == pulled.subject
        (left,) = tracker.cordons()
        assert (left.subject, dirty(tracker)) == (address, [address])
        # What is on the host may be called by its identity too.
        assert left.identity is not None
        await tracker.uncordon(CordonKind.DEVICE, left.identity, by=OPS)
        assert (tracker.cordons(), dirty(tracker)) == ((), [])


async def test_a_release_that_could_not_be_written_marks_nothing(
    make_tracker: MakeTracker, script: Script
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await hold(tracker)
        store.fault = "full"
        with pytest.raises(StoreFull):
            await release(tracker, claim)
        await tracker.audit()
        assert (tracker.cordons(), dirty(tracker)) == ((), [])
        assert tracker.usage().devices.used == 1
        await release(tracker, claim)
        await until(lambda: bool(script.runs) and not tracker.cordons())


@pytest.mark.parametrize("fault", ["landed", "lost"])
async def test_a_release_in_doubt_cleans_nothing_until_it_is_known(
    make_tracker: MakeTracker, script: Script, clock: VirtualClock, fault: str
) -> None:
    async with faulty(make_tracker) as (tracker, store):
        claim = await hold(tracker)
        store.fault, store.known = fault, False
        with pytest.raises(OutcomeUnknown):
            await release(tracker, claim)
        await tracker.audit()
        assert (script.runs, tracker.cordons()) == ([], ())
        assert tracker.usage().devices.used == 1
        script.does("exit 1")
        store.known = True
        await settle(tracker, clock)
        await tracker.audit()
        assert len(dirty(tracker)) == (fault == "landed")
        assert tracker.usage().devices.used == (fault == "lost")


async def test_many_releases_reach_the_ledger_together(
    make_tracker: MakeTracker, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.does("exit 1")
    refreshed: list[None] = []

    def counted(parts: Parts) -> bool:
        refreshed.append(None)
        return refresh(parts)

    monkeypatch.setattr("innkeeper.tracker.sync.refresh", counted)
    async with make_tracker() as tracker:
        claims = [await hold(tracker) for _ in range(4)]
        async with anyio.create_task_group() as group:
            for claim in claims:
                group.start_soon(release, tracker, claim)
        assert len(dirty(tracker)) == 4
        assert len(refreshed) == 1


async def test_a_command_that_a_killed_daemon_left_is_stopped_before_the_next(
    make_tracker: MakeTracker, script: Script, tmp_path: Path
) -> None:
    script.does("exit 1")
    async with make_tracker() as tracker:
        claim = await hold(tracker)
        (address,) = await release(tracker, claim)
        await until(lambda: bool(script.runs))
    about = {
        "INNKEEPER_DEVICE": address,
        "INNKEEPER_VENDOR": "8086",
        "INNKEEPER_PRODUCT": "1889",
        "INNKEEPER_CLAIM": str(claim.id),
    }
    sleep = ("/bin/sleep", "1000")
    async with (
        await anyio.open_process(sleep, env=about, stdin=None) as left,
        await anyio.open_process(
            sleep, env={**about, "INNKEEPER_DEVICE": "-"}, stdin=None
        ) as other,
    ):
        script.does("exit 0")
        async with make_tracker() as tracker:
            await until(lambda: not tracker.cordons())
            assert await left.wait() == -9
            assert other.returncode is None
        other.kill()


@pytest.fixture(autouse=True)
def leave_no_process(script: Script) -> Iterator[None]:
    yield
    for _, group in script.runs:
        with suppress(ProcessLookupError):
            os.killpg(group, 9)


async def test_who_lifts_the_dirt_by_hand_stops_the_command_that_runs(
    make_tracker: MakeTracker, script: Script
) -> None:
    script.does("sleep 1000")
    async with make_tracker() as tracker:
        (address,) = await release(tracker, await hold(tracker, ONE))
        await until(lambda: bool(script.runs))
        ((_, pid),) = script.runs
        lifted = await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        assert lifted is not None
        assert lifted.cause is CordonCause.DIRTY
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert len(script.runs) == 1
        await hold(tracker, ALL)


async def test_a_device_whose_entry_went_before_the_release_is_dirty_all_the_same(
    make_tracker: MakeTracker, script: Script
) -> None:
    script.does("exit 1")
    async with make_tracker() as tracker:
        claim = await hold(tracker, ONE)
        await tracker.reconfigure(Config.model_validate({"devices": [{"vendor_id": "10de"}]}))
        (address,) = await release(tracker, claim)
        (mark,) = tracker.cordons()
        assert (mark.subject, mark.cause) == (address, CordonCause.DIRTY)


async def test_a_claim_that_was_never_laid_over_keeps_the_words_of_its_entry(
    make_tracker: MakeTracker, config: Config
) -> None:
    """Words change twice between claim and release, and nothing is observed in between."""
    async with make_tracker() as tracker:
        claim = await hold(tracker, ONE)
        for vendor in ("10de", "15b3"):
            await tracker.reconfigure(Config.model_validate({"devices": [{"vendor_id": vendor}]}))
        await release(tracker, claim)
        assert [mark.cause for mark in tracker.cordons()] == [CordonCause.DIRTY]


@pytest.mark.parametrize("words_then", [{"vendor_id": "10de"}, {"vendor_id": "8086"}])
async def test_what_was_to_be_cleaned_when_it_was_claimed_is_dirty_after_a_restart_with_other_words(
    make_tracker: MakeTracker, script: Script, words_then: dict[str, object]
) -> None:
    async with make_tracker() as tracker:
        claim = await hold(tracker, ONE)
    other = Config.model_validate({"devices": [words_then]})
    async with make_tracker(config=other) as tracker:
        (address,) = await release(tracker, claim)
        (mark,) = tracker.cordons()
        assert (mark.subject, mark.cause) == (address, CordonCause.DIRTY)
        assert "no `clean` command was configured" in mark.reason
        await tracker.audit()
        (finding,) = await findings(tracker)
        assert (finding.kind, finding.subject) == ("clean_missing", address)
        assert "`innkeeper devices uncordon --dirty`" in (finding.suggested_repair or "")
    async with make_tracker(config=other) as tracker:
        assert [one.subject for one in tracker.cordons()] == [address]
        await tracker.uncordon(CordonKind.DEVICE, address, by=OPS)
        await tracker.audit()
        assert (tracker.cordons(), await findings(tracker)) == ((), ())
    assert script.runs == []


async def test_what_was_for_one_use_when_it_was_claimed_stays_so_over_a_restart(
    make_tracker: MakeTracker,
) -> None:
    one_time = Config.model_validate({"devices": [{"one_time_use": True}]})
    async with make_tracker(config=one_time) as tracker:
        claim = await hold(tracker, ONE)
        assert set(claim.after_use.values()) == {AfterUse.ONE_TIME_USE}
    async with make_tracker(config=Config.model_validate({"devices": [{}]})) as tracker:
        await release(tracker, claim)
        assert [mark.reason for mark in tracker.cordons()] == ["given out once only"]


async def test_a_command_that_is_configured_again_cleans_what_was_left(
    make_tracker: MakeTracker, script: Script, config: Config, clock: VirtualClock
) -> None:
    async with make_tracker() as tracker:
        claim = await hold(tracker, ONE)
    without = Config.model_validate({"devices": [{}]})
    async with make_tracker(config=without) as tracker:
        await release(tracker, claim)
        # Without anybody asking for an audit.
        await settled(tracker, clock)
        assert [one.kind for one in await findings(tracker)] == ["clean_missing"]
        await tracker.reconfigure(config)
        await until(lambda: not tracker.cordons())
        await tracker.audit()
        assert await findings(tracker) == ()
    assert len(script.runs) == 1
