"""A state directory is one machine's: another one is told so, and a start after a boot says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.daemon import client_of, running, started
from tests.scenario.conftest import MakeTracker

from innkeeper.errors import StoreForeign
from innkeeper.objects import ClaimSpec, EventKind, Request

SMALL = {"request": {"vcpus": 1, "memory_mib": 64}}


@pytest.fixture
def options(short_dir: Path) -> dict[str, Any]:
    return {
        "state_dir": short_dir / "state",
        "socket_path": short_dir / "run/api.sock",
        "simulate": "cpus=8,name=rack-7",
    }


def events_of(options: dict[str, Any]) -> list[dict[str, Any]]:
    with client_of(options["socket_path"]) as client:
        found: list[dict[str, Any]] = client.get("/v1/events").json()["events"]
        return found


def test_another_machine_is_refused_until_it_is_to_adopt(options: dict[str, Any]) -> None:
    other = {**options, "simulate": "cpus=8,name=rack-8"}
    with running(options), client_of(options["socket_path"]) as client:
        claim = client.post("/v1/claims", json=SMALL).json()
    with started(other) as daemon:
        refusal = daemon.refusal()
    assert "refused store_foreign" in refusal
    assert re.search("is the ledger of rack-7 .* and this is rack-8 ", refusal)
    with running({**other, "adopt_state": True}) as daemon:
        events = events_of(options)
        with client_of(options["socket_path"]) as client:
            assert client.get(f"/v1/claims/{claim['id']}").json() == claim
        daemon.stop()
        assert "ledger taken over" in daemon.log
    assert [one["kind"] for one in events][-2:] == ["taken_over", "started"]
    assert events[-2]["details"]["previous_hostname"] == "rack-7"
    with running(other) as daemon:
        daemon.stop()
        assert "taken over" not in daemon.log
    with started(options) as daemon:
        assert "refused store_foreign" in daemon.refusal()


def test_what_is_tried_on_a_simulated_host_does_not_touch_this_ones_ledger(
    short_dir: Path,
) -> None:
    if not Path("/etc/machine-id").read_text().strip():
        pytest.skip("this machine has no id")
    real = {"state_dir": short_dir / "state", "socket_path": short_dir / "api.sock"}
    with running(real), client_of(short_dir / "api.sock") as client:
        claim = client.post("/v1/claims", json=SMALL).json()
    with started({**real, "simulate": "cpus=4"}) as daemon:
        assert "refused store_foreign" in daemon.refusal()
    with running(real), client_of(short_dir / "api.sock") as client:
        assert client.get(f"/v1/claims/{claim['id']}").json()["state"] == "pending"


def test_a_simulated_host_of_other_sizes_is_the_same_one(options: dict[str, Any]) -> None:
    for sizes in ("cpus=8", "cpus=16,pfs=1,vfs=4"):
        with running({**options, "simulate": f"{sizes},name=rack-7"}):
            kinds = [one["kind"] for one in events_of(options)]
    assert kinds == ["started", "started"]


def test_a_flag_that_is_not_needed_is_told(options: dict[str, Any]) -> None:
    with running({**options, "adopt_state": True}) as daemon:
        daemon.stop()
        assert "--adopt-state is not needed" in daemon.log


def test_a_daemon_says_that_the_host_started_anew(options: dict[str, Any]) -> None:
    with running(options), client_of(options["socket_path"]) as client:
        client.post("/v1/claims", json=SMALL)
    with running({**options, "simulate": "cpus=8,name=rack-7,boot=1"}) as daemon:
        events = events_of(options)
        daemon.stop()
        assert "host started anew" in daemon.log
    assert [one["kind"] for one in events][-2:] == ["rebooted", "started"]
    assert events[-2]["details"]["claims"] == 1


async def test_a_tracker_of_another_machine_leaves_the_ledger_alone(
    make_tracker: MakeTracker,
) -> None:
    async with make_tracker("cpus=8") as tracker:
        await tracker.place(ClaimSpec(request=Request(vcpus=1)))
    with pytest.raises(StoreForeign):
        async with make_tracker("cpus=8,seed=2"):
            pass
    async with make_tracker("cpus=8") as tracker:
        assert tracker.usage().claims == 1
        kinds = [one.kind for one in await tracker.list_events()]
        assert kinds == [EventKind.STARTED, EventKind.CLAIMED, EventKind.STARTED]
