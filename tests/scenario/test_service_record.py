"""The service's record, asked for over the socket: up by Nova's rule, and forced down by admins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from tests.scenario.conftest import MakeTracker, VirtualClock
from tests.serving import Served, problem_of, serving

from innkeeper.api.access import Caller, Role
from innkeeper.api.peers import Peer
from innkeeper.config import Config
from innkeeper.objects import CordonKind, Holder, Service
from innkeeper.tracker.nova.service import is_up

Serve = Callable[[], AbstractAsyncContextManager[Served]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def config() -> Config:
    return Config.model_validate({"nova": {"tables": "embedded"}, "service": {"host": "rack"}})


@pytest.fixture
def serve(make_tracker: MakeTracker, short_dir: Path, config: Config) -> Serve:
    @asynccontextmanager
    async def start() -> AsyncIterator[Served]:
        async with (
            make_tracker(config=config) as tracker,
            serving(tracker, short_dir, config=config) as served,
        ):
            yield served

    return start


async def test_it_is_up_for_a_minute_after_each_heartbeat(
    serve: Serve, clock: VirtualClock
) -> None:
    async with serve() as served:
        await clock.advance(5)
        with anyio.fail_after(20):
            while (shown := (await served.client.get("/v1/service")).json())["report_count"] < 1:
                await anyio.sleep(0.01)
    assert (shown["host"], shown["binary"], shown["up"]) == ("rack", "innkeeper", True)
    assert shown["last_seen_up"].startswith("2026-01-01T00:00:05")
    assert [node["name"] for node in shown["nodes"]] == ["test"]
    assert (shown["disabled"], shown["forced_down"], shown["version"]) == (False, False, 1)


async def test_forced_down_is_kept_until_it_is_taken_back(serve: Serve) -> None:
    async with serve() as served:
        said = await served.client.put("/v1/service", json={"forced_down": True})
        assert (said.json()["forced_down"], said.json()["up"]) == (True, False)
        await served.tracker.cordon(CordonKind.HOST, "test", reason="disks", by=Holder())
    async with serve() as served:
        shown = (await served.client.get("/v1/service")).json()
        assert (shown["forced_down"], shown["disabled_reason"]) == (True, "disks")
        said = await served.client.put("/v1/service", json={"forced_down": False})
        assert (said.json()["forced_down"], said.json()["up"]) == (False, True)


async def test_the_history_tells_who_forced_it_down_and_when_that_changed(serve: Serve) -> None:
    async with serve() as served:
        for forced in (True, True, False):
            await served.client.put("/v1/service", json={"forced_down": forced})
        events = (await served.client.get("/v1/events")).json()["events"]
    told = [one for one in events if one["kind"] == "forced_down"]
    assert [one["details"] for one in told] == [
        {"host": "rack", "forced_down": True},
        {"host": "rack", "forced_down": False},
    ]
    assert all(one["by"]["user"] for one in told)


async def test_only_admins_force_it_down(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as served:

        async def identify(peer: Peer) -> Caller:
            return Caller(peer, "ann", Role.OPERATOR)

        monkeypatch.setattr(served.parts.access, "identify", identify)
        refused = await served.client.put("/v1/service", json={"forced_down": True})
        problem_of(refused, 403, "forbidden")
        assert (await served.client.get("/v1/service")).json()["forced_down"] is False


@pytest.mark.parametrize("body", [{}, {"forced_down": "yes"}, {"forced_down": True, "up": True}])
async def test_other_words_are_refused(serve: Serve, body: dict[str, object]) -> None:
    async with serve() as served:
        refused = await served.client.put("/v1/service", json=body)
        problem_of(refused, 400, "invalid_request")


async def test_without_nova_s_tables_there_is_no_record(
    make_tracker: MakeTracker, short_dir: Path
) -> None:
    config = Config()
    async with (
        make_tracker(config=config) as tracker,
        serving(tracker, short_dir, config=config) as served,
    ):
        for refused in (
            await served.client.get("/v1/service"),
            await served.client.put("/v1/service", json={"forced_down": True}),
        ):
            assert "embedded" in problem_of(refused, 404, "not_found")["detail"]


@pytest.mark.parametrize(
    ("fields", "up"),
    [
        ({"last_seen_up": NOW - timedelta(seconds=60)}, True),
        ({"last_seen_up": NOW - timedelta(seconds=61)}, False),
        ({"last_seen_up": NOW + timedelta(seconds=61)}, False),
        ({"last_seen_up": None, "created_at": NOW}, True),
        ({"last_seen_up": None, "created_at": None}, False),
        ({"last_seen_up": NOW, "forced_down": True}, False),
    ],
)
def test_up_is_by_nova_s_rule(fields: dict[str, object], up: bool) -> None:  # noqa: FBT001
    service = Service(**({"forced_down": False, "created_at": NOW - timedelta(days=1)} | fields))
    assert is_up(service, NOW) is up
